"""Sentences counted, and made to be so many. Pure."""

import re
from collections.abc import Sequence

LONGEST = 300
"""Characters of one sentence that is remembered."""

NOTHING = "Nothing else was noted."

_SHORT = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|Sr|Sra|Srta|Jr|St|No|Nr|vs|etc|approx|ca|bzw|usw|Ud|Uds|Vd|pp?|vol|fig|art|núm|tel"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Inc|Ltd|Co|Corp)"
    r"|\b[^\W\d_]|\b(?:[^\W\d_]\.)+[^\W\d_])\.$",
    re.IGNORECASE,
)
"""What ends in a full stop and ends no sentence: abbreviations, initials, `e.g.`."""

_WIDE = "\u3002\uff01\uff1f"
_STOPS = f".!?\u2026{_WIDE}"
_CLOSE = "[\"'\u201d\u2019\u00bb)\\]]*"
_END = re.compile(f"[{_STOPS}]+{_CLOSE}(?=\\s|$)|[{_WIDE}]+{_CLOSE}")
_MARK = re.compile(r"^\s*(?:[-*\u2022\u2013]\s+|\(?\d{1,2}[.)]\s+|#+\s+|>\s+)")
_LINK = re.compile(r"[;,:\u2013\u2014]\s|\s(?:and|but|und|y|e|pero|et)\s")


def split(text: str) -> list[str]:
    """The sentences of a text. A line ends one, whether it has a full stop or not; marks of lists are left out."""
    return [sentence for line in text.splitlines() for sentence in _of_line(_MARK.sub("", line).strip())]


def _of_line(line: str) -> list[str]:
    found: list[str] = []
    start = 0
    for end in _END.finditer(line):
        piece = line[start : end.end()].strip()
        rest = line[end.end() :].lstrip()
        goes_on = rest[:1].islower() or _SHORT.search(piece)
        if piece and not (rest and goes_on):
            found.append(piece)
            start = end.end()
    last = line[start:].strip()
    return [*found, last] if any(letter.isalnum() for letter in last) else found


def wrong(sentences: Sequence[str], count: int) -> str:
    """What is wrong with an answer that was to be so many sentences; empty if nothing is."""
    if len(sentences) != count:
        return f"You wrote {len(sentences)} sentences."
    if any(len(sentence) > LONGEST for sentence in sentences):
        return f"A sentence is longer than {LONGEST} characters."
    return ""


def exactly(sentences: Sequence[str], count: int) -> tuple[str, ...]:
    """Just so many sentences of these, always the same: neighbours are joined, long ones are cut in two."""
    kept = [one_line(sentence) for sentence in sentences if one_line(sentence)]
    while len(kept) > count:
        at = min(range(len(kept) - 1), key=lambda number: len(kept[number]) + len(kept[number + 1]))
        kept[at : at + 2] = ["; ".join((kept[at].rstrip(f"{_STOPS} "), kept[at + 1]))]
    while len(kept) < count:
        halves = [(number, parts) for number, sentence in enumerate(kept) if (parts := _halves(sentence))]
        if not halves:
            kept.append(NOTHING)
            continue
        at, parts = max(halves, key=lambda half: len(kept[half[0]]))
        kept[at : at + 1] = parts
    return tuple(cut(sentence) for sentence in kept)


def one_line(sentence: str) -> str:
    """A text as one sentence of one line: inner ends of sentences become semicolons."""
    pieces = split(sentence)
    inner = [piece.rstrip(f"{_STOPS} ") for piece in pieces[:-1]]
    return "; ".join([*inner, *pieces[-1:]])


def cut(sentence: str, most: int = LONGEST) -> str:
    """A sentence of at most so many characters, cut between words."""
    if len(sentence) <= most:
        return sentence
    return f"{sentence[: most - 1].rsplit(' ', 1)[0]}…"


def _halves(sentence: str) -> list[str]:
    """A sentence as two, parted at the link nearest to its middle; empty where it has none."""
    least = 8
    links = [link for link in _LINK.finditer(sentence) if link.start() >= least and len(sentence) - link.end() >= least]
    if not links:
        return []
    middle = min(links, key=lambda link: abs(link.start() - len(sentence) // 2))
    second = sentence[middle.end() :].strip()
    return [f"{sentence[: middle.start()].strip()}.", second[0].upper() + second[1:]]
