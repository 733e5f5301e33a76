"""A real browser through Telegram, the model and the running product: read, filled in after a press, seen, stopped."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from ground import Require
from lar.testing.stage import FIRST_USER, Stage, stage, until
from tools.web_site import Site, page, site

pytestmark = pytest.mark.browser

CHAT, ADMIN, OTHER, THIRD = FIRST_USER, FIRST_USER - 1, FIRST_USER + 1, FIRST_USER + 2
SLEEP = b"sleep\x0061236\x00"
HUNG_UP = -2
"""The status of a model call that was not waited for."""
FORM = page(
    "<title>Boiler</title><h1>Boiler service</h1><form action=/sent method=post><p><label>Name <input name=who></label>"
    "<p><label>Day <select name=day><option>Monday<option>Friday</select></label><p><button>Book</button></form>"
)


def call(tool: str, **arguments: object) -> str:
    """What makes the model call a tool."""
    return f"[[tool:{tool} {json.dumps(arguments)}]]"


@asynccontextmanager
async def surfing(folder: Path, require: Require) -> AsyncGenerator[tuple[Stage, Site, str]]:
    """A gateway that may reach one site of this machine; the site, and its address."""
    require("chromium", "apt install chromium")
    require("bwrap", "apt install bubblewrap")
    require("playwright", "pip install 'lar[browser]'", found=find_spec("playwright") is not None)
    async with site() as web:
        env = {
            "LAR__TOOLS__NETWORK__ALLOWED_HOSTS": json.dumps([f"127.0.0.1:{web.port}"]),
            "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN),
        }
        async with stage(folder, env=env) as here:
            await here.start()
            await here.telegram.until_polling()
            yield here, web, f"http://127.0.0.1:{web.port}/"


def below(pid: int) -> Sequence[int]:
    """Every process that a process has started, and those that these have."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found[1:]


def is_browser(pid: int) -> bool:
    """Whether a process is a Chromium's that still lives."""
    try:
        alive = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) not in "ZX"
        return alive and b"/chromium" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def sleepers() -> list[str]:
    """The processes of the command that sleeps for this test."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [path.parent.name] if path.read_bytes() == SLEEP else []
    return found


def browser(here: Stage) -> list[int]:
    """The processes of the gateway's browsers."""
    return [pid for pid in below(here.process.pid) if is_browser(pid)]


async def never() -> AsyncGenerator[bytes]:
    """A page that is still being thought about."""
    yield b"HTTP/1.1 200 OK\r\n"
    await asyncio.Event().wait()


async def open_page(here: Stage, address: str, chat: int = CHAT) -> str:
    """Open a page of one's own network, which is asked about; what the model got of it."""
    asked = await here.telegram.ask(call("browser_navigate", url=address), chat)
    assert f"Open in the browser: {address}" in asked["text"]
    here.telegram.press(chat, text="conversation")
    return str((await here.telegram.expect_reply(chat, asked["seq"], match="200 http"))["text"])


async def test_a_page_is_fetched(tmp_path: Path, require: Require) -> None:
    """R-TO-2: a page is fetched and told as text, after its owner said yes to a service of the own network."""
    async with surfing(tmp_path, require) as (here, web, address):
        web.answers["/"] = page("<title>News</title><h1>Rain</h1><p>Until <b>noon</b>.")
        asked = await here.telegram.ask(call("http_request", url=address), CHAT)
        here.telegram.press(CHAT, text="Once")
        told = await here.telegram.expect_reply(CHAT, asked["seq"], match="200 OK")
        assert "Rain" in told["text"]
        assert "noon" in told["text"]
        assert not browser(here)


async def test_a_form_is_filled_in_and_seen(tmp_path: Path, require: Require) -> None:
    """R-TO-5: a page is read, its form filled in after a press in Telegram, its picture sent as photo."""
    async with surfing(tmp_path, require) as (here, web, address):
        web.answers |= {"/": FORM, "/sent": page("<h1>Booked for Friday</h1>")}
        read = await open_page(here, address)
        refs = {name: ref for ref, name in re.findall(r'(e\d+) \w+ "([^"]+)"', read)}
        filling = call("browser_fill", fields={refs["Name"]: "Ann", refs["Day"]: "Friday"}, press=refs["Book"])
        asked = await here.telegram.ask(filling, CHAT)
        assert 'textbox "Name": Ann' in asked["text"]
        assert f"on 127.0.0.1:{web.port}" in asked["text"]
        assert not [each for each in web.asked if each.startswith("POST")]
        here.telegram.press(CHAT, text="Once")
        assert "Booked for Friday" in (await here.telegram.expect_reply(CHAT, asked["seq"], match="Booked"))["text"]
        assert [each.partition("\r\n\r\n")[2] for each in web.asked if each.startswith("POST")] == [
            "who=Ann&day=Friday"
        ]
        await here.telegram.ask(call("browser_screenshot", send=True), CHAT)
        await until(lambda: any("photo" in message for message in here.telegram.messages(CHAT)))


async def test_a_denied_form_is_not_sent(tmp_path: Path, require: Require) -> None:
    """R-PO-2: what a person refuses does not reach the page, and the model is told."""
    async with surfing(tmp_path, require) as (here, web, address):
        web.answers["/"] = FORM
        ref = re.findall(r'(e\d+) textbox "Name"', await open_page(here, address))[0]
        asked = await here.telegram.ask(call("browser_fill", fields={ref: "Ann"}, press="Enter"), CHAT)
        here.telegram.press(CHAT, text="(?i)do not|deny|no")
        assert "Not permitted" in (await here.telegram.expect_reply(CHAT, asked["seq"], match="Not permitted"))["text"]
        assert not [each for each in web.asked if each.startswith("POST")]


async def test_nobody_sees_the_others_cookies(tmp_path: Path, require: Require) -> None:
    """R-ME-9: two people who open the same site are two strangers to it."""
    async with surfing(tmp_path, require) as (here, web, address):
        web.answers["/"] = page("<p>hello", Set_Cookie="who=ann")
        await open_page(here, address)
        await here.telegram.ask(call("browser_navigate", url=address), CHAT, match="200 http")
        await open_page(here, address, OTHER)
        cookies = ["Cookie: who=ann" in each for each in web.asked if each.startswith("GET / ")]
        assert cookies == [False, True, False]


async def test_an_emergency_stop_ends_all_at_once(tmp_path: Path, require: Require) -> None:
    """R-PO-4: a page, a command and a model call at once: nothing of them is left after two seconds, nor a restart."""
    async with surfing(tmp_path, require) as (here, web, address):
        web.answers["/"] = page("<p>hello")
        await open_page(here, address)
        running = browser(here)
        assert running
        web.answers["/slow"] = never
        here.telegram.send_text(call("browser_navigate", url=f"{address}slow"), CHAT)
        here.telegram.send_text(call("shell", command="exec sleep 61236"), OTHER)
        await until(lambda: any(each.startswith("GET /slow") for each in web.asked))
        await until(sleepers)
        asked = here.models.last_number
        here.telegram.send_text("[[sleep:60]] slow", THIRD)
        await until(lambda: here.models.last_number > asked)
        here.telegram.send_text("/emergency_stop", ADMIN)
        await until(lambda: not any(map(is_browser, running)) and not sleepers(), 2)
        await until(lambda: here.models.log[-1]["status"] == HUNG_UP, 2)
        assert await here.process.stop() == 0
        await here.start()
        assert "emergency stop" in (await here.telegram.ask("hello", OTHER))["text"]
        assert not browser(here)
        assert not sleepers()
        await here.telegram.ask("/resume", ADMIN)
        await here.telegram.ask("/stop", OTHER)
        assert "No page is open" in (await here.telegram.ask(call("browser_info"), CHAT, match="No page"))["text"]


async def test_a_stop_ends_the_call_and_its_browser(tmp_path: Path, require: Require) -> None:
    """R-CV-2: `/stop` ends a call that waits for a page, and its browser, within a second."""
    async with surfing(tmp_path, require) as (here, web, address):
        web.answers["/"] = page("<p>hello")
        await open_page(here, address)
        running = browser(here)
        web.answers["/slow"] = never
        here.telegram.send_text(call("browser_navigate", url=f"{address}slow"), CHAT)
        await until(lambda: any(each.startswith("GET /slow") for each in web.asked))  # the call runs
        await here.telegram.ask("/stop", CHAT)
        await until(lambda: not any(map(is_browser, running)), 2)


async def test_a_killed_lar_leaves_no_browser(tmp_path: Path, require: Require) -> None:
    """R-TO-5: a browser dies with its Lar, also by SIGKILL; the next Lar says that no page is open."""
    async with surfing(tmp_path, require) as (here, web, address):
        web.answers["/"] = page("<p>hello")
        await open_page(here, address)
        running = browser(here)
        assert running
        await here.process.kill()
        await until(lambda: not any(map(is_browser, running)), 2)
        await here.start()
        assert "No page is open" in (await here.telegram.ask(call("browser_info"), CHAT))["text"]
        await here.telegram.ask(call("browser_navigate", url=address), CHAT, match="200 http")  # permitted before
        running = browser(here)
        assert running
        assert await here.process.stop() == 0
        assert not any(map(is_browser, running))
