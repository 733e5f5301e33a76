"""Columns for people to read, and text that is safe to print."""

import re
from collections.abc import Sequence
from datetime import datetime

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Left-aligned columns, two spaces apart."""
    lines = [head, *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def local_time(at: float | None) -> str:
    """A time (seconds since the epoch) on this machine's clock, empty for None."""
    return "" if at is None else datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def printable(text: str) -> str:
    """The text without control characters: nothing a model writes may steer the terminal."""
    return _CONTROL.sub("", text)
