"""`lar turn`."""

import argparse
import json
from typing import Any, cast

from lar.cli.context import call
from lar.cli.table import local_time, printable, table
from lar.errors import LarError
from lar.operations import records


def list_(arguments: argparse.Namespace) -> int:
    """Show the last turns."""
    found = cast("list[dict[str, Any]]", call(arguments, "turn/list", {"limit": arguments.limit})["turns"])
    rows = [
        (turn["id"], turn["state"], local_time(turn["created_at"]), f"{turn['channel']}:{turn['chat']}", turn["agent"])
        for turn in found
    ]
    print(table(("ID", "STATE", "MADE", "CONVERSATION", "AGENT"), rows) if rows else "There are no turns yet.")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print a timeline."""
    print(printable(records.timeline(call(arguments, "turn/record", {"id": arguments.id}))))
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write a record as JSON."""
    record = records.export(call(arguments, "turn/record", {"id": arguments.id}))
    text = json.dumps(record, ensure_ascii=False, indent=2)
    if arguments.output is None:
        print(text)
        return 0
    try:
        arguments.output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise LarError(f"{arguments.output} cannot be written: {error.strerror}") from error
    return 0
