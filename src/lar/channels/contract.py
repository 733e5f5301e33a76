"""The seam for channels: a manifest, and an adapter with five methods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lar.domain.conversation import Address
from lar.domain.delivery import Part, Receipt
from lar.domain.inbound import Attachment, Inbound


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can do, as data. `max_upload` and `max_download` are in bytes."""

    edit: bool = False
    buttons: bool = False
    threads: bool = False
    typing: bool = False
    preview: bool = False
    voice: bool = False
    max_upload: int = 0
    max_download: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A channel's name and nature. Importing it imports no SDK.

    `render` turns a model's Markdown into the parts that carry it, in order; it is pure and never fails.
    """

    name: str
    capabilities: Capabilities
    render: Callable[[str], "Rendered"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A reply as a channel shows it. `document` is the text of a file to send along, empty if `parts` hold it all."""

    parts: tuple[Part, ...]
    document: str = ""


@dataclass(frozen=True, slots=True)
class Activity:
    """What the person sees while a turn runs. `preview` is the text so far, empty for typing alone.

    `message` is the vendor id of the preview message shown so far, empty if there is none. `done` ends it: a preview
    message that is still there is removed.
    """

    preview: str = ""
    message: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One command of the menu: its name without slash, and its description in one language."""

    command: str
    description: str
    language: str
    admin: bool = False


class Accept(Protocol):
    """Takes updates in. When it returns they are committed, and may be acknowledged to the vendor.

    It raises only if nothing was stored (disk full, database away); then the same batch is to be handed in again.
    """

    async def __call__(self, batch: Sequence[Inbound], /) -> None:
        """Commit the batch."""
        ...


class Channel(Protocol):
    """An adapter: one account of one channel.

    `send` raises `SendLater`, `SendUncertain`, `SendRefused`, `ChatGone` or `FileTooLarge`, and nothing else.
    """

    @property
    def manifest(self) -> Manifest:
        """What kind of channel this is."""
        ...

    @property
    def account(self) -> str:
        """The name of this login; with the manifest's name it is unique."""
        ...

    async def run(self, accept: Accept) -> None:
        """Receive until cancelled. Survives whatever the vendor does; problems are reported, not raised."""
        ...

    async def send(self, to: Address, part: Part) -> Receipt:
        """Send one part and return the vendor's receipt."""
        ...

    async def show(self, to: Address, activity: Activity) -> str:
        """Show that a turn runs; return the preview's message id, or "". Never raises, never delays a send."""
        ...

    async def fetch(self, attachment: Attachment, path: Path) -> None:
        """Download a file that came with a message to `path`.

        Raises:
            FileTooLarge: over the channel's limit.
            SendLater: not now.
            ChannelError: it cannot be had any more.

        """
        ...

    async def announce(self, menu: Sequence[MenuEntry]) -> None:
        """Synchronise the command menu."""
        ...
