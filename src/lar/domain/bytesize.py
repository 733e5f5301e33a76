"""Sizes in bytes, as people write them: SI (`16KB` is 16,000) and IEC (`5MiB` is 5,242,880)."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_LETTERS = tuple(enumerate("kmgtp", 1))
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in _LETTERS},
    **{f"{letter}ib": 1024**power for power, letter in _LETTERS},
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", re.ASCII)


def parse_bytes(value: object) -> int:
    """The size in whole bytes: a number of bytes, or text like `512`, `16 KB`, `1.5GiB`. Units in any case.

    Raises:
        ValueError: it is none of these.

    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError("should be a size such as 512, 16KB or 5MiB")
    whole, _, fraction = match[1].partition(".")
    return int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


def format_bytes(size: int) -> str:
    """The size exactly, in the largest unit that divides it: `parse_bytes` reads it back."""
    by_size = sorted(((factor, name) for name, factor in _UNITS.items() if factor > 1), reverse=True)
    for factor, name in by_size:
        if size and size % factor == 0:
            return f"{size // factor}{name[0].upper()}{'iB' if 'i' in name else 'B'}"
    return f"{size}B"


ByteSize = Annotated[int, BeforeValidator(parse_bytes)]
"""A size in bytes; a settings field of this type takes what `parse_bytes` takes."""
