"""A server that is an address: streamable HTTP, with its own headers and no more than was agreed. Imports mcp."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from lar.tools.mcp.line import Address, Line

SECONDS_TO_CONNECT, SECONDS_OF_SILENCE = 20.0, 3600.0
"""A stream of notices may be silent for long; each call has a limit of its own."""


class TooLarge(httpx2.StreamError):
    """The answer is larger than what may be sent."""


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise TooLarge("its answer is larger than max_result")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def reached(address: Address, line: Line) -> AsyncGenerator[Any]:
    """A transport of the MCP library over HTTP."""

    async def bound(response: httpx2.Response) -> None:
        if response.is_error:
            line.status = response.status_code
        if "text/event-stream" not in response.headers.get("content-type", ""):  # its events are bounded one by one
            response.stream = _Bounded(response.stream, address.longest)  # pyright: ignore[reportArgumentType]  # of an async client

    timeout = httpx2.Timeout(SECONDS_TO_CONNECT, read=SECONDS_OF_SILENCE)
    async with (
        httpx2.AsyncClient(headers=dict(address.headers), timeout=timeout, event_hooks={"response": [bound]}) as client,
        streamable_http_client(address.url, http_client=client, max_sse_event_size=address.longest) as streams,
    ):
        yield streams
