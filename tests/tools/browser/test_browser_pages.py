"""The browser's tools in a real Chromium: what a model gets of a page, and what it can do there."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import replace

import pytest
from browser_desk import Opens, processes
from web_site import page, redirect

from lar.domain.ids import PrincipalId
from lar.domain.risk import Deed
from lar.testing.stage import until
from lar.testing.turns import ANN

pytestmark = pytest.mark.browser

BEA = replace(ANN, id=PrincipalId(2), name="Bea")
FORM = page(
    "<title>Order</title><nav><a href=/menu>Menu</a></nav><h1>Order</h1><p>See <a href='/m#x'>manual</a></p>"
    "<form action=/send method=post><label>Name <input name=n></label> <label>Colour <select name=c><option>red"
    "<option>blue</select></label> <label><input type=checkbox name=k> big</label> <input type=password value=s3cret>"
    "<button>Send</button></form><button onclick=\"document.querySelector('h1').textContent='Pressed'\">Press</button>"
)
SENT = page("<title>Done</title><h1>Thanks</h1>")


async def test_a_page_comes_as_markdown_with_its_fields(opens: Opens) -> None:
    """R-TO-5: a page comes as Markdown with whole links, and its fields and buttons by reference; passwords do not."""
    async with opens() as here:
        here.web.answers["/"] = FORM
        given = await here.call("navigate", url=here.url())
        assert given.source == f"web: example.org:{here.web.port}"
        assert given.text.startswith(f"200 {here.url()}\n\nTitle: Order\n\n# Order\n\nSee [manual]({here.url('/m#x')})")
        listed = given.text.partition("Fields and buttons:\n")[2].splitlines()
        assert [line.partition(" ")[2] for line in listed] == [
            'textbox "Name"',
            'combobox "Colour" = red [red | blue]',
            'checkbox "big" (not checked)',
            "password",
            'button "Send"',
            'button "Press"',
        ]
        assert "s3cret" not in given.text
        everything = (await here.call("info")).text
        assert f'link "Menu" -> {here.url("/menu")}' in everything
        found = (await here.call("query_selector", selector="form input")).text
        assert '"count": 3' in found
        assert '"name": "k"' in found


async def test_a_form_is_filled_in_and_sent(opens: Opens) -> None:
    """R-TO-5: all fields are filled at once, the button pressed, and the page that follows is read."""
    async with opens() as here:
        here.web.answers |= {"/": FORM, "/send": SENT}
        await here.call("navigate", url=here.url())
        fields = {here.ref("Name"): "Ann & Co", here.ref("Colour"): "blue", here.ref("big"): True}
        told = here.effect("fill", fields=fields, press=here.ref("Send"))
        host = f"example.org:{here.web.port}"
        assert (told.deed, told.target) == (Deed.SUBMIT, host)
        assert told.summary == (
            f'Fill in on {host}:\ntextbox "Name": Ann & Co\ncombobox "Colour": blue\ncheckbox "big": true\n'
            'Then press button "Send"'
        )
        given = await here.call("fill", fields=fields, press=here.ref("Send"))
        assert "# Thanks" in given.text
        assert here.web.asked[-1].endswith("\r\n\r\nn=Ann+%26+Co&c=blue&k=on")


async def test_fields_in_frames(opens: Opens) -> None:
    """R-PO-3: what is typed into a frame goes to the frame's host, which is the one that is asked about."""
    async with opens() as here:
        here.web.answers["/"] = page(f"<p>Shop</p><iframe src='{here.url('/pay', host='pay.example')}'></iframe>")
        here.web.answers["/pay"] = page("<input aria-label=Card oninput='document.title=this.value'>")
        await here.call("navigate", url=here.url())
        card = here.ref("Card")
        assert here.effect("fill", fields={card: "4111"}).target == f"pay.example:{here.web.port}"
        given = await here.call("fill", fields={card: "4111"})
        assert f'textbox "Card" = 4111 (in a frame of pay.example:{here.web.port})' in given.text


async def test_enter_sends_too(opens: Opens) -> None:
    """R-TO-5: a search field has no button; a wrong reference, and a field that cannot be filled, are explained."""
    async with opens() as here:
        here.web.answers["/"] = page("<form action=/s><input name=q aria-label=Search></form><button>No</button>")
        here.web.answers["/s?q=boiler"] = page("<h1>Found</h1>")
        await here.call("navigate", url=here.url())
        assert "no e99" in str(await here.fails("fill", fields={"e99": "x"}))
        assert "no e99" in str(await here.fails("click", element="e99"))
        wrong = await here.fails("fill", fields={here.ref("No"): "x"})
        assert "not an <input>" in str(wrong)
        assert wrong.source == f"web: example.org:{here.web.port}"
        assert "# Found" in (await here.call("fill", fields={here.ref("Search"): "boiler"}, press="Enter")).text


async def test_clicks(opens: Opens) -> None:
    """R-TO-5: a click acts, follows to a new page or a new window, and what the page asks is answered no and told."""
    async with opens() as here:
        here.web.answers["/"] = page(
            "<h1>A</h1><button onclick=\"document.querySelector('h1').textContent='B'\">Change</button>"
            "<button onclick=\"location='/next'\">Go</button><button onclick='document.open()'>Empty</button>"
        )
        here.web.answers["/next"] = page(
            "<a href=/window target=_blank>Window</a><button onclick=\"if(!confirm('sure?'))document.title='no'\">Ask"
            "</button><button onclick=\"location='/file'\">Load</button>"
        )
        here.web.answers["/window"] = page('<h1>New window</h1><button onclick="window.close()">Shut</button>')
        here.web.answers["/file"] = page("x", "application/zip", Content_Disposition="attachment; filename=a.zip")
        await here.call("navigate", url=here.url())
        assert (await here.call("click", element=here.ref("Empty"))).text == f"200 {here.url()}"
        await here.call("navigate", url=here.url())
        assert "# B" in (await here.call("click", element=here.ref("Change"))).text
        assert here.url("/next") in (await here.call("click", element=here.ref("Go"))).text
        asked = (await here.call("click", element=here.ref("Ask"))).text
        assert "was told no: sure?" in asked
        assert "Title: no" in asked
        assert "A download was refused" in (await here.call("click", element=here.ref("Load"))).text
        assert "# New window" in (await here.call("click", element=here.ref("Window"))).text
        assert here.url("/next") in (await here.call("click", element=here.ref("Shut"))).text


async def test_waiting_and_paging(opens: Opens) -> None:
    """R-TO-5: what comes later is waited for, what never comes is said; a long text comes in parts of one look."""
    async with opens(max_chars=500) as here:
        here.web.answers["/"] = page(
            "<p id=p>soon</p><script>setTimeout(() => {p.textContent = 'word '.repeat(400) + 'END'}, 300)</script>"
        )
        await here.call("navigate", url=here.url())
        first = (await here.call("wait_for", text="END")).text
        assert first.endswith("characters: browser_get_data with offset 500]")
        assert "END" in (await here.call("get_data", offset=1900)).text
        raw = (await here.call("get_data", raw=True)).text
        assert '<p id="p">word' in raw
        assert "Timeout" in str(await here.fails("wait_for", selector="#never", seconds=0.2))
        assert "word" in (await here.call("wait_for", text="soon", gone=True, seconds=5)).text
        assert "word" in (await here.call("wait_for", seconds=0.1)).text


async def test_pictures(opens: Opens) -> None:
    """R-TO-5: a picture of the window, the whole page or an element is shown to the model, and sent if wanted."""
    async with opens(viewport={"width": 400, "height": 300}) as here:
        here.web.answers["/"] = page(
            "<body style='margin:0'><button style='width:90px;height:40px'>B</button><div style='height:2000px'>"
        )
        await here.call("navigate", url=here.url())
        window = await here.call("screenshot")
        whole = await here.call("screenshot", whole=True, send=True)
        await here.call("screenshot", element=here.ref("B"))
        sizes = [(int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) for png in here.pictures]
        assert sizes[0] == (400, 300)
        assert sizes[1][1] > 2000
        assert sizes[2] == (90, 40)
        assert window.shown
        assert not window.outgoing
        assert whole.outgoing[0].artifact == whole.shown[0]
        assert "no e99" in str(await here.fails("screenshot", element="e99"))


async def test_how_the_browser_shows_itself(opens: Opens) -> None:
    """R-TO-5: name, language, time zone, place and headers are those of the settings, in walls of either kind."""
    told = {"user_agent": "Lar/1", "locale": "de-DE", "timezone": "Asia/Tokyo", "geolocation": "52.5, 13.4"}
    async with opens(**told, headers={"X-House": "Lar"}, sandbox="basic") as here:
        script = "p.textContent = navigator.language + ' ' + Intl.DateTimeFormat().resolvedOptions().timeZone"
        here.web.answers["/"] = page(f"<p id=p></p><script>{script}</script>")
        given = await here.call("navigate", url=here.url())
        assert given.text.endswith("de-DE Asia/Tokyo")
        asked = here.web.asked[0]
        assert "User-Agent: Lar/1\r\n" in asked
        assert "X-House: Lar\r\n" in asked
        assert "Accept-Language: de-DE" in asked


async def test_nobody_shares_cookies(opens: Opens) -> None:
    """R-ME-9: neither two people nor two conversations of one share cookies or see each other's page."""
    async with opens() as here:
        here.web.answers["/"] = page("<p>hello", Set_Cookie="who=ann")
        await here.call("navigate", url=here.url())
        await here.call("navigate", url=here.url())
        assert "Cookie: who=ann" in [each for each in here.web.asked if each.startswith("GET / ")][-1]
        assert "No page is open" in str(await here.fails("info", who=BEA))
        for who, conversation in ((BEA, 1), (ANN, 2)):
            await here.call("navigate", who, conversation, url=here.url())
            asked = [each for each in here.web.asked if each.startswith("GET / ")]
            assert "Cookie:" not in asked[-1]
        assert "hello" in (await here.call("get_data")).text


async def test_nobody_uses_the_page_of_another(opens: Opens) -> None:
    """R-ME-9: whichever tool another person calls, or the same in another conversation: her page is not there."""
    tries: dict[str, dict[str, object]] = {
        "browser_click": {"element": "e1"},
        "browser_fill": {"fields": {"e1": "x"}},
        "browser_info": {},
        "browser_get_data": {},
        "browser_query_selector": {"selector": "*"},
        "browser_wait_for": {"text": "secret", "seconds": 0.1},
        "browser_screenshot": {"whole": True, "send": True},
    }
    async with opens() as here:
        assert set(here.tools) - {"browser_navigate", "browser_close"} == set(tries), "a tool came or went: try it"
        here.web.answers["/"] = page("<p>secret<button>Press</button>")
        await here.call("navigate", url=here.url())
        for who, conversation in ((BEA, 1), (BEA, 2), (ANN, 2)):
            for name, arguments in tries.items():
                error = await here.fails(name.removeprefix("browser_"), who, conversation, **arguments)
                assert str(error) == "No page is open. Open one with browser_navigate."
            assert (await here.call("close", who, conversation)).text == "No browser was open."
        assert "secret" in (await here.call("get_data")).text
        assert not here.pictures


async def test_a_browser_that_nobody_uses_is_closed(opens: Opens) -> None:
    """R-TO-5: an unused browser ends with all its processes; the next call says that no page is open."""
    async with opens(session_seconds=1.5) as here:
        here.web.answers["/"] = page("hello")
        await here.call("navigate", url=here.url())
        await until(lambda: not processes())
        assert str(await here.fails("click", element="e1")) == "No page is open. Open one with browser_navigate."


async def test_only_so_many_at_a_time(opens: Opens) -> None:
    """R-TO-5: the browser unused for longest makes room for a new one; one may be closed by its owner."""
    async with opens(max_sessions=1) as here:
        here.web.answers["/"] = page("hello")
        await here.call("navigate", url=here.url())
        await here.call("navigate", BEA, url=here.url())
        assert "No page is open" in str(await here.fails("info"))
        assert (await here.call("close", BEA)).text == "Closed."
        assert (await here.call("close", BEA)).text == "No browser was open."
        assert not processes()


async def test_a_stopped_turn_stops_its_browser(opens: Opens) -> None:
    """R-CV-2: a call that is cancelled ends the browser with every process, also while it starts."""
    async with opens() as here:
        here.web.answers["/"] = page("hello")
        starting = asyncio.create_task(here.call("navigate", url=here.url()))
        await until(processes)
        starting.cancel()
        await asyncio.wait([starting])
        assert starting.cancelled()
        assert not processes()
        await here.call("navigate", url=here.url())
        waiting = asyncio.create_task(here.call("wait_for", text="never", seconds=50))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not processes()
        assert "No page is open" in str(await here.fails("info"))


async def test_a_browser_that_dies(opens: Opens) -> None:
    """R-TO-5: a browser that is killed is reported in a sentence, a click in it as unknown, and the next one works."""
    async with opens() as here:
        here.web.answers["/"] = page("<button onclick='for(;;);'>Hang</button>")
        await here.call("navigate", url=here.url())
        clicking = asyncio.create_task(here.fails("click", element=here.ref("Hang")))
        await until(lambda: here.browsers.busy)
        for pid in processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        error = await clicking
        assert error.unknown
        assert str(error).startswith("The browser has ended:")
        assert here.url() in (await here.call("navigate", url=here.url())).text


async def test_a_reference_does_not_outlive_its_page(opens: Opens) -> None:
    """R-PO-2: what was approved on one page is not done on another that took its place meanwhile."""
    async with opens() as here:
        here.web.answers["/"] = page("<button>Fine</button><script>setTimeout(() => location='/trap', 800)</script>")
        here.web.answers["/trap"] = page("<button onclick=\"fetch('/bought')\">Buy</button>")
        await here.call("navigate", url=here.url())
        fine = here.ref("Fine")
        await until(lambda: any("/trap" in asked for asked in here.web.asked))
        assert "Timeout" in str(await here.fails("click", element=fine))
        assert not [asked for asked in here.web.asked if "/bought" in asked]
        assert "Buy" in (await here.call("info")).text


async def test_redirects_are_followed_and_errors_explained(opens: Opens) -> None:
    """R-TO-5: the address shown is the one the page came from; what cannot be opened is said in a sentence."""
    async with opens() as here:
        here.web.answers |= {"/": redirect("/there"), "/there": page("here")}
        assert (await here.call("navigate", url=here.url())).text.startswith(f"200 {here.url('/there')}\n")
        assert (await here.call("navigate", url=here.url("/none"))).text.startswith(f"404 {here.url('/none')}\n")
        here.web.answers["/file"] = page("x", "application/zip", Content_Disposition="attachment; filename=a.zip")
        assert "ownload" in str(await here.fails("navigate", url=here.url("/file")))
        assert "does not answer on port 1025" in str(await here.fails("navigate", url="http://example.org:1025/"))
