"""A browser for tests: its tools, a web site of this machine, and people who use them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest
from web_site import Site, elsewhere, site

from lar.domain.artifact import Artifact
from lar.domain.ids import ConversationId, TurnId
from lar.domain.principal import Principal
from lar.errors import ToolError
from lar.testing.turns import ANN
from lar.tools.browser.browsers import Browsers
from lar.tools.browser.session import PREFIX
from lar.tools.browser.settings import BrowserSettings
from lar.tools.browser.tools import browser_tools
from lar.tools.contract import Effect, ToolContext, ToolResult
from lar.tools.outside import Outside


@dataclass
class Desk:
    """Somebody's browsers and a site. `pictures` are those that were kept."""

    browsers: Browsers
    web: Site
    pictures: list[bytes] = field(default_factory=list[bytes])

    def __post_init__(self) -> None:
        """Make the tools."""
        self.tools = {tool.name: tool for tool in browser_tools(self.browsers, self._keep)}

    async def _keep(self, _context: ToolContext, source: BinaryIO, name: str) -> Artifact:
        self.pictures.append(source.read())
        return Artifact(f"artifacts/1/{name}", name, "image/png", len(self.pictures[-1]))

    def url(self, path: str = "/", host: str = "example.org") -> str:
        """The site's address under a name."""
        return f"http://{host}:{self.web.port}{path}"

    async def call(self, name: str, who: Principal = ANN, conversation: int = 1, **arguments: object) -> ToolResult:
        """What a tool gives."""
        tool = self.tools[f"browser_{name}"]
        return await tool.call(context(who, conversation), tool.parse(arguments))

    async def fails(self, name: str, who: Principal = ANN, conversation: int = 1, **arguments: object) -> ToolError:
        """How a tool fails."""
        with pytest.raises(ToolError) as caught:
            await self.call(name, who, conversation, **arguments)
        return caught.value

    def effect(self, name: str, **arguments: object) -> Effect:
        """What the gate is told of a call."""
        tool = self.tools[f"browser_{name}"]
        return tool.would(tool.parse(arguments), context())

    def ref(self, label: str, who: Principal = ANN, conversation: int = 1) -> str:
        """The reference of what is called so on the page that is open."""
        found = self.browsers.seen(context(who, conversation))
        assert found is not None
        return next(each.ref for each in found[1].elements if each.label == label)


def context(who: Principal = ANN, conversation: int = 1) -> ToolContext:
    """Who calls, and where."""
    return ToolContext(who, ConversationId(conversation), TurnId(1), call="1.1")


def processes() -> list[int]:
    """Processes of this test's browsers: all that name their folder, and all below those."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                said = (entry / "cmdline").read_bytes()
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if f"{PREFIX}-".encode() in said:
                found.add(int(entry.name))
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


@asynccontextmanager
async def desk(outside: Outside | None = None, **settings: object) -> AsyncGenerator[Desk]:
    """A desk with settings and a guard; every browser ends with it."""
    chosen = BrowserSettings.model_validate(settings)
    async with site() as web:
        here = Desk(Browsers(chosen, outside or elsewhere()), web)
        try:
            yield here
        finally:
            await here.browsers.stop()


Opens = Callable[..., AbstractAsyncContextManager[Desk]]
"""Shape of the fixture `opens`: `desk`, where a browser is installed."""
