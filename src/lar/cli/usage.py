"""`lar usage`."""

import argparse
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from lar.cli.context import call
from lar.cli.table import table

Line = dict[str, Any]


def usage(arguments: argparse.Namespace) -> int:
    """Show what model calls cost, by day, person, agent and model."""
    last = datetime.now().astimezone().date()
    first = last - timedelta(days=arguments.days - 1)
    asked = {"first": first.isoformat(), "last": (last + timedelta(days=1)).isoformat()}
    lines = cast("list[Line]", call(arguments, "usage", asked)["lines"])
    if arguments.json:
        print(json.dumps(lines, ensure_ascii=False, indent=2))
        return 0
    rows = [_row([line[name] for name in ("day", "person", "agent", "schedule", "model")], [line]) for line in lines]
    rows.append(_row(["in all", "", "", "", ""], lines))
    print(table(("DAY", "PERSON", "AGENT", "SCHEDULE", "MODEL", "CALLS", "IN", "OUT", "USD", "ESTIMATED"), rows))
    return 0


def _row(names: Sequence[str], lines: Sequence[Line]) -> tuple[object, ...]:
    counts = [sum(line[name] for line in lines) for name in ("calls", "input_tokens", "output_tokens")]
    amounts = [f"{sum(line[name] for line in lines):.4f}" for name in ("usd", "estimated_usd")]
    return (*names, *counts, *amounts)
