"""The only way out of a browser: a proxy that judges every connection and goes only where the guard says.

Pages, scripts, pictures, frames, redirects and WebSockets all come through here, so that none of them reaches inside,
whatever a name's address is by the time it is asked for.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from lar.errors import ConfigError, ToolError
from lar.tools.outside import Outside, Pinned, spelling

REFUSED = 599
"""The status of what is refused here, which no server sends."""

_HEAD, _CONNECTS, _PATIENCE = 65_536, 10.0, 120.0
MOST_CONNECTIONS, _MOST_REFUSALS = 256, 20
_OURS = ("proxy-", "connection:", "keep-alive:")


_OF_THE_VENDOR = re.compile(
    r"(update|content-autofill|optimizationguide-pa|safebrowsing|clientservices|passwordsleakcheck-pa)\.googleapis\.com|"
    r"(edgedl\.me|redirector)\.gvt1\.com|clients[0-9]?\.google\.com|accounts\.invalid"
)
"""What Chromium asks its maker of its own accord, which nobody here wants, nor wants to read about."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a browser may go. `only`: one service of the owner's, and nothing else; None: all that is public.

    `domains`: with all below them; empty: any.
    """

    domains: Sequence[str] = ()
    plain: bool = True
    only: tuple[str, int] | None = None


class WayOut:
    """Listens on a socket in a folder, for one browser."""

    def __init__(self, outside: Outside, limits: Limits) -> None:
        self._outside = outside
        self._limits = limits
        self._domains = tuple(map(_domain, limits.domains))
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.refusals: list[str] = []
        """What was refused since somebody last looked, and why; the oldest first."""

    async def listen(self, path: Path) -> None:
        """Begin to let through."""
        self._server = await asyncio.start_unix_server(self._serve, str(path), limit=_HEAD)
        await asyncio.to_thread(path.chmod, 0o666)  # whoever is walled in; nobody else can guess the folder

    async def close(self) -> None:
        """Let nothing through any more."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def judge(self, host: str, port: int, *, encrypted: bool) -> Pinned:
        """Where this may be reached.

        Raises:
            ToolError: it may not.

        """
        name = spelling(host)
        if _OF_THE_VENDOR.fullmatch(name):
            raise ToolError(f"{name} is asked by the browser itself.")
        if self._limits.only is not None and (name, port) != self._limits.only:
            raise ToolError(f"{name} is not reached from a page of {self._limits.only[0]} on the local network.")
        if not encrypted and not self._limits.plain:
            raise ToolError("Pages without encryption are switched off (tools.browser.allow_http).")
        if self._domains and not any(f".{name}".endswith(f".{domain}") for domain in self._domains):
            raise ToolError(f"{name} is none of the domains the browser may reach (tools.browser.allowed_domains).")
        pinned = await self._outside.resolve(name, port)
        if pinned.inside and self._limits.only is None:
            raise ToolError(f"{name} is on the local network, and is only reached when it is navigated to itself.")
        return pinned

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= MOST_CONNECTIONS:
            writer.close()
            return
        self._open.add(task)
        try:
            await self._let_through(reader, writer)
        except (ConnectionError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _let_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_PATIENCE):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
        request, *fields = head[:-4].split("\r\n")
        method, target, _ = request.split(" ", 2)
        tunnel = method == "CONNECT"
        url = URL(f"https://{target}" if tunnel else target, encoded=True)
        try:
            pinned = await self.judge(url.raw_host or "", url.port or 0, encrypted=tunnel)
            far_reader, far_writer = await _connected(pinned)
        except ToolError as error:
            self._refuse(writer, url, str(error))
            await writer.drain()
            return
        try:
            if tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await _both(reader, writer, far_reader, far_writer)
            else:
                far_writer.write(_plain_head(method, url, fields))
                await _exchange(reader, writer, far_reader, far_writer, _length(fields))
        finally:
            far_writer.close()

    def _refuse(self, writer: asyncio.StreamWriter, url: URL, why: str) -> None:
        if not _OF_THE_VENDOR.fullmatch(url.raw_host or ""):
            self.refusals.append(why)
            del self.refusals[:-_MOST_REFUSALS]
        body = why.encode()
        writer.write(f"HTTP/1.1 {REFUSED} Refused\r\n".encode())
        writer.write(b"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n")
        writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _domain(text: str) -> str:
    try:
        return spelling(text)
    except ToolError as error:
        raise ConfigError(f"tools.browser.allowed_domains: {error}") from None


async def _connected(pinned: Pinned) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first of the judged addresses that answers.

    Raises:
        ToolError: none does.

    """
    for address in pinned.addresses:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CONNECTS):
                return await asyncio.open_connection(address, pinned.port)
    raise ToolError(f"{pinned.host} does not answer on port {pinned.port}.")


def _plain_head(method: str, url: URL, fields: Sequence[str]) -> bytes:
    """The head as the server itself wants it. One request a connection: the next one may be for somebody else."""
    kept = [field for field in fields if not field.lower().startswith((*_OURS, "host:"))]
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}", *kept, "Connection: close"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin1")


def _length(fields: Sequence[str]) -> int:
    """Bytes of the body that follow; browsers say it, and a body without it is not let through."""
    said = [field.partition(":")[2] for field in fields if field.lower().startswith("content-length:")]
    return int(said[0]) if said else 0


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
    length: int,
) -> None:
    """One request and its answer; whatever the browser says after its body is not handed on."""

    async def ask() -> None:
        left = length
        while left and (chunk := await reader.read(min(left, _HEAD))):
            left -= len(chunk)
            far_writer.write(chunk)
            await far_writer.drain()
        await reader.read(1)

    await _first(asyncio.ensure_future(ask()), asyncio.ensure_future(_pump(far_reader, writer)))


async def _both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    await _first(asyncio.ensure_future(_pump(reader, far_writer)), asyncio.ensure_future(_pump(far_reader, writer)))


async def _first(*ways: "asyncio.Future[None]") -> None:
    """Until one side has nothing more to say."""
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_HEAD):
        writer.write(chunk)
        await writer.drain()
