"""A web server of a test's own that sends exactly the bytes it is told to, and a guard that lets tests reach it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace

from lar.tools.outside import Outside, Pinned, Resolver
from lar.tools.settings import NetworkSettings

PUBLIC = "93.184.216.34"

Sends = bytes | Callable[[], AsyncIterable[bytes]]


def page(body: bytes | str, kind: str = "text/html; charset=utf-8", status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer."""
    content = body if isinstance(body, bytes) else body.encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    said = f"Content-Type: {kind}\r\n" if kind else ""
    return f"HTTP/1.1 {status}\r\n{said}Content-Length: {len(content)}\r\n{more}\r\n".encode() + content


def redirect(target: str, status: int = 302) -> bytes:
    """An answer that points elsewhere."""
    return page("moved", status=f"{status} Moved", Location=target)


@dataclass
class Site:
    """What it answers by path, and what it was asked: heads and bodies."""

    port: int = 0
    answers: dict[str, Sends] = field(default_factory=dict[str, Sends])
    asked: list[str] = field(default_factory=list[str])
    serving: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody asks."""
        task = asyncio.create_task(self._serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            self.asked.append(head + body.decode())
            sends = self.answers.get(head.split(" ")[1], page("not here", status="404 Not Found"))
            if isinstance(sends, bytes) and head.startswith("HEAD"):
                sends = sends.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            if isinstance(sends, bytes):
                writer.write(sends)
                await writer.drain()
            else:
                async for piece in sends():
                    writer.write(piece)
                    await writer.drain()


@asynccontextmanager
async def site() -> AsyncGenerator[Site]:
    """A site while the block runs."""
    here = Site()
    server = await asyncio.start_server(here.come, "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
        for task in here.serving:
            task.cancel()
        await asyncio.gather(*here.serving, return_exceptions=True)


class Elsewhere(Outside):
    """The guard, judging what DNS says; whoever may be reached is then found on this machine."""

    async def resolve(self, host: str, port: int) -> Pinned:
        """As the guard says, at this machine's address."""
        return replace(await super().resolve(host, port), addresses=("127.0.0.1",))


def elsewhere(*allowed: str, resolve: Resolver | None = None) -> Elsewhere:
    """A guard for which every name is public, unless told otherwise."""
    public: Callable[[str, int], Awaitable[list[str]]] = lambda _host, _port: asyncio.sleep(0, [PUBLIC])  # noqa: E731  # as short as what it does
    return Elsewhere(NetworkSettings(allowed_hosts=allowed), resolve or public, list)
