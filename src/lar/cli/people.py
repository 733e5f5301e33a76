"""`lar people`."""

import argparse
from typing import Any, cast

from lar.cli.context import call
from lar.cli.table import table
from lar.errors import LarError


def list_(arguments: argparse.Namespace) -> int:
    """Show people and open requests."""
    found = call(arguments, "people/list")
    people, requests = (cast("list[dict[str, Any]]", found[name]) for name in ("people", "requests"))
    rows = [
        (entry["id"], entry["name"], entry["role"], f"{entry['channel']}:{entry['user']}", entry["account"])
        for entry in people
    ]
    print(table(("ID", "NAME", "ROLE", "KNOWN AS", "ACCOUNT"), rows) if rows else "Nobody has talked to Lar yet.")
    for request in requests:
        who = f"{request['name']} ({request['channel']}:{request['user']})"
        print(f"\n{who} asks to be let in: lar people approve {request['code']}")
    return 0


def add(arguments: argparse.Namespace) -> int:
    """Let somebody in."""
    channel, colon, user = arguments.who.partition(":")
    if not (channel and colon and user):
        raise LarError("write who it is as channel:user, such as telegram:123456789")
    asked = {
        "channel": channel,
        "account": arguments.account,
        "user": user,
        "name": arguments.name,
        "admin": arguments.admin,
    }
    return _say(arguments, "people/add", asked)


def remove(arguments: argparse.Namespace) -> int:
    """Withdraw what was granted."""
    return _say(arguments, "people/remove", {"id": arguments.id})


def admin(arguments: argparse.Namespace) -> int:
    """Make somebody an admin."""
    return _say(arguments, "people/admin", {"id": arguments.id})


def approve(arguments: argparse.Namespace) -> int:
    """Accept a pairing request."""
    return _say(arguments, "people/approve", {"code": arguments.code})


def _say(arguments: argparse.Namespace, name: str, payload: dict[str, object]) -> int:
    print(call(arguments, name, payload)["said"])
    return 0
