"""`lar schedules`."""

import argparse
from typing import Any, cast

from lar.cli.context import call
from lar.cli.table import local_time, table

LONGEST = 40
"""Characters of a text that are shown."""


def schedules(arguments: argparse.Namespace) -> int:
    """Show what happens by the clock; with `--tasks` only what Lar does by itself."""
    found = cast("list[dict[str, Any]]", call(arguments, "schedules/list")["schedules"])
    rows = [
        (
            one["id"],
            one["kind"],
            " ".join(one["name"].split())[:LONGEST],
            local_time(one["next_due"]),
            local_time(one["fired_at"]),
            f"{one['state']}: {one['note']}" if one["note"] else one["state"],
        )
        for one in found
        if one["kind"] == "task" or not arguments.tasks
    ]
    print(table(("ID", "KIND", "WHAT", "NEXT", "LAST", "CAME OF IT"), rows) if rows else "There are no schedules.")
    return 0
