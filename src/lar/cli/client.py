"""A terminal's side of the WebSocket protocol (`lar.channels.terminal.frames`)."""

import asyncio
import contextlib
import json
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from lar.channels.terminal.manifest import ACCOUNT, NAME
from lar.cli.context import call_gateway
from lar.cli.table import printable
from lar.errors import LarError
from lar.operations.home import Running, find, token

Frame = dict[str, Any]

RECONNECT_SECONDS = 1.0
"""How long to wait before the gateway is looked for again."""

LOOK_SECONDS = 0.2
"""How often it is asked whether the answer is complete, once nothing arrives any more."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whom to talk to, and as whom: the gateway of this home folder, in the conversation `name`."""

    home: Path
    name: str

    @property
    def running(self) -> Running:
        """The gateway.

        Raises:
            ConnectionError: none runs now.

        """
        running = find(self.home)
        if running is None:
            raise ConnectionError("the gateway does not run")
        return running

    def connect(self) -> connect:
        """A connection to the gateway."""
        return connect(
            f"{self.running.url.replace('http', 'ws', 1)}/ws",
            additional_headers={"Authorization": f"Bearer {token(self.home)}"},
            max_size=None,
            proxy=None,
        )

    def idle(self) -> bool:
        """Whether everything was answered and delivered."""
        where = {"channel": NAME, "account": ACCOUNT, "chat": self.name}
        return bool(call_gateway(self.running, token(self.home), "conversation/idle", where)["idle"])

    def text_of(self, part: Frame) -> str:
        """A part as it is printed."""
        file = cast("Frame | None", part.get("file"))
        lines = [str(part.get("text", "")), *([f"[file: {self.home / 'files' / str(file['path'])}]"] if file else [])]
        return printable("\n".join(filter(None, lines)))


async def say_once(client: Client, message: str, timeout: float) -> None:  # noqa: ASYNC109  # the operator's, in words
    """Say something, print every part of the answer, and return when it is complete.

    Raises:
        LarError: the gateway refused the message or went away, or the answer took too long.

    """
    try:
        async with asyncio.timeout(timeout), client.connect() as socket:
            await _hello(socket, client, "")
            await _say(socket, uuid4().hex, message)
            await _print_answer(socket, client)
    except TimeoutError:
        raise LarError(f"no complete answer within {timeout:g} s; it will be there in the next `lar chat`") from None
    except (WebSocketException, OSError) as error:
        raise LarError(f"the gateway went away ({error}); what it accepted it will answer later") from None


async def _print_answer(socket: ClientConnection, client: Client) -> None:
    accepted = False
    while True:
        try:
            frame = await asyncio.wait_for(_receive(socket), LOOK_SECONDS if accepted else None)
        except TimeoutError:
            if await asyncio.to_thread(client.idle):
                return
            continue
        match frame.get("type"):
            case "accepted":
                accepted = True
            case "error":
                raise LarError(str(frame.get("message")))
            case "part":
                print(client.text_of(frame), flush=True)
                await _confirm(socket, frame)
            case _:
                continue


async def _hello(socket: ClientConnection, client: Client, after: str) -> None:
    await socket.send(json.dumps({"type": "hello", "client": client.name, "after": after}))


async def _say(socket: ClientConnection, key: str, text: str) -> None:
    await socket.send(json.dumps({"type": "message", "id": key, "text": text}))


async def _receive(socket: ClientConnection) -> Frame:
    return cast("Frame", json.loads(await socket.recv()))


async def _confirm(socket: ClientConnection, part: Frame) -> None:
    await socket.send(json.dumps({"type": "ack", "id": part["id"]}))


async def converse(client: Client) -> None:
    """Talk until the end of input, across restarts of the gateway: what was not accepted is sent again."""
    print("Talk to Lar. /help lists the commands; Ctrl-D ends.")
    await _Talk(client).run()


class _Talk:
    """A conversation at a terminal. `_unsent` holds what was said and not accepted yet, by its id."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._screen = _Screen()
        self._unsent: dict[str, str] = {}
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._talking = True
        self._last = ""

    async def run(self) -> None:
        """Connect, again and again, until the input ends."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=_read_lines, args=(loop, self._lines), daemon=True).start()
        while self._talking:
            try:
                async with self._client.connect() as socket:
                    await self._connected(socket)
            except (WebSocketException, OSError):
                self._screen.line("(no connection to the gateway; trying again)")
                with contextlib.suppress(TimeoutError):
                    self._typed(await asyncio.wait_for(self._lines.get(), RECONNECT_SECONDS))

    async def _connected(self, socket: ClientConnection) -> None:
        """Talk over one connection, until it is lost or the input ends."""
        await _hello(socket, self._client, self._last)
        for key, text in self._unsent.items():
            await _say(socket, key, text)
        listening = asyncio.ensure_future(self._listen(socket))
        try:
            while self._talking:
                typing = asyncio.ensure_future(self._lines.get())
                await asyncio.wait({typing, listening}, return_when=asyncio.FIRST_COMPLETED)
                if not typing.done():
                    typing.cancel()
                    return listening.result()
                key = self._typed(typing.result())
                if key:
                    await _say(socket, key, self._unsent[key])
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _typed(self, text: str | None) -> str:
        """Keep what was typed until it is accepted: the id of the message, empty if there is none to send."""
        if text is None:
            self._talking = False
        if not text or not text.strip():
            return ""
        key = uuid4().hex
        self._unsent[key] = text
        return key

    async def _listen(self, socket: ClientConnection) -> None:
        """Show what arrives until the connection is lost."""
        while True:
            frame = await _receive(socket)
            match frame.get("type"):
                case "accepted":
                    self._unsent.pop(str(frame.get("id")), None)
                case "error" | "delayed":
                    self._screen.line(f"({printable(str(frame.get('message')))})")
                case "typing":
                    self._screen.passing("…")
                case "preview":
                    self._screen.passing(printable(str(frame.get("text", ""))))
                case "part":
                    if frame["id"] != self._last:
                        self._screen.line(self._client.text_of(frame))
                        self._last = str(frame["id"])
                    await _confirm(socket, frame)
                case _:
                    continue


class _Screen:
    """A terminal on which answers arrive while somebody types."""

    def __init__(self) -> None:
        self._tty = sys.stdout.isatty()

    def line(self, text: str) -> None:
        """Print for good, above the prompt."""
        print(f"\r\x1b[K{text}\n> " if self._tty else text, end="" if self._tty else "\n", flush=True)

    def passing(self, text: str) -> None:
        """Show the end of a text in the place of the prompt, until something is printed."""
        if self._tty:
            room = shutil.get_terminal_size().columns - 3
            print(f"\r\x1b[K{' '.join(text.split())[-room:]}", end="", flush=True)


def _read_lines(loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[str | None]") -> None:
    """In a thread of its own, for input cannot be awaited."""

    def put(line: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: we are leaving
            loop.call_soon_threadsafe(lines.put_nowait, line)

    while True:
        try:
            put(input("> "))
        except (EOFError, OSError):
            put(None)
            return
