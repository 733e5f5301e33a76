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
from websockets.exceptions import ConnectionClosed

from lar.channels.terminal.manifest import ACCOUNT, NAME
from lar.cli.context import call_gateway
from lar.cli.table import printable
from lar.errors import LarError
from lar.operations.home import Running

Frame = dict[str, Any]

LOOK_SECONDS = 0.2
"""How often it is asked whether the answer is complete, once nothing arrives any more."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whom to talk to, and as whom. `files` is where the files lie that parts name."""

    running: Running
    token: str
    name: str
    files: Path

    def connect(self) -> connect:
        """A connection to the gateway; iterating over it reconnects for ever."""
        return connect(
            f"{self.running.url.replace('http', 'ws', 1)}/ws",
            additional_headers={"Authorization": f"Bearer {self.token}"},
            max_size=None,
            proxy=None,
        )

    def idle(self) -> bool:
        """Whether everything was answered and delivered."""
        where = {"channel": NAME, "account": ACCOUNT, "chat": self.name}
        return bool(call_gateway(self.running, self.token, "conversation/idle", where)["idle"])

    def text_of(self, part: Frame) -> str:
        """A part as it is printed."""
        file = cast("Frame | None", part.get("file"))
        lines = [str(part.get("text", "")), *([f"[file: {self.files / str(file['path'])}]"] if file else [])]
        return printable("\n".join(filter(None, lines)))


async def say_once(client: Client, message: str, timeout: float) -> None:  # noqa: ASYNC109  # the operator's, in words
    """Say something, print every part of the answer, and return when it is complete.

    Raises:
        LarError: the gateway refused the message or went away, or the answer took too long.

    """
    try:
        async with asyncio.timeout(timeout), client.connect() as socket:
            await _hello(socket, client, "")
            await socket.send(json.dumps({"type": "message", "id": uuid4().hex, "text": message}))
            await _print_answer(socket, client)
    except TimeoutError:
        raise LarError(f"no complete answer within {timeout:g} s; it will be there in the next `lar chat`") from None
    except (ConnectionClosed, OSError) as error:
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


async def _receive(socket: ClientConnection) -> Frame:
    return cast("Frame", json.loads(await socket.recv()))


async def _confirm(socket: ClientConnection, part: Frame) -> None:
    await socket.send(json.dumps({"type": "ack", "id": part["id"]}))


async def converse(client: Client) -> None:
    """Talk until the end of input, across restarts of the gateway: what was not accepted is sent again."""
    screen = _Screen()
    unsent: dict[str, str] = {}
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read_lines, args=(loop, lines), daemon=True).start()
    print("Talk to Lar. /help lists the commands; Ctrl-D ends.")
    last, talking = "", True
    async for socket in client.connect():
        try:
            await _hello(socket, client, last)
            for key, text in unsent.items():
                await socket.send(json.dumps({"type": "message", "id": key, "text": text}))
            listening = asyncio.ensure_future(_listen(socket, client, screen, unsent))
            try:
                talking = await _speak(socket, lines, unsent, listening)
            finally:
                listening.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                    await listening
        except ConnectionClosed:
            screen.line("(the connection is lost; trying again)")
        last = screen.last
        if not talking:
            return


async def _speak(
    socket: ClientConnection,
    lines: "asyncio.Queue[str | None]",
    unsent: dict[str, str],
    listening: "asyncio.Future[None]",
) -> bool:
    """Send what is typed; False at the end of input. Raises ConnectionClosed when the gateway went away."""
    while True:
        typed = asyncio.ensure_future(lines.get())
        await asyncio.wait({typed, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not typed.done():
            typed.cancel()
            listening.result()
        text = await typed
        if text is None:
            return False
        if text.strip():
            key = uuid4().hex
            unsent[key] = text
            await socket.send(json.dumps({"type": "message", "id": key, "text": text}))


async def _listen(socket: ClientConnection, client: Client, screen: "_Screen", unsent: dict[str, str]) -> None:
    """Show what arrives until the connection is lost."""
    while True:
        frame = await _receive(socket)
        match frame.get("type"):
            case "accepted":
                unsent.pop(str(frame.get("id")), None)
            case "error" | "delayed":
                screen.line(f"({printable(str(frame.get('message')))})")
            case "typing":
                screen.passing("…")
            case "preview":
                screen.passing(printable(str(frame.get("text", ""))))
            case "part":
                if frame["id"] != screen.last:
                    screen.line(client.text_of(frame))
                    screen.last = str(frame["id"])
                await _confirm(socket, frame)
            case _:
                continue


class _Screen:
    """A terminal on which answers arrive while somebody types. `last` is the id of the last part shown."""

    def __init__(self) -> None:
        self.last = ""
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
