"""httpx2's requests over aiohttp's connections: a third of the CPU. Imports both: for use by a provider's client."""

from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

import aiohttp
import httpx2
from yarl import URL

_CONNECT_SECONDS = 10.0
_CONNECTIONS = 512


def open_http(silence: float) -> httpx2.AsyncClient:
    """A client with its own pool of connections; a server may be silent for so many seconds, between any bytes."""
    timeout = httpx2.Timeout(silence, connect=min(_CONNECT_SECONDS, silence))
    return httpx2.AsyncClient(timeout=timeout, transport=AiohttpTransport(_CONNECTIONS))


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Up to `connections` at once, opened at the first use. Behind a proxy httpx2 uses its own transport instead."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._opened: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Make one request; its failures are httpx2's."""
        seconds: dict[str, float | None] = request.extensions.get("timeout", {})
        timeout = aiohttp.ClientTimeout(
            connect=seconds.get("pool"), sock_connect=seconds.get("connect"), sock_read=seconds.get("read")
        )
        with _explained():
            answer = await self._session(request.url).request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread(),
                timeout=timeout,
                allow_redirects=False,
            )
        return httpx2.Response(
            answer.status,
            headers=answer.raw_headers,
            stream=_Body(answer),
            request=request,
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    def _session(self, url: httpx2.URL) -> aiohttp.ClientSession:
        if self._opened is None:
            trusted = httpx2.create_ssl_context() if url.scheme == "https" else True
            connector = aiohttp.TCPConnector(limit=self._connections, ssl=trusted)
            self._opened = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._opened


class _Body(httpx2.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        with _explained():
            async for chunk in self._answer.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        self._answer.close()  # what was not read to its end is hung up


@contextmanager
def _explained() -> Generator[None]:
    """Say aiohttp's failures in httpx2's words."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx2.ConnectTimeout(str(error)) from error
    except TimeoutError as error:
        raise httpx2.ReadTimeout(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx2.ConnectError(str(error)) from error
    except aiohttp.InvalidURL as error:
        raise httpx2.UnsupportedProtocol(str(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx2.ReadError(f"{type(error).__name__}: {error}") from error
