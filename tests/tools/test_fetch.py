"""The tool that asks the web: what a model gets, what leaves, and what an ill-meaning server can do to Lar."""

import asyncio
import base64
import gzip
import ssl
import subprocess
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from pathlib import Path
from typing import BinaryIO

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from web_site import PUBLIC, Site, elsewhere, page, redirect, site

from ground import Require
from lar.domain.artifact import Artifact
from lar.domain.ids import ConversationId, TurnId
from lar.domain.risk import Deed
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.testing.tool_contract import ToolContract
from lar.testing.turns import ANN
from lar.tools.contract import Tool, ToolContext, ToolResult
from lar.tools.exchange import Exchange, address, read_capped, unpacking
from lar.tools.fetch import http_tool
from lar.tools.outside import Outside
from lar.tools.settings import HttpClientSettings, NetworkSettings

CALLER = ToolContext(ANN, ConversationId(1), TurnId(1), call="1.1")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SETTINGS = HttpClientSettings(timeout_seconds=20, max_bytes=100_000)


@pytest_asyncio.fixture
async def web() -> AsyncGenerator[Site]:
    """A web server."""
    async with site() as here:
        yield here


async def keep(_context: ToolContext, source: BinaryIO, name: str) -> Artifact:
    """Keep nothing, but say so."""
    return Artifact(f"artifacts/1/{name}", name, "image/png", len(source.read()))


def http_request(settings: HttpClientSettings = SETTINGS, outside: Outside | None = None) -> Tool:
    """The tool."""
    return http_tool(settings, outside or elsewhere(), keep)


async def fetch(
    web: Site, path: str = "/", settings: HttpClientSettings = SETTINGS, arguments: JsonObject | None = None
) -> ToolResult:
    """What the tool gives for a page of this site."""
    given = {"url": f"http://example.org:{web.port}{path}", **(arguments or {})}
    return await call(http_request(settings), **given)


async def call(tool: Tool, **arguments: object) -> ToolResult:
    """What the tool gives."""
    return await tool.call(CALLER, tool.parse(arguments))


def told(tool: Tool, **arguments: object) -> tuple[Deed, str, str]:
    """What the gate is told of a call."""
    effect = tool.would(tool.parse(arguments))
    return effect.deed, effect.summary, effect.target


class TestContract(ToolContract):
    """The tool keeps what every tool promises."""

    @pytest.fixture
    def tool(self) -> Tool:
        """The tool."""
        return http_request()

    @pytest.fixture
    def arguments(self, web: Site) -> JsonObject:
        """A page."""
        web.answers["/"] = page("hello", "text/plain")
        return {"url": f"http://example.org:{web.port}/"}


# ---- what a model gets


async def test_a_page_is_markdown(web: Site) -> None:
    """R-TO-2: a page comes as Markdown: no scripts, styles or navigation, links with their whole addresses."""
    web.answers["/a/b"] = page(
        "<!doctype html><html><head><title>The  boiler</title><style>p{}</style></head><body>"
        "<nav><a href=/x>Menu</a></nav><h1>Boiler</h1><p>Code <b>4411</b>, see <a href='../m?x=1#y'>manual</a>"
        "<script>steal()</script> <a href='javascript:steal()'>click</a> <a href='http://[x'>odd</a> "
        "<img src='/p.png' alt='photo'>"
        "<img src='data:image/png;base64,AAAA'></p><ul><li>one</li><li>two</li></ul></body></html>"
    )
    result = await fetch(web, "/a/b")
    base = f"http://example.org:{web.port}"
    assert result.text == (
        f"200 OK text/html {base}/a/b\n\nTitle: The boiler\n\n# Boiler\n\n"
        f"Code **4411**, see [manual]({base}/m?x=1#y) click odd ![photo]({base}/p.png)\n\n- one\n- two"
    )
    assert result.source == "web: example.org"


async def test_a_page_with_a_base(web: Site) -> None:
    """A page may say where its links start; nonsense there is ignored."""
    web.answers["/"] = page("<html><head><base href='https://other.example/d/'></head><a href=p>x</a>")
    web.answers["/odd"] = page("<html><head><base href='javascript:1'></head><a href=p>x</a>")
    assert (await fetch(web)).text.endswith("\n\n[x](https://other.example/d/p)")
    assert (await fetch(web, "/odd")).text.endswith(f"\n\n[x](http://example.org:{web.port}/p)")


async def test_json_is_laid_out(web: Site) -> None:
    """R-TO-2: JSON gets a line for each value; what only says it is JSON, or is too long, comes as it is."""
    web.answers |= {"/j": page('{"a":[1,"é"]}', "application/json"), "/bad": page("{no", "application/vnd.x+json")}
    web.answers["/deep"] = page("[" * 20_000, "application/json")
    assert (await fetch(web, "/j")).text.endswith('{\n "a": [\n  1,\n  "é"\n ]\n}')
    assert (await fetch(web, "/bad")).text.endswith("\n\n{no")
    assert (await fetch(web, "/deep")).text.endswith("[[")


async def test_text_as_it_was_sent(web: Site) -> None:
    """R-TO-2: `response_processing_mode = "none"`, or `raw` for one call, leaves text alone."""
    web.answers |= {"/": page("<html><b>x</b>"), "/j": page('{"a":1}', "application/json")}
    plain = SETTINGS.model_copy(update={"response_processing_mode": "none"})
    assert (await fetch(web, "/", plain)).text.endswith("\n\n<html><b>x</b>")
    assert (await fetch(web, "/j", arguments={"raw": True})).text.endswith('\n\n{"a":1}')


async def test_a_long_text_is_cut(web: Site) -> None:
    """R-TO-2: a model is shown so many characters and told that there is more."""
    web.answers |= {"/t": page("x" * 5_000, "text/plain"), "/h": page(f"<html>{'<p>x</p>' * 5_000}")}
    short = SETTINGS.model_copy(update={"max_chars": 100})
    for path in ("/t", "/h"):
        text = (await fetch(web, path, short)).text
        assert text.endswith("x\n[Cut off here: the text goes on.]") or "x\n\n" in text
        assert len(text) < 250


async def test_an_image_is_shown(web: Site) -> None:
    """R-TO-2: an image is one by its content, whatever it is called, and is handed to the model to look at."""
    web.answers |= {"/cam": page(PNG, "application/octet-stream"), "/": page(b"RIFF1234WEBPVP8 ", "image/webp")}
    result = await fetch(web, "/cam")
    assert result.shown == (Artifact("artifacts/1/cam", "cam", "image/png", len(PNG)),)
    assert f"[An image of {len(PNG)} bytes, shown with this result.]" in result.text
    assert (await fetch(web)).shown[0].name == "image.webp"


async def test_what_is_no_text_is_described(web: Site) -> None:
    """R-TO-2: a binary file is not poured into a prompt."""
    web.answers |= {"/p": page(b"%PDF-1.7\0\xff", "application/pdf"), "/x": page(b"\0\1\2", "")}
    web.answers["/fake"] = page("no image", "image/png")
    assert (await fetch(web, "/p")).text.endswith("\n\n[application/pdf, 10 bytes: this is no text and is not shown.]")
    assert "[No text, 3 bytes" in (await fetch(web, "/x")).text
    fake = await fetch(web, "/fake")
    assert fake.shown == ()
    assert "image/png, 8 bytes" in fake.text


async def test_a_head_and_an_error(web: Site) -> None:
    """A HEAD gives the headers; an error status is an answer; nothing at all is no failure."""
    web.answers |= {"/h": b"HTTP/1.1 200 OK\r\nX-Odd: \xff\xfe\r\nContent-Length: 5\r\n\r\n", "/e": page("", "")}
    assert "x-odd: ??" in (await fetch(web, "/h", arguments={"method": "HEAD"})).text
    assert (await fetch(web, "/missing")).text.startswith("404 Not Found text/html")
    assert (await fetch(web, "/e")).text == f"200 OK http://example.org:{web.port}/e"


@pytest.mark.parametrize(
    ("body", "kind", "seen"),
    [
        ("größe".encode("latin1"), "text/plain; charset=ISO-8859-1", "größe"),
        ("größe €".encode("cp1252"), "text/plain", "größe €"),
        ("größe".encode(), "text/plain", "größe"),
        ("größe".encode(), "text/plain; charset=no-such-thing", "größe"),
        ("größe".encode(), "text/plain; charset=unicode_escape", "größe"),
        ("größe".encode(), "text/plain; charset=idna", "größe"),
        ("größe".encode(), 'text/plain; charset="hex"', "größe"),
        ("größe".encode("utf-16"), "text/plain", "größe"),
        ("größe".encode("utf-8-sig"), "text/plain; charset=latin1", "größe"),
        ("日本".encode("shift_jis"), "text/plain; charset=Shift_JIS", "日本"),
        (b"a\0b", "text/plain", "a\ufffdb"),
        ("größe".encode("latin1"), "text/plain; charset=utf-8", "gr\ufffd\ufffde"),
        (b"+ADw-script+AD4-", "text/plain; charset=utf-7", "+ADw-script+AD4-"),
        ('<html><meta charset="windows-1251">Привет'.encode("cp1251"), "text/html", "Привет"),
        ("grö".encode()[:-1], "text/plain", "gr\ufffd"),
        (b"", "text/plain; charset=..", ""),
    ],
)
async def test_characters(web: Site, body: bytes, kind: str, seen: str) -> None:
    """R-TO-2: characters are read by what the server, the text itself and reason say, in this order, and never fail."""
    web.answers["/"] = page(body, kind)
    assert (await fetch(web)).text.partition("\n\n")[2] == seen


# ---- what leaves


async def test_what_is_sent(web: Site) -> None:
    """R-TO-2: method, headers and body are what the model says, and nothing of this machine's goes along."""
    web.answers["/in"] = page("ok", "text/plain")
    await fetch(web, "/in", arguments={"method": "PUT", "headers": {"Authorization": "Bearer x"}, "body": '{"a": 1}'})
    head, _, body = web.asked[0].partition("\r\n\r\n")
    assert body == '{"a": 1}'
    assert sorted(head.split("\r\n")) == [
        "Accept-Encoding: gzip, deflate",
        "Accept: */*",
        "Authorization: Bearer x",
        "Connection: close",
        "Content-Length: 8",
        "Content-Type: application/json",
        f"Host: example.org:{web.port}",
        "PUT /in HTTP/1.1",
        "User-Agent: Lar",
    ]
    await fetch(web, "/in", arguments={"method": "POST", "body": "free", "headers": {"content-type": "text/x"}})
    assert web.asked[1].lower().count("content-type: text/x") == web.asked[1].lower().count("content-type") == 1


@pytest.mark.parametrize(
    "headers",
    [{"Host": "inside"}, {"Content-Length": "0"}, {"transfer-encoding": "chunked"}, {"Proxy-Authorization": "x"},
     {"X": "a\r\nHost: b"}, {"X\r\n": "a"}, {"X y": "a"}, {"": "a"}, {"X": "a\0"}, {"X": "\u20ac"}, {"X": "a" * 5_000}],
)  # fmt: skip
def test_headers_that_would_change_the_request(headers: dict[str, str]) -> None:
    """R-TO-2: no header smuggles in another request, another host or another length."""
    with pytest.raises(ToolError, match="header"):
        http_request().parse({"url": "http://example.org/", "headers": headers})


def test_a_body_has_a_limit() -> None:
    """A request is no upload of everything."""
    with pytest.raises(ToolError, match="longer than"):
        http_request().parse({"url": "http://example.org/", "method": "POST", "body": "x" * 1_000_001})


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://example.org/x", "data:text/html,x", "ftp://example.org/", "javascript:1", "ws://a/",
     "unix:/run/docker.sock", "//example.org/", "example.org", "http:example.org", "http:///x", "", "https://",
     "http://user@example.org/", "http://:pw@example.org/", "http://example.org\\@evil.example/",
     "http://exa mple.org/",
     "http://h:99999/", "http://h:x/", "http://[::1", "http://2130706433/", "http://0x7f.1/", "http://%6cocalhost/",
     "http://[fe80::1%25eth0]/", "http://example.org/" + "x" * 8_000],
)  # fmt: skip
def test_what_is_no_web_address(url: str) -> None:
    """R-TO-2: other schemes, hidden hosts and passwords are refused before the gate is even asked."""
    with pytest.raises(ToolError):
        http_request().parse({"url": url})


def test_one_spelling_of_an_address() -> None:
    """What the gate shows is what is asked for."""
    assert address(" HTTP://EXAMPLE.org.:80/a b?q=ü#part ") == "http://example.org/a%20b?q=%C3%BC"
    assert address("https://münchen.de") == "https://xn--mnchen-3ya.de"
    assert address("http://[2606:2800:21F::0]:81/") == "http://[2606:2800:21f::]:81/"


@given(st.text(max_size=60).map("http://".__add__) | st.text(max_size=30).map("http://example.org/".__add__))
def test_any_address_is_stable_or_refused(text: str) -> None:
    """R-TO-2: an address that passed is read the same way again: nothing changes between the gate and the request."""
    try:
        url = address(text)
    except ToolError:
        return
    assert address(url) == url
    assert url.isascii()
    assert not set(url) & set(" \r\n\0\\#")


def test_what_the_gate_is_told() -> None:
    """R-PO-3: a plain GET opens an address; whatever can carry something of ours out submits, to the host it names."""
    tool, url = http_request(outside=elsewhere("nas.lan:8080")), "https://example.org/p?q=1"
    assert told(tool, url=url) == (Deed.OPEN, f"GET {url}", "example.org")
    assert told(tool, url=url, method="HEAD", headers={"Accept": "text/html"})[0] is Deed.OPEN
    assert told(tool, url=url, method="POST", body="ä") == (Deed.SUBMIT, f"POST {url} with 2 bytes", "example.org")
    assert told(tool, url=url, method="DELETE")[0] is Deed.SUBMIT
    assert told(tool, url=url, body="x")[0] is Deed.SUBMIT
    headers = {"Authorization": "Bearer x", "Accept-Language": "de"}
    assert told(tool, url=url, headers=headers)[:2] == (Deed.SUBMIT, f"GET {url} and the headers Authorization")
    assert told(tool, url=url, headers={"Accept": "x" * 201})[0] is Deed.SUBMIT
    assert told(tool, url=url + "x" * 200)[0] is Deed.SUBMIT
    long = ".".join(["x" * 60] * 3)
    assert told(tool, url=f"https://{long}.example.org/pppppp")[0] is Deed.SUBMIT
    assert told(tool, url="http://nas.lan:8080/off") == (Deed.SUBMIT, "GET http://nas.lan:8080/off", "nas.lan:8080")
    assert told(tool, url="http://127.0.0.1/")[0] is Deed.SUBMIT
    assert told(tool, url="http://nas.lan/")[0] is Deed.OPEN


async def test_tls_names_the_host(web: Site, tmp_path: Path, require: Require) -> None:
    """R-TO-2: the pinned address is connected to, and the certificate must be the name's."""
    require("openssl", "sudo apt-get install openssl")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    making = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9"]
    making += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=x"]
    making += ["-addext", "subjectAltName=DNS:secure.example"]
    await asyncio.to_thread(subprocess.run, making, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    named: list[str] = []
    context.sni_callback = lambda _socket, name, _context: named.append(name)  # pyright: ignore[reportAttributeAccessIssue]  # replaced for the test
    web.answers["/"] = page("safe", "text/plain")
    server = await asyncio.start_server(web.come, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    def trust() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=certificate)

    exchange = Exchange(elsewhere(), seconds=20, max_bytes=10_000, trust=trust)
    tool = http_tool(SETTINGS, elsewhere(), keep, exchange)
    assert (await call(tool, url=f"https://secure.example:{port}/")).text.endswith("safe")
    with pytest.raises(ToolError, match="certificate"):
        await call(tool, url=f"https://other.example:{port}/")
    with pytest.raises(ToolError, match="certificate"):
        await call(http_request(), url=f"https://secure.example:{port}/")
    assert named == ["secure.example", "other.example", "secure.example"]
    server.close()


# ---- where it leads


async def test_redirects_are_followed(web: Site) -> None:
    """A page that moved is found; the model is told where it is."""
    web.answers |= {"/1": redirect("/2", 301), "/2": redirect(f"http://www.example.org:{web.port}/3"), "/3": page("x")}
    result = await fetch(web, "/1")
    assert result.text.startswith(f"200 OK text/html http://www.example.org:{web.port}/3")
    assert result.source == "web: www.example.org"


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://2130706433/",
     "http://[::ffff:10.0.0.1]/", "file:///etc/passwd", "gopher://x/", "data:text/plain,x", "http://u:p@example.org/",
     "//127.0.0.1/", "http://example.org:25/", "http://[", "javascript:1"],
)  # fmt: skip
async def test_redirects_to_what_is_closed(web: Site, target: str) -> None:
    """R-TO-2: every hop is guarded like the first."""
    web.answers["/"] = redirect(target)
    text = (await fetch(web)).text
    assert text.splitlines()[1].startswith(f"It redirects to {target}, which was not followed: ")
    assert len(web.asked) == 1


async def test_redirects_without_end(web: Site) -> None:
    """R-TO-2: five redirects and no more."""
    web.answers["/"] = redirect("/")
    assert "there were 5 redirects" in (await fetch(web)).text
    assert len(web.asked) == 6


async def test_a_stranger_does_not_send_us_inside(web: Site) -> None:
    """R-TO-2: a service the owner opened is reached when it is asked for, not because a page elsewhere says so."""
    inside = f"http://127.0.0.1:{web.port}"
    web.answers |= {"/": redirect(f"{inside}/off"), "/old": redirect("/on"), "/on": page("on"), "/off": page("off")}
    tool = http_request(outside=elsewhere(f"127.0.0.1:{web.port}"))
    result = await call(tool, url=f"http://example.org:{web.port}/")
    assert "only reached when it is asked for itself" in result.text
    assert len(web.asked) == 1
    assert (await call(tool, url=f"{inside}/old")).text.endswith("on")


async def test_what_was_meant_for_one_host(web: Site) -> None:
    """R-TO-2: credentials and bodies are not handed to another host by a redirect."""
    other = f"http://other.example:{web.port}/to"
    web.answers |= {"/302": redirect(other), "/307": redirect(other, 307), "/to": page("ok")}
    secret = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Key": "k", "Accept": "text/html"}
    await fetch(web, "/302", arguments={"headers": secret})
    assert "Bearer" in web.asked[0]
    assert not any(word in web.asked[1] for word in ("Bearer", "Cookie", "X-Key"))
    assert "Accept: text/html" in web.asked[1]
    for path, arguments in (("/307", {"method": "POST", "body": "b"}), ("/302", {"method": "DELETE"})):
        web.asked.clear()
        assert (
            "what was meant for one host is not sent to another" in (await fetch(web, path, arguments=arguments)).text
        )
        assert len(web.asked) == 1


async def test_methods_after_a_redirect(web: Site) -> None:
    """What was posted is not posted again unless the server asks for it, and only to the same host."""
    web.answers |= {"/303": redirect("/to", 303), "/308": redirect("/to", 308), "/to": page("ok")}
    post = {"method": "POST", "body": "b"}
    await fetch(web, "/303", arguments=post)
    await fetch(web, "/308", arguments=post)
    await fetch(web, "/303", arguments={"method": "HEAD"})
    assert web.asked[1].startswith("GET /to")
    assert "Content-Type" not in web.asked[1]
    assert web.asked[3].startswith("POST /to")
    assert web.asked[3].endswith("b")
    assert web.asked[5].startswith("HEAD /to")


async def test_dns_that_changes_its_answer(web: Site) -> None:
    """R-TO-2: a name is asked for once a hop and pinned; the private answer that comes next is judged, not used."""
    answers = [[PUBLIC], ["127.0.0.1"], [PUBLIC]]

    async def resolve(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    web.answers |= {"/": page("first"), "/again": redirect("/")}
    tool = http_request(outside=elsewhere(resolve=resolve))
    assert (await call(tool, url=f"http://rebind.example:{web.port}/")).text.endswith("first")
    with pytest.raises(ToolError, match="this machine"):
        await call(tool, url=f"http://rebind.example:{web.port}/")
    answers.append(["10.0.0.1"])
    assert "the local network" in (await call(tool, url=f"http://rebind.example:{web.port}/again")).text
    assert answers == []
    assert len(web.asked) == 2


async def test_the_real_guard_is_used() -> None:
    """R-TO-2: without an injected guard, this machine is closed."""
    with pytest.raises(ToolError, match="closed to tools"):
        await call(http_request(outside=Outside(NetworkSettings())), url="http://localhost:8080/")


# ---- what a server can do


def endless(
    piece: bytes, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
) -> Callable[[], AsyncIterable[bytes]]:
    """An answer that never ends."""

    async def sends() -> AsyncIterable[bytes]:
        yield head
        while True:
            yield piece

    return sends


async def test_a_body_without_end(web: Site) -> None:
    """R-TO-2: what is over the limit is not read, and the connection is hung up."""
    web.answers["/"] = endless(b"x" * 10_000)
    text = (await fetch(web, settings=SETTINGS.model_copy(update={"max_chars": 10_000}))).text
    assert text.endswith("\n[The answer is longer than 100KB; the rest was not read.]")


async def test_an_image_that_is_too_large(web: Site) -> None:
    """Half an image is not shown."""
    web.answers["/"] = page(PNG + b"\0" * 200_000, "image/png")
    result = await fetch(web)
    assert result.shown == ()
    assert "longer than 100KB" in result.text


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
async def test_bombs(web: Site, packing: str) -> None:
    """R-TO-2: a small body that unpacks to gigabytes is unpacked up to the limit only."""
    packer = zlib.compressobj(9, wbits=31 if packing == "gzip" else 15)
    bomb = b"".join(packer.compress(bytes([120]) * 1_000_000) for _ in range(80)) + packer.flush()
    assert len(bomb) < 90_000
    web.answers["/"] = page(bomb, "text/plain", Content_Encoding=packing)
    assert "longer than 100KB" in (await fetch(web)).text


async def test_packings(web: Site) -> None:
    """What was asked for is unpacked, as servers really send it; nonsense is said to be so."""
    raw = zlib.compressobj(wbits=-15)
    web.answers |= {
        "/g": page(gzip.compress(b"hello"), "text/plain", Content_Encoding="gzip"),
        "/d": page(zlib.compress(b"hello"), "text/plain", Content_Encoding="deflate"),
        "/r": page(raw.compress(b"hello") + raw.flush(), "text/plain", Content_Encoding="deflate"),
        "/i": page(b"hello", "text/plain", Content_Encoding="identity"),
        "/b": page(b"hello", "text/plain", Content_Encoding="br"),
        "/n": page(b"hello", "text/plain", Content_Encoding="gzip"),
    }
    for path in ("/g", "/d", "/r", "/i"):
        assert (await fetch(web, path)).text.endswith("\n\nhello")
    for path, said in (("/b", "packed in a way"), ("/n", "cannot be unpacked")):
        with pytest.raises(ToolError, match=said):
            await fetch(web, path)


async def test_a_packing_that_breaks_off() -> None:
    """R-TO-2: what begins well and turns into nonsense is an error, not another try."""

    async def pieces() -> AsyncGenerator[bytes]:
        yield zlib.compress(b"hello" * 99)[:9]
        yield b"\xff" * 99

    with pytest.raises(ToolError, match="cannot be unpacked"):
        await read_capped(pieces(), unpacking("deflate"), 1_000)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 " + b"2" * 30_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_answer(web: Site, answer: bytes) -> None:
    """R-TO-2: broken and oversized heads are a plain error, without a word of the server's in it."""
    web.answers["/"] = answer
    with pytest.raises(ToolError, match=r"^(What example\.org sent is no proper answer\.|The connection to .*)$"):
        await fetch(web)


async def test_headers_without_end(web: Site) -> None:
    """R-TO-2: a head that never ends is given up at its limit."""
    web.answers["/"] = endless(b"X: y\r\n" * 100, b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(ToolError, match="no proper answer"):
        await fetch(web)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"])
async def test_a_server_that_takes_its_time(web: Site, head: bytes) -> None:
    """R-TO-2: the limit of time is for the whole request; a byte now and then does not prolong it."""
    release = asyncio.Event()

    async def sends() -> AsyncIterable[bytes]:
        yield head
        await release.wait()

    web.answers["/"] = sends
    with pytest.raises(ToolError, match=r"example\.org took longer than 0\.2 seconds"):
        await fetch(web, settings=SETTINGS.model_copy(update={"timeout_seconds": 0.2}))
    release.set()


async def test_a_closed_port() -> None:
    """Nobody there is a plain error."""
    async with site() as gone:
        pass
    with pytest.raises(ToolError, match="failed: "):
        await fetch(gone)
