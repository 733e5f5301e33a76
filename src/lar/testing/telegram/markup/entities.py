"""Entities: ranges of a text in UTF-16 units, how they are cleaned, clipped, found and merged."""

import re
from typing import Any

Entity = dict[str, Any]

SPACE = " \t\r\n\0\v"


class MarkupError(Exception):
    """A text or its entities that the server refuses."""


class Output:
    """Plain text being built, with its length in UTF-16 units."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.position = 0

    def emit(self, piece: str) -> None:
        """Append `piece`."""
        self.pieces.append(piece)
        self.position += utf16_length(piece)

    def since(self, mark: int) -> str:
        """The text of all pieces from number `mark` on."""
        return "".join(self.pieces[mark:])


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, the measure of entities."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def byte_offset(text: str, index: int) -> int:
    """Where character `index` begins in UTF-8, the measure of error texts."""
    return len(text[:index].encode())


def in_order(entities: list[Entity]) -> list[Entity]:
    """Outer entities before the ones they contain."""
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))


# The server turns control characters into spaces and drops marks that break the layout of other messages.
_BLANK = {chr(code) for code in range(33)} - {"\n", "\r"}
_DROPPED = {"\r", "\u0333", "\u033f", "\u030a", *(chr(code) for code in range(0x2028, 0x202F))}
_UNCLEAN = re.compile(f"[{re.escape(''.join(sorted(_BLANK - {' '} | _DROPPED)))}]")


def clean(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """The text with control characters out of the way, and its entities moved accordingly.

    Raises:
        MarkupError: An entity begins or ends outside the text, or in the middle of a UTF-16 surrogate pair.
    """
    if not entities and not _UNCLEAN.search(text):
        return text, []
    places: dict[int, int] = {}  # UTF-16 offset before cleaning -> after
    split: dict[int, int] = {}  # UTF-16 offset in the middle of a character -> byte offset of the next
    kept: list[str] = []
    old = new = size = 0
    for char in text:
        places[old] = new
        units, size = utf16_length(char), size + len(char.encode("utf-8", "surrogatepass"))
        if units == 2:
            split[old + 1] = size
        old += units
        if char not in _DROPPED:
            kept.append(" " if char in _BLANK else char)
            new += units
    places[old] = new
    moved: list[Entity] = []
    for entity in in_order(entities):
        _check_bounds(entity, places, split)
        start, stop = places[entity["offset"]], places[entity["offset"] + entity["length"]]
        if stop > start:
            moved.append({**entity, "offset": start, "length": stop - start})
    return "".join(kept), moved


def _check_bounds(entity: Entity, places: dict[int, int], split: dict[int, int]) -> None:
    offset, length = entity["offset"], entity["length"]
    for name, value in (("offset", offset), ("length", length)):
        if value < 0:
            raise MarkupError(f"receive an entity with incorrect {name} {value}")
    if offset in split:
        raise MarkupError(f"entity begins in a middle of a UTF-16 symbol at byte offset {split[offset]}")
    if offset not in places:
        raise MarkupError(f"entity begins after the end of the text at UTF-16 offset {offset}")
    if offset + length in split:
        where = f"ends in a middle of a UTF-16 symbol at byte offset {split[offset + length]}"
        raise MarkupError(f"entity beginning at UTF-16 offset {offset} {where}")
    if offset + length not in places:
        where = f"ends after the end of the text at UTF-16 offset {offset + length}"
        raise MarkupError(f"entity beginning at UTF-16 offset {offset} {where}")


def trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Leading and trailing whitespace is cut; entities are clipped to what is left."""
    stripped = text.strip()
    if len(stripped) == len(text):
        return text, entities
    shift = utf16_length(text[: len(text) - len(text.lstrip())])
    end = utf16_length(stripped)
    clipped: list[Entity] = []
    for entity in entities:
        start = max(entity["offset"] - shift, 0)
        stop = min(entity["offset"] + entity["length"] - shift, end)
        if stop > start:
            clipped.append({**entity, "offset": start, "length": stop - start})
    return stripped, clipped


_AUTO = re.compile(
    r"(?P<url>\bhttps?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]])|(?P<email>\b[\w.+-]+@[\w-]+\.[\w.-]*\w)"
    r"|(?<![\w/@])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?)(?![\w/])"
    r"|(?<!\w)(?P<mention>@[A-Za-z0-9_]{3,32})\b|(?<!\w)(?P<hashtag>#\w*[^\W\d]\w*)"
)
_SOLID = {"pre", "code", "text_link", "text_mention", "url", "mention", "bot_command", "email", "hashtag"}


def detect_entities(text: str) -> list[Entity]:
    """The entities Telegram adds by itself: links, e-mails, commands, mentions, hashtags."""
    return [
        {"type": found.lastgroup, "offset": utf16_length(text[: found.start()]), "length": utf16_length(found.group())}
        for found in _AUTO.finditer(text)
    ]


def merge_auto_entities(text: str, entities: list[Entity]) -> list[Entity]:
    """`entities` with the automatic ones, except where one of them would cross a link or code."""
    solid = [(e["offset"], e["offset"] + e["length"]) for e in entities if e["type"] in _SOLID]
    found = [
        entity
        for entity in detect_entities(text)
        if not any(start < entity["offset"] + entity["length"] and entity["offset"] < stop for start, stop in solid)
    ]
    return in_order(entities + found)


def link_entity(url: str, offset: int, length: int) -> Entity | None:
    """The entity of a text that links to `url`; None when the server would not make a link of it."""
    url = url.strip()
    user = re.match(r"tg://user/?\?id=(\d+)", url)
    if user:
        mentioned = {"id": int(user[1]), "is_bot": False, "first_name": "User"}
        return {"type": "text_mention", "offset": offset, "length": length, "user": mentioned}
    known_scheme = re.match(r"(?i)(https?|tg|ton|tonsite|mailto|tel):", url)
    if not known_scheme and not re.match(r"(?i)[\w-]+(\.[\w-]+)+([:/?#]|$)", url):
        return None
    if not re.match(r"(?i)\w+:", url):
        url = "http://" + url
    if re.match(r"(?i)https?://[^/?#\s]+$", url):
        url += "/"
    return {"type": "text_link", "offset": offset, "length": length, "url": url}
