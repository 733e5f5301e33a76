"""`lar mcp`."""

import argparse
from collections.abc import Sequence
from typing import Any, cast

from lar.cli.context import call
from lar.cli.table import printable, table
from lar.conversations.changed_tools import difference
from lar.errors import LarError
from lar.store.mcp import Change

Changed = dict[str, Any]


def list_(arguments: argparse.Namespace) -> int:
    """Show the servers, and what changed in them."""
    servers = _servers(arguments)
    rows = [
        (server["name"], len(server["tools"]), len(server["changes"]), server["problem"] or "ok") for server in servers
    ]
    print(table(("SERVER", "TOOLS", "CHANGES", "STATE"), rows) if rows else "No MCP server has answered yet.")
    for server in servers:
        if server["changes"]:
            print(f"\n{_shown(server['changes'])}\nIf this is as it should be: lar mcp accept {server['name']}")
    return 0


def accept(arguments: argparse.Namespace) -> int:
    """Show what changed, and accept just that."""
    found = [server for server in _servers(arguments) if server["name"] == arguments.server]
    if not found:
        raise LarError(f"there is no MCP server {arguments.server}: `lar mcp list` shows those there are")
    changes = [change for change in found[0]["changes"] if arguments.tool in {None, change["tool"]}]
    if not changes:
        raise LarError(f"nothing waits to be accepted of {arguments.tool or arguments.server}")
    print(_shown(changes))
    asked = {"server": arguments.server, "digests": [change["digest"] for change in changes]}
    print(call(arguments, "mcp/accept", asked)["said"])
    return 0


def _servers(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", call(arguments, "mcp/list")["servers"])


def _shown(changes: Sequence[Changed]) -> str:
    parts = [difference(Change(change["tool"], change["before"], change["now"])) for change in changes]
    return "\n".join(printable(line) for lines in parts for line in lines)
