"""One connection to one server. Imports mcp: this is the door behind which the library is."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    REQUEST_TIMEOUT,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    ToolListChangedNotification,
)
from pydantic import ValidationError

from lar import __version__
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.tools.artifacts import Keep
from lar.tools.contract import ToolContext, ToolResult
from lar.tools.mcp.address import reached
from lar.tools.mcp.line import Line, Program, where
from lar.tools.mcp.program import started
from lar.tools.mcp.results import as_result
from lar.tools.mcp.settings import McpServerSettings

HTTP_ERROR, SESSION_OVER = "Server returned an error response", "Session terminated"
"""How the library words a status of HTTP: one that says nothing of the call, and that the session is not known."""

MOST_PAGES, MOST_TOOLS = 20, 200
"""What a server may list; what is beyond is not there."""


class Connection:
    """A server that has answered."""

    def __init__(self, name: str, settings: McpServerSettings, client: Client, line: Line, keep: Keep) -> None:
        self._name = name
        self._settings = settings
        self._client = client
        self._line = line
        self._keep = keep

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self._line.over

    async def listed(self) -> list[Mapping[str, Any]]:
        """All tools, as the server describes them.

        Raises:
            ToolError: it does not.

        """
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            try:
                page = await self._client.list_tools(cursor=cursor)
            except (MCPError, ValidationError) as error:
                text = f"The MCP server {self._name} does not list its tools as it should: {error}"
                raise ToolError(text, source=f"mcp: {self._name}") from error
            found += [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor or len(found) >= MOST_TOOLS:
                break
        return found[:MOST_TOOLS]

    async def call(self, tool: str, context: ToolContext, arguments: JsonObject) -> ToolResult:
        """Call a tool. Cancelling this cancels it at the server, and so does the end of its time.

        Raises:
            ToolError: the server refuses, fails, or gives no answer.

        """
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=dict(arguments)))
        source = f"mcp: {self._name}"
        try:
            answer = await self._client.session.send_request(request, CallToolResult, self._settings.timeout_seconds)
        except MCPError as error:
            raise self._explained(error, tool, source) from error
        except ValidationError as error:
            text = f"The answer of the MCP server {self._name} to {tool} is not what the protocol says."
            raise ToolError(text, source=source) from error
        return await as_result(answer, context, source, self._keep)

    def _explained(self, error: MCPError, tool: str, source: str) -> ToolError:
        """The error as the model is told of it; what it says of the line is kept."""
        if error.code == CONNECTION_CLOSED:
            self._line.end(error.message)
            return ToolError(self._unknown(tool, self._line.cause), source=source, unknown=True)
        if error.code == REQUEST_TIMEOUT or error.message == HTTP_ERROR:
            late = f"it did not answer within {self._settings.timeout_seconds:g} s"
            cause = f"HTTP {self._line.status}" if error.message == HTTP_ERROR else late
            return ToolError(self._unknown(tool, cause), source=source, unknown=True)
        if error.message == SESSION_OVER:
            self._line.end("it began a new session")
        return ToolError(f"The MCP server {self._name} refuses: {error.message}", source=source)

    def _unknown(self, tool: str, cause: str) -> str:
        return (
            f"The MCP server {self._name} gave no answer to {tool} ({cause}): its outcome is unknown, it may or may "
            "not have happened. Do not repeat it blindly: check first if you can, and tell the person."
        )


@asynccontextmanager
async def connect(
    name: str, settings: McpServerSettings, folder: Path, line: Line, keep: Keep
) -> AsyncGenerator[Connection]:
    """Start or reach a server, and be its client; what happens to it is told to `line`.

    Raises:
        TimeoutError: it does not answer in time.
        Exception: whatever else keeps it from answering, maybe in groups.

    """

    async def hear(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            line.change()

    place = where(name, settings, folder)
    transport: AbstractAsyncContextManager[Any] = (
        started(place, line) if isinstance(place, Program) else reached(place, line)
    )
    client = Client(
        transport,
        read_timeout_seconds=settings.start_seconds,
        message_handler=hear,
        client_info=Implementation(name="lar", version=__version__),
        cache=None,
    )
    async with asyncio.timeout(settings.start_seconds) as limit, client:
        limit.reschedule(None)
        yield Connection(name, settings, client, line, keep)
