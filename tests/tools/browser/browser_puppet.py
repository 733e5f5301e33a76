"""Something that says it is a browser: it answers what a test wrote down, and runs nothing."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from browser_desk import Desk
from web_site import elsewhere, site

from lar.domain.values import JsonObject
from lar.errors import SandboxError
from lar.sandboxes.contract import Check, Promise, Result, Spec
from lar.tools.browser import browsers
from lar.tools.browser.browsers import Browsers
from lar.tools.browser.finding import Found
from lar.tools.browser.settings import BrowserSettings
from lar.tools.outside import Outside

Says = bytes | JsonObject | Callable[[], object]
ENDED = Result(0, None, b"", b"", 1.0)


def look(url: str = "http://example.org/", **more: object) -> JsonObject:
    """A look at a page."""
    return {"gave": {"url": url, "status": 200, "html": "<p>hello", "links": [], "elements": [], **more}}


def element(ref: str, role: str = "button", label: str = "", **more: object) -> JsonObject:
    """Something on a page."""
    return {"ref": ref, "role": role, "label": label, **more}


class Puppet:
    """A sandbox in which nothing runs. Each run says the next `says` when it is asked something, and ends after them.

    `result` is how it ends; `fault` is raised instead; `silent` runs never connect.
    """

    name = "puppet"
    hands_back = False
    internet = False
    promises = frozenset[Promise]()

    def __init__(self, *says: Says, result: Result = ENDED, fault: str = "", works: bool = True) -> None:
        self.says = list(says)
        self.asked: list[JsonObject] = []
        self.result = result
        self.fault = fault
        self.works = works
        self.silent = False

    async def run(self, spec: Spec) -> Result:
        """Answer until nothing is left to say."""
        if self.fault:
            raise SandboxError(self.fault)
        if self.silent:
            await asyncio.Event().wait()
        reader, writer = await asyncio.open_unix_connection(str(Path(spec.argv[-1]) / "talk"))
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()
        return self.result

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.says and (line := await reader.readline()):
            self.asked.append(json.loads(line))
            said = self.says.pop(0)
            if callable(said):
                await asyncio.Event().wait()
            writer.write(said if isinstance(said, bytes) else json.dumps(said).encode() + b"\n")
            await writer.drain()
        await reader.readline()
        if self.result is ENDED:
            await reader.read()

    async def check(self) -> Check:
        """As it was told to say."""
        lacks = () if self.works else (("namespaces", "sysctl x=1"),)
        return Check(self.works, "it was tried", lacks=lacks)

    async def recover(self) -> None:
        """Nothing is left behind."""


@asynccontextmanager
async def played(
    puppet: Puppet, monkeypatch: pytest.MonkeyPatch, outside: Outside | None = None, **settings: object
) -> AsyncGenerator[Desk]:
    """A desk whose browsers are this puppet; nothing needs to be installed for it."""
    found = Found("/usr/bin/chromium", "/usr/bin/python3", Path("/nowhere"), ())

    def find(_settings: BrowserSettings) -> Found:
        return found

    monkeypatch.setattr(browsers, "find", find)
    chosen = BrowserSettings.model_validate(settings)
    async with site() as web:
        here = Desk(Browsers(chosen, outside or elsewhere(), puppet), web)
        try:
            yield here
        finally:
            await here.browsers.stop()
