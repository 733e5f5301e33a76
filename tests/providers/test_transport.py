"""The connections to a model server: what fails is said in httpx2's words, so that it is explained rightly."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from aiohttp import web

from lar.providers.openai_sdk import Chunk
from lar.providers.transport import AiohttpTransport

PATIENCE = httpx2.Timeout(0.3)


@asynccontextmanager
async def asked(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of a server that answers everything with `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE, transport=AiohttpTransport(4)) as client:
            yield client
    finally:
        await runner.cleanup()


async def test_an_answer_arrives_whole() -> None:
    """Status, headers and body are the server's, and the request is what was built."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=418, headers={"x-said": request.headers["x-say"]}, body=await request.read())

    async with asked(echo) as client:
        answer = await client.post("/v1/chat?a=%2Fb", json={"a": "ü"}, headers={"x-say": "hello"})
    assert (answer.status_code, answer.headers["x-said"], answer.json()) == (418, "hello", {"a": "ü"})


async def test_nobody_listens() -> None:
    """A server that is not there is a failed connection, not a slow one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with httpx2.AsyncClient(timeout=PATIENCE, transport=AiohttpTransport(4)) as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get(url)


async def test_silence_is_a_timeout() -> None:
    """A server that stays silent before its answer, or within it, was too slow."""
    forever = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if request.path == "/within":
            await answer.prepare(request)
            await answer.write(b"data: ")
        await forever.wait()
        return answer

    async with asked(silent) as client:
        for path in ("/before", "/within"):
            with pytest.raises(httpx2.ReadTimeout):
                await client.get(path)
        forever.set()


async def test_a_broken_answer_is_a_broken_connection() -> None:
    """A connection that closes before the answer, or within it, is a failed connection."""

    async def broken(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-length": "100"})
        if request.path == "/within":
            await answer.prepare(request)
            await answer.write(b"data: ")
        assert request.transport is not None
        request.transport.close()
        return answer

    async with asked(broken) as client:
        for path in ("/before", "/within"):
            with pytest.raises(httpx2.ReadError):
                await client.get(path)


async def test_a_stream_that_is_closed_is_hung_up() -> None:
    """Closing an answer before its end closes the connection, so that the model stops writing."""
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"word ")
                await asyncio.sleep(0)
        finally:
            gone.set()

    async with asked(endless) as client, asyncio.timeout(10):
        async with client.stream("GET", "/") as answer:
            await anext(answer.aiter_bytes())
        await gone.wait()


@pytest.mark.parametrize(
    "data",
    [
        {"id": "1", "created": 1, "model": "m", "object": "chat.completion.chunk", "choices": [], "more": 1},
        {"id": None, "choices": [{"delta": {"content": "x"}, "finish_reason": "a new reason"}]},
    ],
)
def test_a_chunk_that_is_not_as_documented_is_read_too(data: dict[str, object]) -> None:
    """Servers leave out fields and invent reasons; their chunks are read as the SDK reads them."""
    chunk = Chunk.build(response=None, data=data)
    assert chunk.id == data["id"]
    assert [choice.delta.content for choice in chunk.choices] == ["x"] * len(chunk.choices)
    assert chunk.model_dump(exclude_unset=True) == data
