"""What messages consist of: text, caption, rich message; checked and measured as the server does."""

import json
from typing import Any, cast

from lar.testing.telegram import markup
from lar.testing.telegram.wire import Json, Params, bad

MAX_TEXT = 4096  # characters (code points) after entities are parsed
MAX_CAPTION = 1024
MAX_RICH = 32768
_MAX_RAW = 1 << 15  # bytes before entities are parsed


def formatted(text: str, mode: str, given: Any, limit: int, too_long: str) -> tuple[str, list[markup.Entity]]:
    """The text as it will be shown, with its entities; `given`: the entities sent along, used without parse mode.

    Raises:
        ApiError: The text or its entities are refused.
    """
    if len(text.encode("utf-8", "surrogatepass")) > _MAX_RAW:
        raise bad("text is too long")
    try:
        if text and mode and mode.lower() != "none":
            text, entities = markup.parse(text, mode)
        else:
            entities = _given_entities(given)
        text, entities = markup.clean(text, entities)
    except markup.MarkupError as error:
        raise bad(str(error)) from None
    text, entities = markup.trim(text, entities)
    if len(text) > limit:
        raise bad(too_long)
    return text, markup.merge_auto_entities(text, entities)


def _given_entities(given: Any) -> list[markup.Entity]:
    if not isinstance(given, list):
        return []
    entities: list[markup.Entity] = []
    for entity in cast("list[Any]", given):
        if not isinstance(entity, dict):
            raise bad("can't parse MessageEntity: expected an Object")
        fields = cast("Json", entity)
        for name, kind in (("offset", int), ("length", int), ("type", str)):
            if not isinstance(fields.get(name), kind):
                raise bad(f"can't parse MessageEntity: can't find field \"{name}\"")
        entities.append(fields)
    return entities


def text_content(params: Params, too_long: str = "message is too long") -> Json:
    """The fields of a text message."""
    raw = params.text("text")
    if not raw:
        raise bad("message text is empty")
    text, entities = formatted(raw, params.text("parse_mode"), params.parsed("entities"), MAX_TEXT, too_long)
    if not text:
        raise bad("text must be non-empty")
    return {"text": text, **({"entities": entities} if entities else {})}


def caption_content(params: Params) -> Json:
    """The fields of a caption; none when there is none."""
    raw = params.text("caption")
    if not raw:
        return {}
    mode, given = params.text("parse_mode"), params.parsed("caption_entities")
    text, entities = formatted(raw, mode, given, MAX_CAPTION, "message caption is too long")
    if not text:
        return {}
    return {"caption": text, **({"caption_entities": entities} if entities else {})}


def rich_content(params: Params) -> Json:
    """The fields of a rich message; `text` is what a test reads, `_rich` what was sent, neither returned to the bot."""
    rich = params.mapping("rich_message")
    given = [name for name in ("html", "markdown", "blocks") if rich.get(name)]
    if len(given) != 1:
        raise bad("exactly one of the fields html, markdown and blocks must be used in rich_message")
    source = rich[given[0]]
    text = json.dumps(source, ensure_ascii=False) if given[0] == "blocks" else str(source)
    if len(text) > MAX_RICH:
        raise bad("message is too long")
    blocks = {"blocks": [{"type": "paragraph", "text": text}]}
    return {"text": text, "rich_message": blocks, "_rich": rich}
