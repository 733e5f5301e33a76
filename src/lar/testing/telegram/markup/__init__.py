"""Telegram's own text parsers: parse_mode HTML, MarkdownV2 and legacy Markdown.

Accepted syntax, error texts, byte offsets and UTF-16 entity offsets are those of the real server.
"""

from collections.abc import Callable

from lar.testing.telegram.markup.entities import Entity, MarkupError, clean, merge_auto_entities, trim
from lar.testing.telegram.markup.html_mode import parse_html
from lar.testing.telegram.markup.markdown_mode import parse_markdown
from lar.testing.telegram.markup.markdown_v2_mode import parse_markdown_v2

__all__ = ["Entity", "MarkupError", "clean", "merge_auto_entities", "parse", "trim"]

_PARSERS: dict[str, Callable[[str], tuple[str, list[Entity]]]] = {
    "html": parse_html,
    "markdownv2": parse_markdown_v2,
    "markdown": parse_markdown,
}


def parse(text: str, mode: str) -> tuple[str, list[Entity]]:
    """Plain text and entities of marked-up `text`.

    Raises:
        MarkupError: With the server's own wording.
    """
    parser = _PARSERS.get(mode.lower())
    if parser is None:
        raise MarkupError("unsupported parse_mode")
    try:
        return parser(text)
    except MarkupError as error:
        raise MarkupError(f"can't parse entities: {error}") from None
