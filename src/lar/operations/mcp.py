"""MCP servers: what the operator can see and accept of what they say of their tools."""

from collections.abc import Mapping
from typing import cast

from sqlalchemy import Connection

from lar.conversations import changed_tools
from lar.domain.values import JsonObject
from lar.errors import LarError
from lar.operations.people import OPERATOR
from lar.store import mcp
from lar.store.mcp import Change

PROBLEM = "mcp: "
"""How the sources of problems of servers begin."""


def listing(connection: Connection, problems: Mapping[str, str]) -> JsonObject:
    """The servers that ever answered.

    `servers`: `name`, `tools` (offered), `changes` (see `changed`); `problem` says why it does not work now.
    """
    described = mcp.load_all(connection, mcp.servers(connection))
    troubled = {source.removeprefix(PROBLEM) for source in problems if source.startswith(PROBLEM)}
    names = [*described, *sorted(name for name in troubled if " " not in name and name not in described)]
    return {
        "servers": [
            {
                "name": name,
                "tools": sorted(described[name].offered) if name in described else [],
                "changes": changed(connection, name),
                "problem": problems.get(f"{PROBLEM}{name}", ""),
            }
            for name in names
        ]
    }


def changed(connection: Connection, server: str) -> list[JsonObject]:
    """What differs from what was accepted: `tool`, `digest`, `before` and `now` (a description, or None)."""
    return [_as_json(change) for change in mcp.load(connection, server).changes]


def accept(connection: Connection, arguments: JsonObject, now: float) -> JsonObject:
    """Accept the changes `digests` of `server`: those, as they were shown, and nothing that came since."""
    server, digests = arguments.get("server"), arguments.get("digests")
    if not isinstance(server, str) or server not in mcp.servers(connection):
        raise LarError(f"there is no MCP server {server} that ever answered: `lar mcp list` shows those there are")
    if not isinstance(digests, list):
        raise LarError("digests is missing: it says which changes were looked at")
    wanted = frozenset(str(digest) for digest in cast("list[object]", digests))
    accepted = mcp.accept(connection, server, wanted)
    if len(accepted) < len(wanted):
        raise LarError(f"{server} has changed again since you looked: look again")
    changed_tools.settle(connection, server, OPERATOR.name, now)
    return {"said": f"Accepted of {server}: {', '.join(change.tool for change in accepted)}."}


def _as_json(change: Change) -> JsonObject:
    return {"tool": change.tool, "digest": change.digest, "before": change.before, "now": change.now}
