"""The protocol of local clients: JSON objects in text frames, each with a `type`.

A client opens `/ws`, proves itself by `Authorization: Bearer <token>` or in its first frame, and says hello:

    → {"type": "hello", "client": "local", "token": "...", "after": "<id of the last part it has, or empty>"}
    ← {"type": "welcome", "version": "0.1.0", "client": "local", "commands": [{"command": "...", "description": "..."}]}

Then it talks, and listens:

    → {"type": "message", "id": "<unique, such as a UUID>", "text": "..."}
    ← {"type": "accepted", "id": "<the message's id>"}       it is committed; nothing is lost any more
    ← {"type": "typing"}                                     a turn runs; repeated every few seconds
    ← {"type": "preview", "text": "..."}                     the answer so far, empty to take it back
    ← {"type": "part", "id": "...", "text": "...", "file": {"name": "...", "path": "...", "mime": "..."}}
    → {"type": "ack", "id": "<the part's id>"}               shown; it will not be sent again
    ← {"type": "delayed", "id": "...", "message": "..."}     it cannot be stored yet; the gateway goes on trying
    ← {"type": "error", "message": "..."}                    the last frame was none

`client` names the conversation: the same name is the same conversation, from any number of terminals. A message whose
`accepted` did not arrive is sent again under the same id and stays one message. A part with an id the client has seen
is acknowledged again and not shown. `file.path` is relative to `files/` in the home folder. Unknown types and fields
are ignored, by both sides.
"""

import json
import re
from dataclasses import dataclass
from typing import cast

from lar.domain.values import JsonObject

MAX_TEXT = 1_000_000
"""Characters of a message a client may send."""

_CLIENT = re.compile(r"[\w.@-]{1,64}")
_ID = re.compile(r"[\x21-\x7e]{1,128}")


class BadFrame(ValueError):
    """A client sent something else than the protocol says; the text tells it what."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame. `after` is the id of the last part the client has, empty if it has none."""

    client: str
    token: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A message. `id` is the client's, and unique."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The part with this id was shown."""

    id: str


ClientFrame = Hello | Said | Seen


def parse(raw: str) -> ClientFrame | None:
    """Read a frame of a client; None if its type is unknown.

    Raises:
        BadFrame: it is no frame.

    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadFrame("a frame is a JSON object") from None
    if not isinstance(value, dict):
        raise BadFrame("a frame is a JSON object")
    frame = cast("dict[str, object]", value)
    match frame.get("type"):
        case "hello":
            client = _text(frame, "client") or "local"
            if not _CLIENT.fullmatch(client):
                raise BadFrame("client is 1 to 64 letters, digits, or any of . _ @ -")
            return Hello(client, _text(frame, "token"), _text(frame, "after"))
        case "message":
            text = _text(frame, "text")
            if not text.strip() or len(text) > MAX_TEXT:
                raise BadFrame(f"text is 1 to {MAX_TEXT} characters")
            return Said(_id(frame), text)
        case "ack":
            return Seen(_id(frame))
        case _:
            return None


def _text(frame: JsonObject, name: str) -> str:
    value = frame.get(name, "")
    if not isinstance(value, str):
        raise BadFrame(f"{name} is a string")
    # A lone surrogate is valid JSON and no text: no database stores it.
    return value.encode("utf-8", "replace").decode("utf-8")


def _id(frame: JsonObject) -> str:
    value = _text(frame, "id")
    if not _ID.fullmatch(value):
        raise BadFrame("id is 1 to 128 visible ASCII characters")
    return value
