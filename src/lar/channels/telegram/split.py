"""Long text becomes several messages, cut where a reader would pause."""

import re
import unicodedata
from collections import deque
from collections.abc import Iterator

from lar.channels.telegram.rich import Rich, Span, crop, is_visible

FILE_THRESHOLD = 12_000
"""Characters of Markdown past which an answer is not split but sent as a file."""
MAX_UNITS = 4000  # Telegram takes 4096; the rest is for a line that marks a part as sent again
"""What a message holds, in UTF-16 code units."""
MAX_ENTITIES = 100
"""What Telegram formats of a message; it ignores the rest without a word."""

_EARLIEST = 0.4
_SENTENCE_END = re.compile("[.!?\u2026\u061f][\"'\u201d\u2019)\\]]*\\s|[\u3002\uff01\uff1f]")
_JOINER = "\u200d"
_NO_BREAK_HERE = frozenset({"Mn", "Mc", "Me"})


def split(rich: Rich, max_units: int = MAX_UNITS) -> Iterator[Rich]:
    """Yield parts of at most `max_units` and `MAX_ENTITIES`, each with something to see."""
    waiting = deque(rich.spans)
    active: list[Span] = []
    start = 0
    while start < len(rich.text):
        active = [span for span in active if span.end > start]
        end = _take(rich.text, waiting, active, start, max_units)
        part = crop(rich.text, active, start, end)
        if is_visible(part.text):
            yield part
        start = end


def _take(text: str, waiting: deque[Span], active: list[Span], start: int, max_units: int) -> int:
    """Where the part that begins at `start` ends; the spans it touches are moved into `active`."""
    limit = start + len(_fitting(text[start : start + max_units], max_units))
    while waiting and waiting[0].start < limit:
        if len(active) == MAX_ENTITIES:
            limit = max(waiting[0].start, start + 1)
            break
        active.append(waiting.popleft())
    if limit >= len(text):
        return limit
    end = _pause(text, active, start, limit)
    while active and active[-1].start >= end:
        waiting.appendleft(active.pop())
    return end


def _fitting(text: str, max_units: int) -> str:
    """The longest beginning that fits, whole code points only."""
    if text.isascii():
        return text[:max_units]
    return text.encode("utf-16-le", "surrogatepass")[: 2 * max_units].decode("utf-16-le", "ignore")


def _pause(text: str, spans: list[Span], start: int, limit: int) -> int:
    """The best place to cut in (start, limit]: paragraph, line, sentence, word, else between two graphemes."""
    earliest = start + int((limit - start) * _EARLIEST)
    paragraph = _last_outside_code(text, spans, earliest, limit)
    if paragraph:
        return paragraph
    line = text.rfind("\n", earliest, limit)
    if line > start:
        return line + 1
    sentence = max((found.end() for found in _SENTENCE_END.finditer(text, earliest, limit)), default=0)
    if sentence:
        return sentence
    word = max(text.rfind(space, start + 1, limit) for space in (" ", "\n", "\u3000"))
    return word + 1 if word > start else _between_graphemes(text, start, limit)


def _last_outside_code(text: str, spans: list[Span], earliest: int, limit: int) -> int:
    """The end of the last empty line that no code block contains, 0 if there is none."""
    blocks = [span for span in spans if span.kind == "pre"]
    position = limit
    while (position := text.rfind("\n\n", earliest, position)) >= 0:
        inside = next((span for span in blocks if span.start < position < span.end), None)
        if inside is None:
            return position + 2
        position = inside.start
    return 0


def _between_graphemes(text: str, start: int, limit: int) -> int:
    """The last place before `limit` that does not tear a character from its marks, a flag or an emoji sequence."""
    for position in range(limit, max(start, limit - 64), -1):
        if not _joined(text, start, position):
            return position
    return limit


def _joined(text: str, start: int, position: int) -> bool:
    """Whether what stands before and after `position` is one character to a reader; flags count from `start`."""
    before, after = text[position - 1], text[position]
    return (
        unicodedata.category(after) in _NO_BREAK_HERE
        or _JOINER in (before, after)
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or "\U000e0020" <= after <= "\U000e007f"
        or (_is_regional(before) and _is_regional(after) and _regionals_before(text, start, position) % 2 == 1)
    )


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _regionals_before(text: str, start: int, position: int) -> int:
    count = 0
    while position - count > start and _is_regional(text[position - count - 1]):
        count += 1
    return count
