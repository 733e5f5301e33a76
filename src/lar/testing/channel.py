"""A channel in memory: what was sent stays readable, and every way to fail can be asked for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lar.channels.contract import Accept, Activity, Capabilities, Manifest, MenuEntry, Rendered
from lar.domain.conversation import Address, Place
from lar.domain.delivery import Part, Receipt
from lar.domain.inbound import Attachment, ChatStatus, Inbound, Press, Sender, Text
from lar.errors import ChannelError, SendUncertain

DOCUMENT_FROM = 1000
"""Replies longer than this (characters) come as a document behind a short beginning."""

ALL_CAPABILITIES = Capabilities(
    edit=True, buttons=True, threads=True, typing=True, preview=True, voice=True, max_upload=1000, max_download=1000
)


def render(markdown: str) -> Rendered:
    """One part for each paragraph; a document where the text is long."""
    if len(markdown) > DOCUMENT_FROM:
        return Rendered((Part(markdown[:20]),), document=markdown)
    return Rendered(tuple(Part(paragraph) for paragraph in markdown.split("\n\n")))


@dataclass(frozen=True, slots=True)
class Sent:
    """A part that arrived, and the id it got."""

    to: Address
    part: Part
    vendor_id: str


@dataclass(slots=True)
class Chat:
    """Somebody in a chat, as the sender of updates. In a private chat the chat's id is the user's."""

    channel: "FakeChannel"
    user: str
    chat: str
    thread: str = ""
    name: str = "Ann"
    language: str = "en"

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address(self.channel.manifest.name, self.channel.account, self.chat, self.thread)

    def says(self, text: str | Text) -> Inbound:
        """The update of a message; a plain string is a message like any other."""
        content = text if isinstance(text, Text) else Text(text, self.channel.new_id())
        return self.update(content, raw={"text": content.text})

    def presses(self, data: str, message_id: str = "") -> Inbound:
        """The update of a pressed button."""
        return self.update(Press(data, message_id, self.channel.new_id()))

    def update(self, content: Text | Press | ChatStatus | None, raw: Mapping[str, str] | None = None) -> Inbound:
        """An update with this content."""
        return Inbound(
            channel=self.channel.manifest.name,
            account=self.channel.account,
            update_id=self.channel.new_id(),
            raw=raw or {},
            sender=Sender(self.user, self.name, language=self.language),
            address=self.address,
            place=Place.PRIVATE if self.chat == self.user else Place.GROUP,
            content=content,
        )


class FakeChannel:
    """A `Channel` that carries everything at once, unless it was told to fail."""

    def __init__(self, account: str = "main", capabilities: Capabilities = ALL_CAPABILITIES) -> None:
        self._manifest = Manifest("fake", capabilities, render)
        self._account = account
        self._ids = count(1)
        self._failures: list[Exception | Callable[[Address, Part], Exception | None]] = []
        self.sent: list[Sent] = []
        self.tried: list[Part] = []
        self.shown: list[tuple[Address, Activity]] = []
        self.menus: list[tuple[MenuEntry, ...]] = []
        self.files: dict[str, bytes | Exception] = {}
        self.fetched: list[str] = []
        self.gate = asyncio.Event()
        """Sends wait here; open unless a test closes it."""
        self.gate.set()
        self.previews = asyncio.Event()
        """Previews wait here; open unless a test closes it."""
        self.previews.set()
        self.previewing = 0
        """How many previews were begun."""
        self.announcing: Exception | None = None
        self.unplugged = False
        """Nothing gets through any more: the process on our side is dying."""
        self.accept: Accept | None = None

    @property
    def manifest(self) -> Manifest:
        """A channel that can do everything."""
        return self._manifest

    @property
    def account(self) -> str:
        """The name it was given."""
        return self._account

    def new_id(self) -> str:
        """An id that was not there before, for updates and messages."""
        return f"{self._account}-{next(self._ids)}"

    def chat(
        self, user: str = "1", chat: str = "", *, thread: str = "", name: str = "Ann", language: str = "en"
    ) -> Chat:
        """Somebody in a chat: private unless another chat is named."""
        return Chat(self, user, chat or user, thread, name, language)

    def fail(self, *failures: Exception | Callable[[Address, Part], Exception | None]) -> None:
        """The next sends fail like this, one after the other; a callable may let a part pass by returning None."""
        self._failures.extend(failures)

    def texts(self, chat: str = "1") -> list[str]:
        """What arrived in a chat, oldest first."""
        return [sent.part.text for sent in self.sent if sent.to.chat == chat]

    # ---- the contract

    async def run(self, accept: Accept) -> None:
        """Keep the door that updates go through."""
        self.accept = accept
        await asyncio.get_running_loop().create_future()

    async def send(self, to: Address, part: Part) -> Receipt:
        """Deliver, or fail as told."""
        self.tried.append(part)
        await self.gate.wait()
        if self.unplugged:
            raise SendUncertain("unplugged")
        if self._failures:
            failure = self._failures.pop(0)
            error = failure if isinstance(failure, Exception) else failure(to, part)
            if error is not None:
                raise error
        sent = Sent(to, part, self.new_id())
        self.sent.append(sent)
        return Receipt(sent.vendor_id)

    async def show(self, to: Address, activity: Activity) -> str:
        """Remember what was shown; a preview gets an id and keeps it."""
        if activity.preview:
            self.previewing += 1
            await self.previews.wait()
        if self.unplugged:
            return ""
        self.shown.append((to, activity))
        return activity.message or (self.new_id() if activity.preview else "")

    async def fetch(self, attachment: Attachment, path: Path) -> None:
        """Write the file that was put in `files` under the attachment's reference."""
        self.fetched.append(attachment.ref)
        found = self.files.get(attachment.ref, ChannelError("there is no such file any more"))
        if isinstance(found, Exception):
            raise found
        await asyncio.to_thread(path.write_bytes, found)

    async def announce(self, menu: Sequence[MenuEntry]) -> None:
        """Keep the menu, or fail as told."""
        if self.announcing is not None:
            raise self.announcing
        self.menus.append(tuple(menu))
