"""Files that tools make, keep and hand on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file under `LAR_HOME/files`, whose content does not change any more.

    `path` is relative to that folder; `size` is in bytes.
    """

    path: str
    name: str
    mime: str = "application/octet-stream"
    size: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a turn sends besides its reply: text, a file, or both. `conversation` 0 is the turn's own.

    It is recorded with the tool call and leaves with the reply, in the transaction that ends the turn.
    """

    text: str = ""
    artifact: Artifact | None = None
    conversation: int = 0
