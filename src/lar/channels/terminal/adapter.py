"""The adapter: who is connected, what they are shown, and which parts they confirmed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import structlog

from lar import __version__
from lar.channels.contract import Accept, Activity, Manifest, MenuEntry
from lar.channels.terminal.frames import BadFrame, Hello, Said, Seen, parse
from lar.channels.terminal.manifest import ACCOUNT, MANIFEST, NAME
from lar.domain.conversation import Address
from lar.domain.delivery import Part, Receipt
from lar.domain.inbound import Attachment, Inbound, Sender, Text
from lar.domain.values import JsonObject
from lar.errors import ChannelError, SendLater, SendUncertain, StoreError

log = structlog.get_logger(__name__)

NOBODY_HERE = 365 * 86400.0
"""Seconds a part waits when nobody is connected: whoever connects wakes the deliverer."""

RETRY_FIRST, RETRY_MOST = 0.1, 10.0
"""Seconds before a message that could not be stored is handed in again: doubling from the first to the most."""

MAX_BACKLOG = 100
"""Frames a slow client may have waiting before previews and typing are no longer added."""


class Closed(Exception):
    """The client is gone."""


class Socket(Protocol):
    """A connection to a client. Both methods raise `Closed` once it is gone."""

    async def send(self, frame: JsonObject) -> None:
        """Send one frame."""
        ...

    async def receive(self) -> str:
        """The next text frame."""
        ...


@dataclass(eq=False, slots=True)
class _Client:
    """A connected client, and the frames that wait to be written to it."""

    backlog: asyncio.Queue[JsonObject] = field(default_factory=asyncio.Queue[JsonObject])

    def put(self, frame: JsonObject) -> None:
        self.backlog.put_nowait(frame)

    def offer(self, frame: JsonObject) -> None:
        """Put a frame that may be missed."""
        if self.backlog.qsize() < MAX_BACKLOG:
            self.put(frame)


@dataclass(eq=False, slots=True)
class _Shown:
    """A part that was handed to clients and not confirmed yet."""

    id: str
    frame: JsonObject
    seen: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class _Chat:
    """One conversation: its clients, and the part on its way. `changed` is set when a client comes or goes."""

    clients: set[_Client] = field(default_factory=set[_Client])
    shown: _Shown | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


async def _nobody_to_tell(_channel: str, _account: str) -> None:
    """Until somebody listens for connections."""


class TerminalChannel:
    """Local clients, by the name they give themselves. The owner is on the other side: the token is the proof.

    `grace` is how long, in seconds, a part that was not confirmed waits for its client to come back.
    """

    manifest: Manifest = MANIFEST
    account: str = ACCOUNT

    def __init__(self, grace: float = 5.0) -> None:
        self._grace = grace
        self._chats: dict[str, _Chat] = {}
        self._accept: asyncio.Future[Accept] | None = None
        self._connected: Callable[[str, str], Awaitable[None]] = _nobody_to_tell
        self._menu: tuple[MenuEntry, ...] = ()

    def on_connect(self, callback: Callable[[str, str], Awaitable[None]]) -> None:
        """Call `callback(channel, account)` whenever a client connects: what waited for it can be sent now."""
        self._connected = callback

    async def run(self, accept: Accept) -> None:
        """Take messages in until cancelled. Clients that come earlier wait."""
        self._accepting().set_result(accept)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._accept = None

    async def send(self, to: Address, part: Part) -> Receipt:
        """Show one part to every client of the conversation; the first that confirms it makes the receipt."""
        chat = self._chats.get(to.chat)
        if chat is None or not chat.clients:
            raise SendLater(NOBODY_HERE, "no terminal is connected")
        frame: dict[str, object] = {"type": "part", "id": uuid4().hex, "text": part.text}
        if part.file:
            frame["file"] = {"path": part.file.path, "name": part.file.name, "mime": part.file.mime}
        shown = chat.shown = _Shown(str(frame["id"]), frame)
        for client in chat.clients:
            client.put(frame)
        try:
            await self._until_seen(chat, shown)
        finally:
            chat.shown = None
        return Receipt(shown.id)

    async def _until_seen(self, chat: _Chat, shown: _Shown) -> None:
        """Wait while anybody is there who may confirm it, and for a while for somebody to come back."""
        loop = asyncio.get_running_loop()
        seen = asyncio.ensure_future(shown.seen.wait())
        try:
            while not seen.done():
                chat.changed.clear()
                changed = loop.create_task(chat.changed.wait())
                timeout = None if chat.clients else self._grace
                done, _ = await asyncio.wait({seen, changed}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if not done:
                    raise SendUncertain("the terminal went away before it confirmed the part")
        finally:
            seen.cancel()

    async def show(self, to: Address, activity: Activity) -> str:
        """Typing and previews, to those who keep up."""
        chat = self._chats.get(to.chat)
        if chat is None:
            return ""
        frame: JsonObject = {"type": "typing"}
        if activity.preview or activity.done:
            frame = {"type": "preview", "text": "" if activity.done else activity.preview}
        for client in chat.clients:
            client.offer(frame)
        return ""

    async def fetch(self, attachment: Attachment, path: Path) -> None:
        """Terminals send no files."""
        raise ChannelError(f"{attachment.name} cannot be fetched to {path}: terminals send text only")

    async def announce(self, menu: Sequence[MenuEntry]) -> None:
        """Keep the menu for the welcome of those who connect from now on."""
        self._menu = tuple(menu)

    async def serve(self, socket: Socket, hello: Hello) -> None:
        """Talk with one client until it is gone."""
        chat = self._chats.setdefault(hello.client, _Chat())
        client = _Client()
        client.put(self._welcome(hello))
        if chat.shown and chat.shown.id == hello.after:
            chat.shown.seen.set()
        elif chat.shown:
            client.put(chat.shown.frame)
        chat.clients.add(client)
        chat.changed.set()
        writer = asyncio.create_task(_write(socket, client))
        try:
            await self._connected(NAME, ACCOUNT)
            while True:
                await self._take(await socket.receive(), hello.client, client)
        except Closed:
            pass
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            chat.clients.discard(client)
            chat.changed.set()
            if not chat.clients and chat.shown is None:
                self._chats.pop(hello.client, None)

    async def _take(self, raw: str, name: str, client: _Client) -> None:
        """Act on one frame of a client."""
        try:
            frame = parse(raw)
        except BadFrame as error:
            client.put({"type": "error", "message": str(error)})
            return
        match frame:
            case Said():
                await self._store(_inbound(name, frame), frame.id, client)
            case Seen():
                shown = self._chats[name].shown
                if shown and shown.id == frame.id:
                    shown.seen.set()
            case _:
                return

    async def _store(self, inbound: Inbound, key: str, client: _Client) -> None:
        """Hand a message in until it is committed, and say so."""
        for attempt in count():
            try:
                await (await self._accepting())([inbound])
            except StoreError as error:
                log.warning("a message from a terminal cannot be stored yet", error=str(error))
                client.put({"type": "delayed", "id": key, "message": str(error)})
                await asyncio.sleep(min(RETRY_FIRST * 2**attempt, RETRY_MOST))
            else:
                client.put({"type": "accepted", "id": key})
                return

    def _accepting(self) -> "asyncio.Future[Accept]":
        if self._accept is None:
            self._accept = asyncio.get_running_loop().create_future()
        return self._accept

    def _welcome(self, hello: Hello) -> JsonObject:
        commands = [
            {"command": e.command, "description": e.description} for e in self._menu if e.language in {"", "en"}
        ]
        return {"type": "welcome", "version": __version__, "client": hello.client, "commands": commands}


async def _write(socket: Socket, client: _Client) -> None:
    try:
        while True:
            await socket.send(await client.backlog.get())
    except Closed:
        return


def _inbound(name: str, said: Said) -> Inbound:
    return Inbound(
        channel=NAME,
        account=ACCOUNT,
        update_id=f"{name}:{said.id}",
        raw={"client": name, "id": said.id, "text": said.text},
        sender=Sender(user=ACCOUNT, name="owner"),
        address=Address(NAME, ACCOUNT, name),
        content=Text(text=said.text, vendor_id=said.id),
    )
