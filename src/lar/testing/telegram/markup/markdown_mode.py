"""parse_mode Markdown, the legacy one: no nesting, few escapes."""

import re

from lar.testing.telegram.markup.entities import Entity, MarkupError, Output, byte_offset, in_order, link_entity
from lar.testing.telegram.markup.markdown_v2_mode import code_language

_SPECIAL = re.compile(r"[\\_*`\[]")
_TYPES = {"_": "italic", "*": "bold", "`": "code", "```": "pre", "[": "text_link"}


def parse_markdown(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities of legacy Markdown; MarkupError where the server refuses."""
    text, end = source + "\0\0\0", len(source)
    out = Output()
    entities: list[Entity] = []
    at = 0
    while at < end:
        special = _SPECIAL.search(text, at, end)
        stop = special.start() if special else end
        if stop > at:
            out.emit(text[at:stop])
            at = stop
        elif text[at] == "\\":
            escaped = text[at + 1] in "_*`["
            out.emit(text[at + escaped])
            at += 1 + escaped
        else:
            entity, at = _read_entity(text, at, end, out)
            if entity:
                entities.append(entity)
    return out.since(0), in_order(entities)


def _read_entity(text: str, begin: int, end: int, out: Output) -> tuple[Entity | None, int]:
    """Emit the entity's text. The entity, if it is one, and the place behind it."""
    opener = "```" if text.startswith("```", begin) else text[begin]
    closer = "]" if opener == "[" else opener
    at, language = begin + len(opener), ""
    if opener == "```":
        language, at = code_language(text, at, end)
    stop = text.find(closer, at, end)
    if stop < 0:
        where = byte_offset(text, begin)
        raise MarkupError(f"Can't find end of the entity starting at byte offset {where}")
    offset, body = out.position, text[at:stop]
    out.emit(body)
    at = stop + len(closer)
    if not body:
        return None, at
    entity: Entity = {"type": _TYPES[opener], "offset": offset, "length": out.position - offset}
    if opener == "[":
        url = body
        if text[at] == "(":
            close = text.find(")", at, end)
            close = close if close >= 0 else end
            url, at = text[at + 1 : close], close + 1
        return link_entity(url, offset, entity["length"]), at
    return ({**entity, "language": language} if language else entity), at
