"""From what was accepted of a server to the tools that a model is offered."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

from lar.domain.risk import WORST, Deed, Risk
from lar.domain.values import JsonObject
from lar.store.mcp import Described
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult
from lar.tools.mcp.describing import clean, tool_name
from lar.tools.mcp.settings import McpServerSettings

Call = Callable[[str, ToolContext, JsonObject, bool], Awaitable[ToolResult]]
"""Calls a tool of the server: its name there, who calls, the arguments, whether it may be repeated."""

_HINTS = {
    "readOnlyHint": ("only looks", "changes something"),
    "destructiveHint": ("may destroy something", "destroys nothing"),
}


def offer(server: str, settings: McpServerSettings, described: Described, call: Call) -> tuple[Tool, ...]:
    """The tools of a server, as they were accepted."""
    return tuple(_tool(server, settings, tool, text, call) for tool, text in described.items())


def _tool(server: str, settings: McpServerSettings, tool: str, described: JsonObject, call: Call) -> Tool:
    claims = cast("Mapping[str, bool]", described["claims"])
    risk, deed = judge(settings, tool, claims)
    repeatable = risk is Risk.READ or (settings.trust_annotations and claims.get("idempotentHint", False))
    target = urlsplit(settings.url).netloc.rpartition("@")[2] or server

    async def act(context: ToolContext, arguments: JsonObject) -> ToolResult:
        return await call(tool, context, arguments, repeatable)

    def effect(arguments: JsonObject) -> Effect:
        return Effect(deed, _summary(server, tool, claims, arguments), target)

    description = described["description"] or f"{tool} of the MCP server {server}."
    return Tool(tool_name(server, tool), description, described["schema"], risk, repeatable, act, effect=effect)


def judge(settings: McpServerSettings, tool: str, claims: Mapping[str, bool]) -> tuple[Risk, Deed]:
    """What a call is taken for. What the server claims makes it milder only where the owner trusts it."""
    if tool in settings.tool_risks:
        risk = settings.tool_risks[tool]
        return risk, WORST[risk]
    if settings.trust_annotations and claims.get("readOnlyHint", False):
        return (Risk.REACH, Deed.OPEN) if claims.get("openWorldHint", True) else (Risk.READ, Deed.LOOK)
    return settings.risk, settings.deed or WORST[settings.risk]


def _summary(server: str, tool: str, claims: Mapping[str, bool], arguments: JsonObject) -> str:
    said = ", ".join(
        f"{clean(name)}={clean(json.dumps(value, ensure_ascii=False))}" for name, value in arguments.items()
    )
    hints = [words[0 if claims[hint] else 1] for hint, words in _HINTS.items() if hint in claims]
    claim = f" It says of itself that it {' and '.join(hints)}." if hints else ""
    return f"Call {tool} of the MCP server {server} with {said or 'no arguments'}.{claim}"
