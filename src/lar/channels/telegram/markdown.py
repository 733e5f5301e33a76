"""A model's Markdown as Telegram shows it. Pure; knows no Telegram library.

What Markdown can say and Telegram cannot is written so that it reads well: headings are bold, list markers are
characters, tables are fixed-width text or entries, images are links, HTML is shown as it stands. Nothing is dropped:
where Markdown would hide text (an unused link definition, a cell too many, nesting too deep), it is shown.
"""

import re

from lar.channels.contract import Rendered
from lar.channels.telegram.blocks import formatted
from lar.channels.telegram.rich import EMPTY_ANSWER, Rich, clean, cut, is_visible, to_part
from lar.channels.telegram.split import FILE_THRESHOLD, split
from lar.domain.delivery import Part

_EXCERPT = 1_200
_TAIL = 3_000
_MARKUP = re.compile(r"[*_`~\[<&\\|]|^[^\S\n]*(?:[#>+=-]|\d{1,9}[.)]\s)|^(?: {4}|\t)", re.MULTILINE)
_MANY_BREAKS = re.compile(r"\n(?:[^\S\n]*\n){2,}")


def render(text: str, file_threshold: int = FILE_THRESHOLD) -> Rendered:
    """The parts that carry `text`, in order, at least one; past `file_threshold` a short one and the whole as file."""
    if len(text) > file_threshold and is_visible(text):
        first = next(split(_rich(_excerpt(text))), Rich(""))
        return Rendered((to_part(Rich(first.text + "\n\n…", first.spans)),), document=text)
    return Rendered(tuple(to_part(part) for part in split(_rich(text))))


def preview(text: str) -> Part:
    """One part that shows how far a growing text got: all of it, or its end."""
    shown = text if len(text) <= _TAIL else "…\n" + text[-_TAIL:].partition("\n")[2] or text[-_TAIL:]
    return to_part(next(split(_rich(shown))))


def _excerpt(text: str) -> str:
    """The beginning, cut at the end of a paragraph, a line or a word."""
    head = text[:_EXCERPT]
    for end in ("\n\n", "\n", " "):
        position = head.rfind(end, _EXCERPT // 3)
        if position > 0:
            return head[:position]
    return head


def _rich(text: str) -> Rich:
    """Formatted text with something to see, stripped; the source itself where nothing else is left of it."""
    source = clean(text)
    rich = formatted(source) if _MARKUP.search(source) else Rich(_MANY_BREAKS.sub("\n\n", source))
    for candidate in (rich, Rich(source)):
        if is_visible(candidate.text):
            return cut(candidate, 0, len(candidate.text))
    return Rich(EMPTY_ANSWER)
