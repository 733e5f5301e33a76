"""Drives one browser. A program of its own inside walls: it is told what to do line by line, and nobody trusts it.

Its argument is the folder with two sockets: `talk`, where Lar asks, and `web`, the only way out. It imports nothing of
Lar, which is not on its path. A line is JSON: `{"do": name, "with": {...}}`, answered by `{"gave": {...}}` or
`{"error": sentence}`.
"""

import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    Dialog,
    Download,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    Response,
    async_playwright,
)
from playwright.async_api import TimeoutError as TimeoutExpired

Given = dict[str, Any]

MOST_HTML, MOST_DESCRIBED, MOST_LINKS, MOST_PAGES, MOST_HEIGHT = 2_000_000, 400, 2_000, 4, 6_000
BEGINS, LOADS, FINDS = 0.4, 5_000, 3_000
"""Seconds for a navigation to begin after an action; milliseconds for a page to load, and to find an element."""

FLAGS = (
    "--disable-quic",
    "--dns-prefetch-disable",
    "--no-pings",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--gaia-url=https://accounts.invalid",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
"""Keep Chromium to its proxy; behind walls there is nothing else anyway."""

LINE = re.compile(r'- \'?([a-z]+)(?: ("(?:[^"\\]|\\.)*"))?((?: \[[^\]]*\])*)')
REF = re.compile(r"\[ref=(\w+)\]")
USED = frozenset({
    "button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "radio", "switch", "slider",
    "spinbutton", "menuitem", "menuitemcheckbox", "menuitemradio", "tab", "treeitem",
})  # fmt: skip  # two lines say it as well as twenty

DESCRIBE = """e => {
  const says = t => (t || '').replace(/\\s+/g, ' ').trim().slice(0, 200);
  const labels = [...(e.labels || [])].map(l => l.innerText).join(' ');
  const form = e.form || e.closest('form');
  const kind = (e.type || '').toLowerCase();
  return {
    kind, host: e.ownerDocument.location.host, disabled: !!e.disabled, form: !!form,
    action: !form ? '' : String(e.hasAttribute('formaction') ? e.formAction : form.action),
    href: e.tagName === 'A' && e.href ? String(e.href) : '',
    label: says(e.getAttribute('aria-label') || labels || e.placeholder || e.innerText || e.name || e.title
      || (['submit', 'button', 'reset'].includes(kind) ? e.value : '') || e.id),
    value: kind === 'password' || ['submit', 'button', 'reset', 'file'].includes(kind) || e.tagName === 'BUTTON'
      ? '' : says(e.value), checked: !!e.checked, editable: !!e.isContentEditable,
    options: e.tagName === 'SELECT' ? [...e.options].slice(0, 30).map(o => says(o.label).slice(0, 60)) : [],
  };
}"""


class Host:
    """One browser with one context; the newest page is the one in use."""

    def __init__(self, context: BrowserContext, timeout: float) -> None:
        self._context = context
        self._timeout = timeout
        self._pages: list[Page] = []
        self._notes: list[str] = []
        self._status = 0
        self._began, self._arrived = asyncio.Event(), asyncio.Event()
        context.on("page", self._adopt)
        context.on("request", self._begin)
        context.on("response", self._arrive)
        context.on("requestfailed", self._fail)

    def _adopt(self, page: Page) -> None:
        self._pages.append(page)
        page.on("close", self._forget)
        page.on("dialog", self._answer)
        page.on("download", self._refuse)
        page.on("crash", lambda _: self._notes.append("The page crashed."))
        self._status = 0
        self._began.set()
        self._arrived.set()

    def _forget(self, page: Page) -> None:
        self._pages.remove(page)

    async def _answer(self, dialog: Dialog) -> None:
        self._notes.append(f"The page asked, and was told no: {dialog.message[:300]}")
        with suppress(Error):
            await dialog.dismiss()

    def _refuse(self, download: Download) -> None:
        self._notes.append(f"A download was refused: {download.url[:500]} (http_request can fetch files)")
        self._arrived.set()

    def _of_page(self, request: Request) -> bool:
        with suppress(Error):
            return request.is_navigation_request() and request.frame == self.page.main_frame
        return False

    def _begin(self, request: Request) -> None:
        if self._of_page(request):
            self._began.set()
            self._arrived.clear()

    def _arrive(self, response: Response) -> None:
        if self._of_page(response.request):
            self._status = response.status
            self._arrived.set()

    def _fail(self, request: Request) -> None:
        if self._of_page(request):
            self._notes.append(f"{request.url[:500]} could not be opened: {request.failure}")
            self._arrived.set()

    @property
    def page(self) -> Page:
        """The page in use."""
        if not self._pages:
            raise Error("no page is open any more; navigate again")
        return self._pages[-1]

    # ---- what it is told

    async def open(self, given: Given) -> Given:
        """Go to an address."""
        if not self._pages:
            await self._context.new_page()
        self._status = 0
        await self.page.goto(str(given["url"]), wait_until="domcontentloaded", timeout=self._timeout)
        return await self.look(given)

    async def click(self, given: Given) -> Given:
        """Click an element."""
        found = self._find(given["ref"])
        return await self._acted(given, lambda: found.click(timeout=FINDS))

    async def fill(self, given: Given) -> Given:
        """Fill in fields, and press what is to be pressed."""
        for ref, value in given["fields"]:
            await _fill(self._find(ref), value)
        press = given["press"]
        if not press:
            return await self.look(given)
        found = self._find(given["fields"][-1][0] if press == "Enter" else press)
        act = (lambda: found.press("Enter", timeout=FINDS)) if press == "Enter" else lambda: found.click(timeout=FINDS)
        return await self._acted(given, act)

    async def wait(self, given: Given) -> Given:
        """Wait for a text or an element to be there, or gone; else just wait."""
        milliseconds, state = given["longest"] * 1000, "hidden" if given["gone"] else "visible"
        if given["selector"] or given["text"]:
            found = self.page.locator(given["selector"]) if given["selector"] else self.page.get_by_text(given["text"])
            await found.first.wait_for(state=state, timeout=milliseconds)
        else:
            await self.page.wait_for_timeout(milliseconds)
        return await self.look(given)

    async def query(self, given: Given) -> Given:
        """What matches a CSS selector."""
        found = self.page.locator(f"css={given['selector']}")
        count = await found.count()
        script = """e => ({tag: e.tagName.toLowerCase(), text: (e.innerText || e.value || '').slice(0, 2000),
          attributes: Object.fromEntries([...e.attributes].slice(0, 30).map(a => [a.name, a.value.slice(0, 500)]))})"""
        each = [await found.nth(n).evaluate(script, timeout=FINDS) for n in range(min(count, given["most"]))]
        return {"count": count, "found": each, "url": self.page.url}

    async def shot(self, given: Given) -> Given:
        """A picture of what is seen, of the whole page, or of an element."""
        if given["ref"]:
            taken = await self._find(given["ref"]).screenshot(timeout=LOADS)
        elif given["whole"]:
            size = await self.page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
            )
            width, height = min(int(size[0]), 4000), min(int(size[1]), MOST_HEIGHT)
            clip: Any = {"x": 0, "y": 0, "width": max(width, 1), "height": max(height, 1)}
            taken = await self.page.screenshot(full_page=True, clip=clip, timeout=self._timeout)
        else:
            taken = await self.page.screenshot(timeout=self._timeout)
        return {"png": base64.b64encode(taken).decode(), "url": self.page.url, "title": await self.page.title()}

    async def look(self, _given: Given) -> Given:
        """The page as it is, and what can be done on it."""
        for close in self._pages[:-MOST_PAGES]:
            await close.close()
        with suppress(Error):
            await self.page.wait_for_load_state("load", timeout=LOADS)
        try:
            return await self._seen()
        except Error:  # it went on to another page meanwhile
            with suppress(Error):
                await self.page.wait_for_load_state("load", timeout=LOADS)
            return await self._seen()

    # ---- how

    def _find(self, ref: str) -> Locator:
        return self.page.locator(f"aria-ref={ref}")

    async def _acted(self, given: Given, act: Callable[[], Awaitable[None]]) -> Given:
        """Act, and wait for the page that this leads to, if it does."""
        self._began.clear()
        self._arrived.clear()
        await act()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._began.wait(), BEGINS)
            await asyncio.wait_for(self._arrived.wait(), self._timeout / 1000)
            with suppress(Error):
                await self.page.wait_for_load_state("domcontentloaded", timeout=LOADS)
        return await self.look(given)

    async def _seen(self) -> Given:
        page = self.page
        links = await page.evaluate(
            f"[...document.links].slice(0, {MOST_LINKS}).map(a => String(a.href).slice(0, 8000))"
        )
        roles = _roles(await _snapshot(page))
        described = await asyncio.gather(*(self._described(*role) for role in roles[:MOST_DESCRIBED]))
        notes, self._notes = self._notes, []
        return {
            "url": page.url,
            "title": await page.title(),
            "status": self._status,
            "html": (await page.content())[:MOST_HTML],
            "links": links,
            "elements": [each for each in described if each],
            "notes": notes[:10],
            "pages": len(self._pages),
        }

    async def _described(self, role: str, name: str, ref: str) -> Given | None:
        with suppress(Error):
            found: Given = await self._find(ref).evaluate(DESCRIBE, timeout=1_000)
            return {**found, "role": role, "ref": ref, "label": name or found["label"]}
        return None


async def _snapshot(page: Page) -> str:
    """The page's elements; nothing where a page has emptied itself and never gives any."""
    try:
        return await page.aria_snapshot(mode="ai", timeout=FINDS)
    except TimeoutExpired:
        return ""


async def _fill(found: Locator, value: object) -> None:
    if isinstance(value, bool):
        await found.set_checked(value, timeout=FINDS)
    elif await found.evaluate("e => e.tagName", timeout=FINDS) == "SELECT":
        await found.select_option(label=str(value), timeout=FINDS)
    else:
        await found.fill(str(value), timeout=FINDS)


def _roles(snapshot: str) -> list[tuple[str, str, str]]:
    """Role, name and reference of every element of a snapshot that can be used."""
    found: list[tuple[str, str, str]] = []
    for line in snapshot.splitlines():
        read = LINE.match(line.strip())
        ref = REF.search(read[3]) if read else None
        if read and ref and (read[1] in USED or "[cursor=pointer]" in read[3]):
            found.append((read[1], _unquoted(read[2]), ref[1]))
    return found


def _unquoted(name: str | None) -> str:
    with suppress(ValueError):
        return str(json.loads((name or '""').replace("''", "'")))[:200]
    return ""


async def _launch(playwright: Playwright, given: Given, port: int) -> Browser:
    chromium = given["browser"] == "chromium"
    kind = getattr(playwright, given["browser"])
    return await kind.launch(
        executable_path=given["executable"],
        args=[*(FLAGS if chromium else ()), *given["args"]],
        proxy={"server": f"http://127.0.0.1:{port}"},
        timeout=given["timeout"],
        **({"chromium_sandbox": given["own_sandbox"]} if chromium else {}),
    )


async def _forward(folder: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand one connection of the browser to the guard."""
    try:
        to_reader, to_writer = await asyncio.open_unix_connection(str(folder / "web"))
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def _obey(host: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do what comes, one after the other, until nobody asks any more."""
    known = {"open": host.open, "click": host.click, "fill": host.fill, "wait": host.wait}
    known |= {"query": host.query, "shot": host.shot, "look": host.look}
    while line := await reader.readline():
        asked = json.loads(line)
        try:
            answer: Given = {"gave": await known[asked["do"]](asked["with"])}
        except Error as error:
            answer = {"error": error.message.partition("\nCall log")[0][:1_000]}
        await _say(writer, answer)


async def _say(writer: asyncio.StreamWriter, answer: Given) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


async def main() -> None:
    """Start the browser as the first line says, and do what the others say."""
    folder = Path(sys.argv[1])
    reader, writer = await asyncio.open_unix_connection(str(folder / "talk"), limit=1 << 24)
    given = json.loads(await reader.readline())
    ways = await asyncio.start_server(lambda r, w: _forward(folder, r, w), "127.0.0.1", 0)
    async with async_playwright() as playwright:
        try:
            browser = await _launch(playwright, given, ways.sockets[0].getsockname()[1])
        except Error as error:
            await _say(writer, {"error": error.message[:2_000]})
            return
        browser.on("disconnected", lambda _: os._exit(3))
        host = Host(await browser.new_context(**given["context"]), given["timeout"])
        await _say(writer, {"gave": {"version": browser.version}})
        await _obey(host, reader, writer)
    os._exit(0)


def prepare() -> None:
    """Have everything temporary in the folder we may fill, which is the current one."""
    Path("tmp").mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(Path("tmp").absolute())


if __name__ == "__main__":
    prepare()
    asyncio.run(main())
