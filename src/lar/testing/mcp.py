"""MCP servers under test: a place where they are configured, started and called."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, TurnId
from lar.store import people
from lar.store.database import Database
from lar.store.mcp import Change
from lar.testing.turns import ANN
from lar.tools.artifacts import Artifacts
from lar.tools.contract import Tool, ToolContext, ToolResult
from lar.tools.mcp.server import Around
from lar.tools.mcp.servers import McpServers
from lar.tools.mcp.settings import McpSettings
from lar.tools.settings import ArtifactSettings

PROGRAM = Path(__file__).with_name("mcp_server.py")
CONTEXT = ToolContext(ANN, ConversationId(1), TurnId(1), Place.PRIVATE, call="1.1")
"""Who calls."""

PATIENCE = 30.0
"""Seconds after which what should have happened never will."""


@dataclass
class McpBench:
    """A database, a folder, and servers that come and go."""

    folder: Path
    db: Database
    problems: dict[str, str] = field(default_factory=dict[str, str])
    opened: list[McpServers] = field(default_factory=list[McpServers])
    waiting: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Server → the tools whose changes wait for an admin."""

    def report(self, source: str, sentence: str | None) -> None:
        """Keep or close a problem."""
        self.problems.pop(source, None)
        if sentence is not None:
            self.problems[source] = sentence

    async def changed(self, server: str, changes: Sequence[Change]) -> None:
        """Keep what waits for an admin."""
        self.waiting[server] = [change.tool for change in changes]

    async def open(self, **servers: dict[str, Any]) -> McpServers:
        """Servers of a process of Lar, not started."""
        settings = McpSettings.model_validate({"servers": servers})
        if await self.db.read(people.find, "t", "m", "ann") is None:
            await self.db.write(people.add, "t", "m", "ann", ANN, 0.0)
        artifacts = Artifacts(self.db, self.folder / "files", time.time, ArtifactSettings())
        around = Around(self.db, artifacts.keep, self.report, self.folder / "mcp", time.monotonic, self.changed)
        opened = McpServers(settings, around)
        await opened.open()
        self.opened.append(opened)
        return opened

    async def odd(self, **more: object) -> McpServers:
        """The odd server, started, its tools offered."""
        opened = await self.open(odd=self.program(**more))
        opened.begin()
        await self.until(lambda: "mcp: odd" in self.problems or opened.tools())
        return opened

    def program(self, **more: object) -> dict[str, Any]:
        """The settings of the odd server."""
        return {"command": sys.executable, "args": [str(PROGRAM), str(self.folder)], **more}

    def says(self, *tools: dict[str, Any]) -> None:
        """What the odd server says of its tools from now on."""
        (self.folder / "tools.json").write_text(json.dumps(tools))

    @property
    def notices(self) -> list[str]:
        """What the odd server noticed."""
        path = self.folder / "notices"
        return path.read_text().splitlines() if path.exists() else []

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until this is true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  # what happens in another process sets no event here
                await asyncio.sleep(0.01)


def named(servers: McpServers, name: str) -> Tool:
    """An offered tool."""
    return next(tool for tool in servers.tools() if tool.name == name)


async def use(servers: McpServers, name: str, text: str = "") -> ToolResult:
    """Call a tool of the odd server."""
    return await named(servers, f"odd__{name}").call(CONTEXT, {"text": text})
