"""Text with formatting, as Telegram wants it: cleaned, spans properly nested, offsets in UTF-16 code units."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lar.domain.delivery import Entity, Part

EMPTY_ANSWER = "(empty answer)"

_SOLID = frozenset({"code", "pre"})
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_DROPPED = re.compile("[\u202a-\u202e\u030a\u0333\u033f]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f]")
_UNUSUAL = re.compile("[\x00-\x09\x0b-\x1f\u0085\u030a\u0333\u033f\u2028-\u202e\ud800-\udfff]")
_BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc")
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zs", "Zl", "Zp"})
_LEADING_BREAKS = re.compile(r"(?:[^\S\n]*\n)*")


@dataclass(frozen=True, slots=True)
class Span:
    """Formatting from `start` to `end`, in code points of the text it belongs to."""

    start: int
    end: int
    kind: str
    url: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Rich:
    """Text and its formatting. Spans are sorted by start, the outer before the inner."""

    text: str
    spans: tuple[Span, ...] = ()


def clean(text: str) -> str:
    """Replace what the server would replace or drop, so that offsets mean the same on both sides.

    Line ends become newlines, tabs four spaces, other control characters one; lone surrogates become U+FFFD;
    directional embeddings and three combining marks that Telegram removes are removed (after composing them).
    """
    if not _UNUSUAL.search(text):
        return text
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _LINE_ENDS.sub("\n", text).replace("\t", "    ")
    if _DROPPED.search(text):
        text = _DROPPED.sub("", unicodedata.normalize("NFC", text))
    return _CONTROLS.sub(" ", text)


def is_visible(text: str) -> bool:
    """Whether a person would see anything: not only spaces, zero-width and filler characters."""
    return any(
        char not in _BLANK and unicodedata.category(char) not in _INVISIBLE_CATEGORIES and not _is_selector(char)
        for char in text
    )


def _is_selector(char: str) -> bool:
    return "\u180b" <= char <= "\u180f" or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def units(text: str) -> int:
    """The length of `text` in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def settle(text: str, spans: Iterable[Span]) -> Rich:
    """Make spans valid: nothing inside or around code but quotes, nothing nested in its own kind, ends trimmed.

    `spans` nest properly or are disjoint; of two that cover the same, the later one is the outer one.
    """
    ordered = list(spans)[::-1]
    ordered.sort(key=lambda span: (span.start, -span.end))
    ordered = _without_own_kind(ordered)
    solid = [span for span in ordered if span.kind in _SOLID]
    if solid:
        ordered = [piece for span in ordered for piece in _around(span, solid)]
        ordered.sort(key=lambda span: (span.start, -span.end))
    trimmed = (_trimmed(text, span) for span in ordered)
    return Rich(text, tuple(span for span in trimmed if span))


def _without_own_kind(ordered: Sequence[Span]) -> list[Span]:
    """Drop a span inside one of its own kind, and code inside a link: the outer one wins."""
    ends: dict[str, int] = {}
    kept: list[Span] = []
    for span in ordered:
        kind = "quote" if span.kind in _QUOTES else span.kind
        inside_link = span.kind in _SOLID and span.start < ends.get("text_link", 0)
        if span.start < ends.get(kind, 0) or inside_link or span.start >= span.end:
            continue
        ends[kind] = span.end
        kept.append(span)
    return kept


def _around(span: Span, solid: Sequence[Span]) -> Iterable[Span]:
    """The pieces of a span that lie outside code; a quote may contain `code` but not `pre`."""
    if span.kind in _SOLID:
        yield span
        return
    start = span.start
    first = bisect_right(solid, span.start, key=lambda code: code.end)
    last = bisect_left(solid, span.end, key=lambda code: code.start)
    for code in solid[first:last]:
        if span.kind in _QUOTES and code.kind == "code":
            continue
        yield replace(span, start=start, end=max(start, code.start))
        start = code.end
    yield replace(span, start=start)


def _trimmed(text: str, span: Span) -> Span | None:
    inner = text[span.start : span.end]
    if not inner.strip():
        return None
    end = span.start + len(inner.rstrip())
    lead = _leading_breaks(inner) if span.kind == "pre" else len(inner) - len(inner.lstrip())
    return span if (lead == 0 and end == span.end) else replace(span, start=span.start + lead, end=end)


def _leading_breaks(text: str) -> int:
    """How many characters of empty lines `text` begins with; the indentation of its first line is none of them."""
    found = _LEADING_BREAKS.match(text)
    return found.end() if found else 0


def cut(rich: Rich, start: int, end: int) -> Rich:
    """The stretch from `start` to `end`, stripped as the server strips it; the indentation of code stays."""
    return crop(rich.text, [span for span in rich.spans if span.start < end and span.end > start], start, end)


def crop(text: str, spans: Iterable[Span], start: int, end: int) -> Rich:
    """Like `cut`, of `spans` that all touch the stretch."""
    inner = text[start:end]
    in_code = any(span.kind == "pre" and span.start <= start < span.end for span in spans)
    lead = _leading_breaks(inner) if in_code else len(inner) - len(inner.lstrip())
    start, end = start + lead, start + len(inner.rstrip())
    if end <= start:
        return Rich("")
    part = text[start:end]
    clipped = (
        replace(span, start=max(span.start, start) - start, end=min(span.end, end) - start)
        for span in spans
        if span.start < end and span.end > start
    )
    trimmed = (_trimmed(part, span) for span in clipped)
    return Rich(part, tuple(sorted((span for span in trimmed if span), key=lambda span: (span.start, -span.end))))


def to_part(rich: Rich) -> Part:
    """The part that carries this text, offsets in UTF-16 code units."""
    wide = [] if rich.text.isascii() else [index for index, char in enumerate(rich.text) if char > "\uffff"]

    def at(index: int) -> int:
        return index + bisect_left(wide, index)

    return Part(
        text=rich.text,
        entities=tuple(
            Entity(span.kind, at(span.start), at(span.end) - at(span.start), span.url, span.language)
            for span in rich.spans
        ),
    )
