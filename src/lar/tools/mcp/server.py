"""A configured server: started when it is wanted, and again when it ended; its tools offered as they were accepted."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from lar.domain.values import Clock, JsonObject
from lar.errors import MissingComponent, ToolError
from lar.store import mcp
from lar.store.database import Database
from lar.store.mcp import Change, Pins
from lar.tools.artifacts import Keep
from lar.tools.contract import Tool, ToolContext, ToolResult
from lar.tools.mcp.describing import clean, describe
from lar.tools.mcp.line import Line
from lar.tools.mcp.offering import offer
from lar.tools.mcp.settings import McpServerSettings

if TYPE_CHECKING:
    from lar.tools.mcp.connection import Connection

log = structlog.get_logger(__name__)

PAUSE_FIRST, PAUSE_MOST = 1.0, 300.0
"""Seconds before a server that ended is started again: doubling from the first to the most."""

STEADY = 60.0
"""Seconds after which a server that ends is taken for one that works."""

LOOK_AGAIN, LISTEN_AGAIN = 300.0, 1.0
"""Seconds after which what a server said of its tools is old, and for which it is not asked again."""

LONGEST_CAUSE, NAMED = 200, 5
"""Characters of what is told of a failure, and how many tools are named."""


@dataclass(frozen=True, slots=True)
class Around:
    """What servers need of Lar. `folder` is where each has a folder of its own; `ticks` is a clock that never jumps.

    `changed` is told, whenever that was looked at, which changes of a server wait for an admin.
    """

    db: Database
    keep: Keep
    report: Callable[[str, str | None], None]
    folder: Path
    ticks: Clock
    changed: Callable[[str, Sequence[Change]], Awaitable[None]]


class McpServer:
    """One server and its tools."""

    def __init__(self, name: str, settings: McpServerSettings, around: Around) -> None:
        self.name = name
        where = [settings.command, *settings.args, settings.url]
        self.identity = hashlib.sha256(json.dumps(where).encode()).hexdigest()[:16]
        """Which server it is. Another one under the same name is the owner's doing, and begins anew."""
        self.tools: tuple[Tool, ...] = ()
        """The tools that are as they were accepted."""
        self._settings = settings
        self._around = around
        self._pins = Pins()
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._settled = asyncio.Event()
        self._failures, self._failure = 0, ""
        self._learned = 0.0

    async def pin(self, pins: Pins) -> None:
        """Take over what is accepted of what the server says, and tell what waits for an admin."""
        self._pins = pins if pins.identity == self.identity else Pins()
        offered = {tool: text for tool, text in self._pins.offered.items() if self._wanted(tool)}
        self.tools = offer(self.name, self._settings, offered, self.call)
        new = [change for change in self._pins.waiting if self._wanted(change.tool)]
        told = _waiting(self.name, [change.tool for change in new]) if new else None
        self._around.report(f"mcp: {self.name} tools", told)
        await self._around.changed(self.name, new)

    def _wanted(self, tool: str) -> bool:
        return not self._settings.tools or tool in self._settings.tools

    async def call(self, tool: str, context: ToolContext, arguments: JsonObject, repeatable: bool) -> ToolResult:
        """Call one of its tools; once more if the server died over it and that is safe.

        Raises:
            ToolError: the server does not work, refuses or fails.

        """
        try:
            return await self._call(tool, context, arguments)
        except ToolError as error:
            if not (error.unknown and repeatable and self._connection is None):
                raise
        return await self._call(tool, context, arguments)

    async def _call(self, tool: str, context: ToolContext, arguments: JsonObject) -> ToolResult:
        connection = await self._connected()
        if self._around.ticks() - self._learned > LOOK_AGAIN:
            await self._learn(connection)
        if tool not in self._pins.offered:
            raise ToolError(f"{tool} is not any more what was accepted. An admin can look at it: lar mcp list")
        try:
            return await connection.call(tool, context, arguments)
        finally:
            if connection.over:
                self._connection = None

    async def _connected(self) -> "Connection":
        """The connection; waited for if it is on its way.

        Raises:
            ToolError: there is none.

        """
        self.begin()
        try:
            async with asyncio.timeout(self._settings.start_seconds):
                while self._connection is None and self._failures <= 1:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            self._failure = self._failure or "it takes too long to start"
        if self._connection is None:
            text = f"The MCP server {self.name} does not work now: {self._failure}. Lar keeps trying to start it."
            raise ToolError(text, source=f"mcp: {self.name}")
        return self._connection

    # ---- keeping it

    def begin(self) -> None:
        """Start it, unless that was done."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it, with everything it started. The next call starts it again."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._connection = None

    async def _keep(self) -> None:
        pause = PAUSE_FIRST
        while True:
            began = self._around.ticks()
            cause = await self._serve()
            if self._around.ticks() - began > STEADY:
                pause, self._failures = PAUSE_FIRST, 0
            self._failures += 1
            self._connection, self._failure = None, clean(cause)[:LONGEST_CAUSE]
            self._around.report(f"mcp: {self.name}", f"does not work: {self._failure}")
            log.warning("an MCP server ended", server=self.name, cause=cause, again_in=pause)
            self._settled.set()
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_MOST)

    async def _serve(self) -> str:
        """Be connected for as long as it goes; why it ended."""
        line = Line()
        try:
            await asyncio.to_thread(_load)
            from lar.tools.mcp.connection import connect

            around = self._around
            async with connect(self.name, self._settings, around.folder, line, around.keep) as connection:
                await self._learn(connection)
                self._connection, self._failure = connection, ""
                around.report(f"mcp: {self.name}", None)
                self._settled.set()
                await self._attend(connection, line)
        except Exception as error:  # noqa: BLE001  # the library raises whatever the transport does, in groups
            cause = explain(error) if isinstance(error, TimeoutError) else line.cause or explain(error)
            log.warning("an MCP server failed", server=self.name, error=explain(error), said="\n".join(line.errors))
            return cause
        return line.cause

    async def _attend(self, connection: "Connection", line: Line) -> None:
        """Look at its tools again whenever it says that they have changed, until the line is over."""
        while not line.over:
            await line.news.wait()
            line.news.clear()
            if line.changed and not line.over:
                line.changed = False
                await self._learn(connection)
                await asyncio.sleep(LISTEN_AGAIN)

    async def _learn(self, connection: "Connection") -> None:
        said, refused = describe(await connection.listed())
        if refused:
            log.warning("tools of an MCP server cannot be offered", server=self.name, tools=refused)
        self._learned = self._around.ticks()
        await self.pin(await self._around.db.write(mcp.describe, self.name, self.identity, said))


def _load() -> None:
    """Import the library, off the event loop.

    Raises:
        MissingComponent: it is not installed.

    """
    try:
        import_module("mcp")
    except ImportError as error:
        raise MissingComponent("the mcp library is missing: pip install 'lar[mcp]'") from error
    import_module("lar.tools.mcp.connection")


def _waiting(server: str, tools: Sequence[str]) -> str:
    names = ", ".join(tools[:NAMED]) + (", ..." if len(tools) > NAMED else "")
    return f"new or changed, and not offered before an admin accepts it: {names} (lar mcp accept {server})"


def explain(error: BaseException) -> str:
    """What went wrong, in a sentence; of a group, what is at its bottom."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, FileNotFoundError):
        return f"there is no {error.filename}"
    return f"{error}" or type(error).__name__
