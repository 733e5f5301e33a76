"""`lar status`."""

import argparse
import json
from typing import Any, cast

from lar.cli.context import call
from lar.errors import StoreError


def status(arguments: argparse.Namespace) -> int:
    """Show what runs; 1 where something is wrong or nothing runs."""
    try:
        found = cast("dict[str, Any]", call(arguments, "status"))
    except StoreError as error:
        print(json.dumps({"running": False, "problem": str(error)}) if arguments.json else f"not running: {error}")
        return 1
    problems = cast("dict[str, str]", found.get("problems", {}))
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(found, problems)))
    return 0 if found["running"] and not problems else 1


def _lines(found: dict[str, Any], problems: dict[str, str]) -> list[str]:
    lines = [f"Lar {found['version']} on {found['database']}"]
    if found["running"]:
        lines.append(f"running as process {found['pid']} for {_duration(found['uptime'])}")
        lines.append(f"channels: {', '.join(found['channels'])}")
        lines += [f"agent {name}: {what}" for name, what in found["agents"].items()]
        lines += found.get("resting", [])
    else:
        lines.append("not running: `lar run` starts it")
    parts = ", ".join(f"{count} {state}" for state, count in found["deliveries"].items() if count)
    lines.append(f"turns open: {found['turns']['open']}; deliveries: {parts or 'none'}")
    return lines + [f"problem with {source}: {sentence}" for source, sentence in problems.items()]


def _duration(seconds: float) -> str:
    minutes = int(seconds) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h {minutes} min" if days else f"{hours} h {minutes} min"
