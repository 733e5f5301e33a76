"""What pages may reach from a browser: attacks of ill-meaning pages, in a real Chromium, in walls of either kind."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from browser_desk import Desk, Opens
from web_site import PUBLIC, Elsewhere, Site, page, redirect, site

from lar.domain.risk import Deed
from lar.errors import ToolError
from lar.tools.settings import NetworkSettings

pytestmark = pytest.mark.browser

ODD = (
    *("file:///etc/passwd", "chrome://version", "view-source:http://a.example", "data:text/html,x", "about:blank"),
    *("ftp://a.example/", "javascript:1", "http://2130706433/", "http://u:p@a.example/"),
)
"""Addresses that are none of the web's, or hide which they are."""

WALLS = pytest.mark.parametrize("walls", ["bubblewrap", "basic"])


class Names(Elsewhere):
    """Most names are public, `inside.example` is what it says, and `turning.example` changes its mind."""

    def __init__(self, *allowed: str) -> None:
        self.turned = False
        super().__init__(NetworkSettings(allowed_hosts=allowed), self._dns, list)

    async def _dns(self, host: str, _port: int) -> list[str]:
        if host in {"inside.example", "localhost"} or (host == "turning.example" and self.turned):
            return ["127.0.0.1"]
        return {"lan.example": ["192.168.1.1"], "meta.example": ["169.254.169.254"]}.get(host, [PUBLIC])


@asynccontextmanager
async def secret() -> AsyncGenerator[Site]:
    """A service of this machine that must not be reached."""
    async with site() as inside:
        inside.answers["/"] = page("the secret")
        yield inside


def asked(inside: Site) -> list[str]:
    """What the service was asked."""
    return [each.partition("\r\n")[0] for each in inside.asked]


@WALLS
async def test_nothing_on_a_page_reaches_inside(opens: Opens, walls: str) -> None:
    """R-TO-5: pictures, frames, scripts, fetches, WebSockets, workers, forms and redirects to inside are not loaded."""
    async with secret() as inside, opens(Names(), sandbox=walls) as here:
        targets = [f"{host}:{inside.port}" for host in ("127.0.0.1", "[::1]", "inside.example")]
        here.web.answers["/"] = page(_attack(targets))
        here.web.answers["/hop"] = redirect(f"http://127.0.0.1:{inside.port}/hopped")
        here.web.answers["/worker.js"] = page(_worker(targets), "text/javascript")
        assert "Not loaded: " in (await here.call("navigate", url=here.url())).text
        given = await here.call("wait_for", text="all tried", seconds=30)
        assert "the secret" not in given.text
        assert asked(inside) == []


def _attack(targets: list[str]) -> str:
    each = "".join(
        f"<img src='http://{to}/img'><iframe src='http://{to}/frame'></iframe><script src='http://{to}/js'></script>"
        f"<link rel=stylesheet href='http://{to}/css'><link rel=prefetch href='http://{to}/pre'>"
        f"<link rel=preconnect href='http://{to}'><video src='http://{to}/video'></video><object data='http://{to}/o'>"
        "</object>"
        for to in targets
    )
    tries = "".join(
        f"fetch('http://{to}/fetch',{{mode:'no-cors'}}),fetch('https://{to}/tls'),socket('ws://{to}/ws'),"
        f"fetch('/hop'),Promise.resolve(navigator.sendBeacon('http://{to}/beacon','x')),"
        for to in targets
    )
    return (
        f"<p id=p>trying</p>{each}<iframe name=f></iframe><form id=g target=f action='http://{targets[0]}/form' "
        "method=post></form><script>const socket = to => new Promise(done => {const s = new WebSocket(to);"
        "s.onerror = s.onclose = s.onopen = done});"
        "new Worker('/worker.js'); document.getElementById('g').submit();"
        f"Promise.allSettled([{tries}]).then(() => {{p.textContent = 'all tried'}})</script>"
    )


def _worker(targets: list[str]) -> str:
    return ";".join(f"fetch('http://{to}/worker',{{mode:'no-cors'}})" for to in targets)


@WALLS
async def test_addresses_that_are_not_opened(opens: Opens, walls: str) -> None:
    """R-TO-5: inside, link-local and metadata addresses, however written, and schemes beside the web's are refused."""
    async with secret() as inside, opens(Names(), sandbox=walls) as here:
        for host in ("127.0.0.1", "localhost", "[::1]", "inside.example", "lan.example", "192.168.1.1", "10.0.0.1"):
            assert "closed to tools" in str(await here.fails("navigate", url=f"http://{host}:{inside.port}/"))
        for host in ("169.254.169.254", "meta.example", "[fe80::1]", "0.0.0.0"):  # noqa: S104  # an address to be refused
            assert "never reached" in str(await here.fails("navigate", url=f"http://{host}/"))
        for odd in ODD:
            await here.fails("navigate", url=odd)
        assert not here.browsers.count
        here.web.answers["/"] = page(
            "".join(
                f"<button onclick=\"location='{to}'\">{name}</button>"
                f"<button onclick=\"window.open('{to}')\">new {name}</button>"
                for name, to in (
                    ("file", "file:///etc/passwd"),
                    ("chrome", "chrome://version"),
                    ("source", "view-source:file:///etc/passwd"),
                    ("data", "data:text/html,<h1>data</h1>"),
                    ("inside", f"http://127.0.0.1:{inside.port}/"),
                )
            )
        )
        for name in ("file", "chrome", "source", "data", "inside", "new file", "new inside"):
            await here.call("navigate", url=here.url())
            text = await _clicked(here, name)
            assert "root:" not in text, name
            assert "the secret" not in text, name
        assert asked(inside) == []


async def _clicked(here: Desk, name: str) -> str:
    """What comes of a click, or why nothing does."""
    try:
        return (await here.call("click", element=here.ref(name))).text
    except ToolError as error:
        return str(error)


@WALLS
async def test_a_name_that_changes_its_address(opens: Opens, walls: str) -> None:
    """R-TO-5: a name that is public when it is opened and inside when its page asks again is refused then."""
    async with opens(names := Names(), sandbox=walls) as here:
        ask = "fetch('/again').then(r => r.text()).then(t => {p.textContent = 'got ' + t})"
        here.web.answers["/"] = page(f'<p id=p>x</p><button onclick="{ask}">Ask</button>')
        here.web.answers["/again"] = page("the secret")
        await here.call("navigate", url=here.url(host="turning.example"))
        names.turned = True
        await here.call("click", element=here.ref("Ask"))
        given = await here.call("wait_for", text="got", seconds=10)
        assert "got turning.example (127.0.0.1) is on this machine" in given.text
        assert not [each for each in here.web.asked if "/again" in each]


@WALLS
async def test_a_redirect_to_inside(opens: Opens, walls: str) -> None:
    """R-TO-5: a public page that redirects inside is not followed, and it is said why."""
    async with secret() as inside, opens(Names(), sandbox=walls) as here:
        here.web.answers["/"] = redirect(f"http://127.0.0.1:{inside.port}/")
        assert "closed to tools" in str(await here.fails("navigate", url=here.url()))
        assert asked(inside) == []


@WALLS
async def test_nothing_leaves_beside_the_way_out(opens: Opens, walls: str) -> None:
    """R-TO-5: WebRTC and QUIC send nothing past the guard, and tell the page none of this machine's addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stun:
        stun.bind(("127.0.0.1", 0))
        stun.setblocking(False)
        port = stun.getsockname()[1]
        async with opens(Names(), sandbox=walls) as here:
            here.web.answers["/"] = page(
                "<p id=p>x</p><script>const c = new RTCPeerConnection({iceServers: [{urls: ["
                f"'stun:127.0.0.1:{port}', 'turn:127.0.0.1:{port}?transport=udp']"
                ", username: 'u', credential: 'c'}]}); const seen = []; c.createDataChannel('x');"
                "c.onicecandidate = e => {if (e.candidate) seen.push(e.candidate.candidate)};"
                "setTimeout(() => {p.textContent = 'gathered ' + JSON.stringify(seen)}, 3000);"
                "c.createOffer().then(o => c.setLocalDescription(o))</script>"
            )
            await here.call("navigate", url=here.url())
            given = await here.call("wait_for", text="gathered", seconds=30)
            assert "gathered []" in given.text
            with pytest.raises(BlockingIOError):
                stun.recv(100)


async def test_a_service_of_ones_own(opens: Opens) -> None:
    """R-TO-5: a listed service is asked about, opened in a browser of its own, and closed to pages from outside."""
    async with secret() as inside, opens(Own(f"127.0.0.1:{inside.port}")) as here:
        mine = f"http://127.0.0.1:{inside.port}/"
        here.web.answers["/"] = page(f"<a href='{mine}'>in</a><img src='{mine}img'>")
        assert here.effect("navigate", url=mine).deed is Deed.SUBMIT
        assert "only reached when it is navigated to" in (await here.call("navigate", url=here.url())).text
        clicked = await here.fails("click", element=here.ref("in"))
        assert "only reached when it is navigated to" in str(clicked)
        assert asked(inside) == []
        inside.answers["/"] = page(f"<p>the secret</p><img src='{here.url('/leak')}'><button>Off</button>")
        assert "the secret" in (await here.call("navigate", url=mine)).text
        assert here.effect("navigate", url=f"{mine}more").deed is Deed.OPEN
        assert here.effect("click", element=here.ref("Off")).deed is Deed.SUBMIT
        assert not [each for each in here.web.asked if "/leak" in each]
        assert here.browsers.count == 1
        await here.call("navigate", url=here.url())
        assert here.browsers.count == 1


class Own(Elsewhere):
    """A guard that connects where it says: to what is listed at its own address, to all else on this machine."""

    def __init__(self, *allowed: str) -> None:
        super().__init__(NetworkSettings(allowed_hosts=allowed), self._dns, list)

    async def _dns(self, _host: str, _port: int) -> list[str]:
        return [PUBLIC]


async def test_domains_and_encryption(opens: Opens) -> None:
    """R-TO-5: where domains are named, nothing else is reached; without encryption only where that is allowed."""
    async with opens(allowed_domains=["example.org"]) as here:
        here.web.answers["/"] = page(f"<p>fine<img src='{here.url('/x', host='other.example')}'>")
        given = (await here.call("navigate", url=here.url(host="www.example.org"))).text
        assert "fine" in given
        assert "other.example is none of the domains" in given
        assert "none of the domains" in str(await here.fails("navigate", url=here.url(host="badexample.org")))
    async with opens(allow_http=False) as here:
        assert "without encryption are switched off" in str(await here.fails("navigate", url=here.url()))


async def test_a_flood_of_connections_ends(opens: Opens) -> None:
    """R-TO-5: a page that never ends its answer is given up, and the browser can be used afterwards."""
    async with opens(timeout_seconds=2) as here:
        here.web.answers["/"] = _for_ever
        here.web.answers["/good"] = page("good")
        assert "Timeout" in str(await here.fails("navigate", url=here.url()))
        assert "good" in (await here.call("navigate", url=here.url("/good"))).text


async def _for_ever() -> AsyncGenerator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>"
    while True:
        yield b"x" * 1000
        await asyncio.sleep(0.05)
