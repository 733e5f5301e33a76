"""The proxy that is a browser's only way out, spoken to as a browser would, and as one would not."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from web_site import Site, elsewhere, page, site

from lar.errors import ConfigError, ToolError
from lar.tools.browser import way_out
from lar.tools.browser.way_out import REFUSED, Limits, WayOut

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def opened(folder: Path, limits: Limits | None = None) -> AsyncGenerator[tuple[WayOut, Path, Site]]:
    """A way out, its socket, and a site of this machine."""
    out, path = WayOut(elsewhere(), limits or Limits()), folder / "web"
    async with site() as web:
        web.answers["/p?q=%2F"] = page("fine")
        await out.listen(path)
        try:
            yield out, path, web
        finally:
            await out.close()


async def said(path: Path, *texts: str) -> str:
    """All that comes back."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    for text in texts:
        writer.write(text.encode())
        await writer.drain()
    answer = (await asyncio.wait_for(reader.read(), 20)).decode()
    writer.close()
    return answer


async def test_a_plain_request(tmp_path: Path) -> None:
    """R-TO-5: a request goes to its server as the browser meant it, without what was meant for the proxy."""
    async with opened(tmp_path) as (_, path, web):
        head = f"GET http://example.org:{web.port}/p?q=%2F HTTP/1.1\r\nHost: other.example\r\n"
        assert (await said(path, f"{head}Proxy-Connection: x\r\nA: b\r\n\r\n")).endswith("\r\n\r\nfine")
        [asked] = web.asked
        assert asked == (f"GET /p?q=%2F HTTP/1.1\r\nHost: example.org:{web.port}\r\nA: b\r\nConnection: close\r\n\r\n")


async def test_a_body_and_nothing_behind_it(tmp_path: Path) -> None:
    """R-TO-5: a second request on the line of the first, which may be for somebody else, does not reach its server."""
    async with opened(tmp_path) as (_, path, web):
        head = f"POST http://example.org:{web.port}/p HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
        await said(path, head, "GET http://inside.example/ HTTP/1.1\r\n\r\n")
        assert len(web.asked) <= 1
        assert all(asked.endswith("\r\n\r\nbody") for asked in web.asked)


async def test_a_tunnel(tmp_path: Path) -> None:
    """R-TO-5: what is encrypted goes through as it is, once it was judged."""
    async with opened(tmp_path) as (_, path, web):
        tunnel = f"CONNECT example.org:{web.port} HTTP/1.1\r\n\r\n"
        answer = await said(path, tunnel, "GET /p?q=%2F HTTP/1.1\r\n\r\n")
        assert answer.startswith("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")
        assert answer.endswith("fine")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("GET http://10.0.0.1/", "closed to tools"),
        ("GET http://169.254.169.254/", "never reached"),
        ("CONNECT 127.0.0.1:443", "closed to tools"),
        ("CONNECT [::1]:443", "closed to tools"),
        ("CONNECT example.org:22", "not for the web"),
        ("CONNECT other.example:443", "none of the domains"),
        ("GET http://2130706433/", "not an address"),
        ("GET /nowhere", "not a host name"),
        ("CONNECT example.org:1", "not for the web"),
    ],
)
async def test_what_is_refused(tmp_path: Path, target: str, why: str) -> None:
    """R-TO-5: each connection is judged by the guard, and a refusal says why, to the page and to the person."""
    limits = Limits(domains=("example.org",)) if "other" in target else None
    async with opened(tmp_path, limits) as (out, path, _):
        answer = await said(path, f"{target} HTTP/1.1\r\n\r\n")
        assert answer.startswith(f"HTTP/1.1 {REFUSED} Refused\r\n")
        assert why in answer
        assert why in out.refusals[0]


async def test_the_makers_questions(tmp_path: Path) -> None:
    """R-TO-5: what Chromium asks its maker by itself does not leave, and is not told as a refusal of the page's."""
    async with opened(tmp_path) as (out, path, _):
        assert "asked by the browser itself" in await said(path, "CONNECT update.googleapis.com:443 HTTP/1.1\r\n\r\n")
        assert out.refusals == []


@pytest.mark.parametrize(
    "odd", ["GET\r\n\r\n", "GET http://[x HTTP/1.1\r\n\r\n", "CONNECT example.org:99999 HTTP/1.1\r\n\r\n", "x" * 70_000]
)
async def test_nonsense(tmp_path: Path, odd: str) -> None:
    """R-TO-5: what is no request is hung up on, and the next one is served."""
    async with opened(tmp_path) as (_, path, web):
        with suppress(ConnectionError):
            assert "fine" not in await said(path, odd)
        assert "fine" in await said(path, f"GET http://example.org:{web.port}/p?q=%2F HTTP/1.1\r\n\r\n")


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """R-TO-5: a server that does not answer is said to be so."""
    async with opened(tmp_path) as (_, path, web):
        gone = web.port
    async with opened(tmp_path) as (_, path, _):
        assert "does not answer" in await said(path, f"CONNECT example.org:{gone} HTTP/1.1\r\n\r\n")


async def test_too_many_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-TO-5: a page that opens connections without end gets no more of them, and closing ends those it has."""
    monkeypatch.setattr(way_out, "MOST_CONNECTIONS", 1)
    async with opened(tmp_path) as (out, path, _):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET ")
        await writer.drain()
        with suppress(ConnectionError):
            assert await said(path, "GET http://example.org/ HTTP/1.1\r\n\r\n") == ""
        await out.close()
        assert await reader.read() == b""
        writer.close()


async def test_one_service_and_nothing_else() -> None:
    """R-TO-5: a browser for a service of the own network reaches that one; one for the public web reaches none."""
    guard = elsewhere("10.0.0.5:8080")
    mine = WayOut(guard, Limits(only=("10.0.0.5", 8080)))
    assert (await mine.judge("10.0.0.5", 8080, encrypted=False)).inside
    with pytest.raises(ToolError, match="not reached from a page of"):
        await mine.judge("example.org", 443, encrypted=True)
    with pytest.raises(ToolError, match="only reached when it is navigated to"):
        await WayOut(guard, Limits()).judge("10.0.0.5", 8080, encrypted=False)
    await mine.close()
    with pytest.raises(ConfigError, match="allowed_domains"):
        WayOut(guard, Limits(domains=("not a host",)))
