"""`lar turn`."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any, cast

from lar.cli.context import call, read_config
from lar.cli.table import local_time, printable, table
from lar.domain.values import JsonObject
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


def replay(arguments: argparse.Namespace) -> int:
    """Run an exported turn again, offline; 1 where code or prompt now differ."""
    from lar.app import App  # a whole Lar, which the other commands of this module do not need

    record = _read(arguments.file)
    found = asyncio.run(App(read_config(arguments)).replay(record))
    for difference in found.differences:
        print(printable(difference))
    print(f"{found.steps} steps replayed, {len(found.differences) or 'no'} differences.")
    return 1 if found.differences else 0


def _read(path: Path) -> JsonObject:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LarError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise LarError(f"{path} is not a turn as `lar turn export` writes it: {error}") from None
    return records.check(record)
