"""`lar approvals`."""

import argparse
from typing import Any, cast

from lar.cli.context import call
from lar.cli.table import table


def list_(arguments: argparse.Namespace) -> int:
    """Show what waits for an answer, and what was permitted for good."""
    found = call(arguments, "approvals/list")
    asked, permitted = (cast("list[dict[str, Any]]", found[name]) for name in ("questions", "permissions"))
    print("\n\n".join(f"#{one['id']} for {one['who']}\n{one['asked']}" for one in asked) or "No question is open.")
    if permitted:
        rows = [
            (one["id"], one["principal_id"], one["tool"], one["target"], one["conversation_id"] or "everywhere")
            for one in permitted
        ]
        print(f"\n{table(('PERMISSION', 'PERSON', 'TOOL', 'TARGET', 'CONVERSATION'), rows)}")
    return 0


def approve(arguments: argparse.Namespace) -> int:
    """Say yes."""
    return _decide(arguments, arguments.scope, "")


def deny(arguments: argparse.Namespace) -> int:
    """Say no."""
    return _decide(arguments, "deny", arguments.reason)


def withdraw(arguments: argparse.Namespace) -> int:
    """Take a permission back."""
    print(call(arguments, "approvals/withdraw", {"id": arguments.id})["said"])
    return 0


def _decide(arguments: argparse.Namespace, answer: str, reason: str) -> int:
    print(call(arguments, "approvals/decide", {"id": arguments.id, "answer": answer, "reason": reason})["said"])
    return 0
