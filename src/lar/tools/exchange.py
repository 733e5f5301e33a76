"""One HTTP request and its answer: every hop guarded, every size and time bounded, nothing of ours sent along.

No proxy, cookie, netrc entry or stored connection takes part. Redirects are followed here, so that each one passes the
guard, and so that what was meant for one host is not handed to another.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

import certifi
from yarl import URL

from lar.domain.bytesize import format_bytes
from lar.errors import ToolError
from lar.tools.outside import Outside, Pinned, spelling

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from aiohttp.abc import AbstractResolver

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_SEE_OTHER, _KEEP_METHOD = 303, frozenset({307, 308})
_HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
_OF_THE_BODY = frozenset({"content-type", "content-encoding", "content-language"})
_LONGEST_URL = 8_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. `url` is as `address` gives it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `url` is where it came from after redirects; the names in `headers` are in lower case.

    `complete` is false where the answer was longer than what may be read. `note` says which redirect was not
    followed, and why.
    """

    status: int
    reason: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True
    note: str = ""


def address(text: str) -> str:
    """A web address in its one spelling.

    Raises:
        ToolError: it is none, or not one for the web.

    """
    if len(text) > _LONGEST_URL:
        raise ToolError(f"The address is longer than {_LONGEST_URL} characters.")
    try:
        url = URL(text.strip())
        host, port = url.raw_host, url.explicit_port
    except ValueError as error:
        raise ToolError(f"{text[:200]!r} is not an address: {error}.") from None
    if url.scheme not in {"http", "https"}:
        raise ToolError(f"Only http and https are fetched, not {url.scheme or 'an address without them'!r}.")
    if not host:
        raise ToolError(f"{text[:200]!r} names no host. Write it like https://example.org/page.")
    if url.raw_user is not None or url.raw_password is not None:
        raise ToolError("An address with a user name or password in it is not fetched: send an Authorization header.")
    return str(url.with_host(spelling(host)).with_port(port).with_fragment(None))


def trusted() -> ssl.SSLContext:
    """Whom to trust: the system's authorities and, as small systems have none, certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Exchange:
    """Asks, with one limit of time for a request and all its redirects."""

    def __init__(
        self,
        outside: Outside,
        *,
        seconds: float,
        max_bytes: int,
        trust: Callable[[], ssl.SSLContext] = trusted,
    ) -> None:
        self._outside = outside
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._trust = trust
        self._context: ssl.SSLContext | None = None

    async def ask(self, wanted: Wanted) -> Answer:
        """The answer to a request, whatever its status.

        Raises:
            ToolError: the address is closed, or no whole answer came in time.

        """
        aiohttp = await asyncio.to_thread(import_module, "aiohttp")  # at its first use, off the loop
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(wanted)
        except TimeoutError:
            raise ToolError(f"{URL(wanted.url).host} took longer than {self._seconds:g} seconds.") from None
        except aiohttp.ClientConnectionError as error:
            raise ToolError(f"The connection to {URL(wanted.url).host} failed: {str(error)[:300]}.") from None
        except aiohttp.ClientError:  # its text would be the server's, told to the model without saying so
            raise ToolError(f"What {URL(wanted.url).host} sent is no proper answer.") from None

    async def _follow(self, wanted: Wanted) -> Answer:
        pinned = await self._pin(wanted)
        followed = 0
        while True:
            answer = await self._once(wanted, pinned)
            target = answer.headers.get("location", "") if answer.status in _REDIRECTS else ""
            if not target:
                return answer
            try:
                wanted, pinned = await self._hop(wanted, answer.status, target, followed)
            except ToolError as error:
                return replace(answer, note=f"It redirects to {target[:500]}, which was not followed: {error}")
            followed += 1

    async def _hop(self, wanted: Wanted, status: int, target: str, followed: int) -> tuple[Wanted, Pinned]:
        if followed == _MOST_REDIRECTS:
            raise ToolError(f"there were {_MOST_REDIRECTS} redirects before this one.")
        following = _redirected(wanted, status, target)
        pinned = await self._pin(following)
        if pinned.inside and not _same_origin(wanted, following):
            raise ToolError("a service on the local network is only reached when it is asked for itself.")
        return following, pinned

    async def _pin(self, wanted: Wanted) -> Pinned:
        url = URL(wanted.url)
        return await self._outside.resolve(url.raw_host or "", url.port or 0)

    async def _once(self, wanted: Wanted, pinned: Pinned) -> Answer:
        import aiohttp

        url = URL(wanted.url)
        connector = aiohttp.TCPConnector(
            resolver=_resolver(pinned), use_dns_cache=False, force_close=True, ssl=await self._tls(url) or True
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as session,
            session.request(
                wanted.method,
                url,
                headers={"Accept-Encoding": "gzip, deflate", **wanted.headers},
                data=wanted.body or None,
                allow_redirects=False,
            ) as answer,
        ):
            body, complete = await self._read(answer)
            answer.close()  # what was not read to its end is hung up
        headers = {name.lower(): _clean(value) for name, value in answer.headers.items()}
        return Answer(answer.status, _clean(answer.reason or ""), wanted.url, headers, body, complete)

    async def _tls(self, url: URL) -> ssl.SSLContext | None:
        if url.scheme == "https" and self._context is None:
            self._context = await asyncio.to_thread(self._trust)
        return self._context if url.scheme == "https" else None

    async def _read(self, answer: "ClientResponse") -> tuple[bytes, bool]:
        """The body, unpacked, and whether it is all of it."""
        unpack = unpacking(answer.headers.get("Content-Encoding", ""))
        return await read_capped(answer.content.iter_any(), unpack, self._max_bytes)


async def read_capped(
    chunks: AsyncIterable[bytes], unpack: Callable[[bytes, int], bytes], most: int
) -> tuple[bytes, bool]:
    """At most so many bytes, packed and unpacked, and whether they are all.

    Raises:
        ToolError: they are not packed as it is said.

    """
    body, taken = bytearray(), 0
    async for chunk in chunks:
        taken += len(chunk)
        try:
            body += unpack(chunk, most + 1 - len(body))
        except zlib.error:
            raise ToolError("The answer cannot be unpacked.") from None
        if len(body) > most or taken > most:
            return bytes(body[:most]), False
    return bytes(body), True


def _redirected(wanted: Wanted, status: int, target: str) -> Wanted:
    """What is asked next.

    Raises:
        ToolError: that is no web address, or would hand to another host what was not meant for it.

    """
    try:
        following = replace(wanted, url=address(str(URL(wanted.url).join(URL(target)))))
    except ValueError:
        raise ToolError("it is no address.") from None
    same = _same_origin(wanted, following)
    headers = {name: value for name, value in wanted.headers.items() if same or name.lower() in _HARMLESS}
    becomes_get = status == _SEE_OTHER or (status not in _KEEP_METHOD and wanted.method == "POST")
    if becomes_get and wanted.method != "HEAD":
        headers = {name: value for name, value in headers.items() if name.lower() not in _OF_THE_BODY}
        return Wanted("GET", following.url, headers)
    if not same and (wanted.body or wanted.method not in {"GET", "HEAD"}):
        raise ToolError("what was meant for one host is not sent to another.")
    return replace(following, headers=headers)


def _same_origin(one: Wanted, other: Wanted) -> bool:
    return URL(one.url).origin() == URL(other.url).origin()


def _resolver(pinned: Pinned) -> "AbstractResolver":
    """Knows one host, at the addresses that were judged, and asks nobody."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Known(AbstractResolver):
        async def resolve(
            self,
            host: str,
            port: int = 0,
            family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  # aiohttp's name for it
        ) -> list[ResolveResult]:
            if host != pinned.host:
                raise OSError(f"{host} was not judged")
            return [
                ResolveResult(
                    hostname=host,
                    host=each,
                    port=port,
                    family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                    proto=0,
                    flags=socket.AI_NUMERICHOST,
                )
                for each in pinned.addresses
            ]

        async def close(self) -> None:
            pass

    return Known()


def unpacking(encoding: str) -> Callable[[bytes, int], bytes]:
    """Unpacks a piece after the other, giving at most so many bytes for each; what is over is not kept.

    Raises:
        ToolError: the packing is none we asked for.

    """
    match encoding.strip().lower():
        case "" | "identity":
            return lambda data, most: data[:most]
        case "gzip" | "x-gzip":
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
        case "deflate":
            return _Deflate()
        case _:
            raise ToolError("The answer is packed in a way that was not asked for.")


class _Deflate:
    """`deflate` with the header the standard asks for, or without, as some servers send it."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj()
        self._begun = False

    def __call__(self, data: bytes, most: int) -> bytes:
        try:
            unpacked = self._unpack.decompress(data, most)
        except zlib.error:
            if self._begun:
                raise
            self._unpack = zlib.decompressobj(-zlib.MAX_WBITS)
            unpacked = self._unpack.decompress(data, most)
        self._begun = True
        return unpacked


def _clean(text: str) -> str:
    """Without what is no character: a header may hold any bytes."""
    return text.encode("utf-8", "replace").decode()


def too_long(most: int) -> str:
    """What is said of an answer that was not read to its end."""
    return f"[The answer is longer than {format_bytes(most)}; the rest was not read.]"
