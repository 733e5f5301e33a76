"""Tables: aligned in a fixed-width block where a phone shows that, else one entry per row."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

MAX_WIDTH = 44
"""Columns of fixed-width text that a phone shows without wrapping, roughly."""

_BETWEEN = "  "


@dataclass(frozen=True, slots=True)
class Table:
    """Plain cell texts. `aligns` holds left, right or center per column; rows may be longer than the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    aligns: tuple[str, ...]


def aligned(table: Table) -> str:
    """The table in fixed-width text, empty if it would be too wide."""
    count = max(len(table.header), *(len(row) for row in table.rows), 0, 0)
    lines = [_padded(line, count) for line in (table.header, *table.rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(count)]
    if sum(widths) + len(_BETWEEN) * (count - 1) > MAX_WIDTH:
        return ""
    aligns = (*table.aligns, *("left",) * (count - len(table.aligns)))
    rule = _BETWEEN.join("─" * width for width in widths)
    shown = [_BETWEEN.join(_cell(*part) for part in zip(line, widths, aligns, strict=True)).rstrip() for line in lines]
    return "\n".join([shown[0], rule, *shown[1:]])


def _padded(line: Sequence[str], count: int) -> tuple[str, ...]:
    return (*line, *("",) * (count - len(line)))


def _cell(text: str, width: int, align: str) -> str:
    room = width - _width(text)
    left = room if align == "right" else room // 2 if align == "center" else 0
    return " " * left + text + " " * (room - left)


def _width(text: str) -> int:
    """Columns in a fixed-width font: wide characters take two, marks and joiners none."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
