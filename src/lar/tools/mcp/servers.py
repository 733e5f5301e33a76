"""All configured servers, as one source of tools."""

import asyncio
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from lar.store import mcp
from lar.tools.contract import Tool
from lar.tools.mcp.server import Around, McpServer
from lar.tools.mcp.settings import McpSettings


class McpServers:
    """The servers of the configuration."""

    def __init__(self, settings: McpSettings, around: Around) -> None:
        self._around = around
        self._servers = {
            name: McpServer(name, server, around) for name, server in settings.servers.items() if server.enabled
        }
        self._unsubscribe: Callable[[], None] | None = None
        self._reading: set[asyncio.Task[None]] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """The servers that are used."""
        return tuple(self._servers)

    def serve(self, tool: str) -> bool:
        """Whether this names a tool, or with `*` all tools, of a server."""
        return any(tool.startswith(f"{name}__") for name in self._servers)

    def tools(self, wanted: Sequence[str] = ()) -> tuple[Tool, ...]:
        """All tools that are as they were accepted, whether their server runs now or not; or those that are wanted."""
        return tuple(
            tool
            for server in self._servers.values()
            for tool in server.tools
            if not wanted or any(fnmatchcase(tool.name, pattern) for pattern in wanted)
        )

    async def open(self) -> None:
        """Take over what was accepted, now and whenever it changes; start nothing."""
        self._unsubscribe = self._around.db.subscribe(mcp.TOPIC, lambda _: self._read_soon())
        await self._read()

    def begin(self) -> None:
        """Start all of them, and wait for none."""
        for server in self._servers.values():
            server.begin()

    async def stop(self) -> None:
        """End all of them, with everything they started. The next call of a tool starts its server again."""
        await asyncio.gather(*(server.stop() for server in self._servers.values()))

    async def close(self) -> None:
        """End for good."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        for task in self._reading:
            task.cancel()
        await self.stop()

    def _read_soon(self) -> None:
        task = asyncio.create_task(self._read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self) -> None:
        for name, pins in (await self._around.db.read(mcp.load_all, self.names)).items():
            await self._servers[name].pin(pins)
