"""A server that is an address: the library's own server over streamable HTTP on this machine."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from lar.errors import ToolError
from lar.testing.mcp import McpBench, use


@dataclass
class There:
    """What the server saw and did."""

    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    calls: list[str] = field(default_factory=list[str])
    ended: list[str] = field(default_factory=list[str])


def application(there: There, *, plain: bool) -> ASGIApp:
    """The library's server with a few tools."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("there")

    @server.tool()
    async def echo(text: str) -> str:
        """Say it again."""
        there.calls.append(text)
        return text

    @server.tool()
    async def fail(text: str) -> str:
        """Fail."""
        raise ValueError(text)

    @server.tool()
    async def wait(text: str) -> str:
        """Never answer."""
        there.calls.append("wait")
        try:
            await asyncio.Event().wait()
        finally:
            there.ended.append("wait")
        return text

    @server.tool()
    async def huge(text: str) -> str:
        """Much."""
        return "x" * int(text)

    return server.streamable_http_app(json_response=plain)


class Server(uvicorn.Server):
    """Leaves the signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def serving(there: There, port: int = 0, *, plain: bool = False) -> AsyncGenerator[None]:
    """The server on a port of this machine."""
    inner = application(there, plain=plain)

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            there.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        with suppress(asyncio.CancelledError):
            await inner(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", port))
    there.url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    server = Server(uvicorn.Config(noting, log_config=None, lifespan="on", timeout_graceful_shutdown=0))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await task
        listener.close()


async def test_tools_over_http(bench: McpBench) -> None:
    """R-TO-8: the tools of an address; it is sent the configured headers, and a failure is the tool's own."""
    there = There()
    async with serving(there):
        servers = await bench.open(odd={"url": there.url, "headers": {"Authorization": "Bearer its-own"}})
        servers.begin()
        await bench.until(servers.tools)
        result = await use(servers, "echo", "hello ñ")
        assert (result.text, result.source) == ("hello ñ", "mcp: odd")
        assert {headers.get("authorization") for headers in there.headers} == {"Bearer its-own"}
        with pytest.raises(ToolError, match="Error executing tool fail"):
            await use(servers, "fail", "boom")
        await servers.close()


async def test_time_over_http(bench: McpBench) -> None:
    """R-TO-8: a call that takes too long is over, here and there."""
    there = There()
    async with serving(there):
        servers = await bench.open(odd={"url": there.url, "timeout_seconds": 1})
        servers.begin()
        await bench.until(servers.tools)
        with pytest.raises(ToolError, match="within 1 s"):
            await use(servers, "wait")
        await bench.until(lambda: there.ended == ["wait"])
        assert (await use(servers, "echo", "still here")).text == "still here"
        await servers.close()


@pytest.mark.parametrize("plain", [True, False])
async def test_too_much_over_http(bench: McpBench, plain: bool) -> None:
    """R-TO-8: too large an answer is not read to its end, be it one document or an event of a stream."""
    there = There()
    async with serving(there, plain=plain):
        servers = await bench.open(odd={"url": there.url, "max_result": "100KB"})
        servers.begin()
        await bench.until(servers.tools)
        with pytest.raises(ToolError, match=r"max_result|SSE stream failed"):
            await use(servers, "huge", "1000000")
        assert (await use(servers, "echo", "still here")).text == "still here"
        await servers.close()


async def test_an_address_that_goes_and_comes_back(bench: McpBench) -> None:
    """R-TO-8: a server that is gone in the middle of a call leaves an unknown outcome; it is found again by itself."""
    there = There()
    async with serving(there):
        servers = await bench.open(odd={"url": there.url})
        servers.begin()
        await bench.until(servers.tools)
        call = asyncio.create_task(use(servers, "wait"))
        await bench.until(lambda: there.calls == ["wait"])
    with pytest.raises(ToolError, match="outcome is unknown") as caught:
        await call
    assert caught.value.unknown
    with pytest.raises(ToolError, match="odd"):
        await use(servers, "echo", "nobody there")
    await bench.until(lambda: "does not work" in bench.problems.get("mcp: odd", ""))
    async with serving(there, int(there.url.split(":")[2].split("/")[0])):
        await bench.until(lambda: bench.problems == {})
        assert (await use(servers, "echo", "again")).text == "again"
        await servers.close()
