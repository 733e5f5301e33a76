"""parse_mode HTML."""

import re
from typing import NamedTuple

from lar.testing.telegram.markup.entities import SPACE, Entity, MarkupError, Output, byte_offset, in_order, link_entity

_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "u": "underline",
    "ins": "underline",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
    "a": "a",
    "pre": "pre",
    "code": "code",
    "blockquote": "blockquote",
}
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([A-Za-z]+))(;?)")
_SPECIAL = re.compile("[<&]")
_END = "\0"


class _Open(NamedTuple):
    tag: str
    argument: str
    offset: int  # UTF-16
    mark: int  # number of pieces before it


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities of HTML; MarkupError where the server refuses."""
    return _HtmlParser(source).parse()


def _decode_reference(text: str, at: int) -> tuple[str | None, int]:
    """The character that `&...;` at `at` stands for and where it ends; None when it is plain text."""
    found = _REFERENCE.match(text, at)
    if not found:
        return None, at
    if found[3]:
        return _NAMED.get(found[3]), found.end()
    code = int(found[1], 16) if found[1] else int(found[2])
    if code == 0 or code >= 0x10FFFF or found.end() - len(found[4]) - at >= 10:
        return None, at
    return chr(code), found.end()


class _HtmlParser:
    def __init__(self, source: str) -> None:
        self._text = source + _END
        self._end = len(source)
        self._at = 0
        self._out = Output()
        self._stack: list[_Open] = []
        self._entities: list[Entity] = []

    def parse(self) -> tuple[str, list[Entity]]:
        while self._at < self._end:
            special = _SPECIAL.search(self._text, self._at, self._end)
            stop = special.start() if special else self._end
            if stop > self._at:
                self._out.emit(self._text[self._at : stop])
                self._at = stop
            elif self._char == "&":
                self._reference()
            elif self._text[self._at + 1] == "/":
                self._close_tag()
            else:
                self._open_tag()
        if self._stack:
            raise MarkupError(f'Can\'t find end tag corresponding to start tag "{self._stack[-1].tag}"')
        for entity in self._entities:
            if entity["type"] == "code":
                entity.pop("language", None)
        return self._out.since(0), in_order(self._entities)

    @property
    def _char(self) -> str:
        return self._text[self._at]

    def _where(self, index: int) -> str:
        return f"at byte offset {byte_offset(self._text, index)}"

    def _skip_space(self) -> None:
        while self._char != _END and self._char in SPACE:
            self._at += 1

    def _skip_to(self, stops: str) -> None:
        while self._char not in stops:
            self._at += 1

    def _reference(self) -> None:
        char, end = _decode_reference(self._text, self._at)
        self._out.emit(char or "&")
        self._at = end if char else self._at + 1

    def _open_tag(self) -> None:
        begin = self._at
        self._at += 1
        self._skip_to(SPACE + ">")
        if self._char == _END:
            raise MarkupError(f"Unclosed start tag {self._where(begin)}")
        tag = self._text[begin + 1 : self._at].lower()
        if tag not in _TYPES:
            raise MarkupError(f'Unsupported start tag "{tag}" {self._where(begin)}')
        argument = self._attributes(tag, begin)
        if tag == "span" and argument != "spoiler":
            raise MarkupError(f'Tag "span" must have class "tg-spoiler" {self._where(begin)}')
        self._stack.append(_Open(tag, argument, self._out.position, len(self._out.pieces)))
        self._at += 1

    def _attributes(self, tag: str, begin: int) -> str:
        """Read up to the closing `>`. The one attribute that matters to this tag, or ""."""
        argument = ""
        while self._char != ">":
            self._skip_space()
            if self._char == ">":
                break
            start = self._at
            self._skip_to(SPACE + "=>/\"'")
            name = self._text[start : self._at]
            if not name:
                raise MarkupError(f'Empty attribute name in the tag "{tag}" {self._where(begin)}')
            self._skip_space()
            value = None
            if self._char == "=":
                self._at += 1
                self._skip_space()
                value = self._value(tag, begin)
            elif self._char == _END:
                raise MarkupError(f'Unclosed start tag "{tag}" {self._where(begin)}')
            argument = _argument(tag, name, value, argument)
        return argument

    def _value(self, tag: str, begin: int) -> str:
        if self._char == _END:
            raise MarkupError(f'Unclosed start tag "{tag}" {self._where(begin)}')
        value = self._quoted() if self._char in "'\"" else self._bare()
        if self._char == _END:
            raise MarkupError(f"Unclosed start tag {self._where(begin)}")
        return value

    def _bare(self) -> str:
        start = self._at
        while (self._char.isascii() and self._char.isalnum()) or self._char in ".-":
            self._at += 1
        if self._char not in SPACE and self._char != ">":
            raise MarkupError(f"Unexpected end of name token {self._where(start)}")
        return self._text[start : self._at].lower()

    def _quoted(self) -> str:
        quote, value = self._char, ""
        self._at += 1
        while self._char not in (quote, _END):
            char, end = _decode_reference(self._text, self._at) if self._char == "&" else (None, self._at)
            value += char or self._char
            self._at = end if char else self._at + 1
        if self._char == quote:
            self._at += 1
        return value

    def _close_tag(self) -> None:
        begin = self._at
        if not self._stack:
            raise MarkupError(f"Unexpected end tag {self._where(begin)}")
        self._at += 1
        self._skip_to(SPACE + ">")
        end_tag = self._text[begin + 2 : self._at].lower()
        self._skip_space()
        if self._char != ">":
            raise MarkupError(f"Unclosed end tag {self._where(begin)}")
        self._at += 1
        opened = self._stack.pop()
        if end_tag and end_tag != opened.tag:
            expected = f'expected "</{opened.tag}>", found "</{end_tag}>"'
            raise MarkupError(f"Unmatched end tag {self._where(begin)}, {expected}")
        if self._out.position > opened.offset:
            self._add(opened)

    def _add(self, opened: _Open) -> None:
        tag, argument, offset, mark = opened
        length = self._out.position - offset
        entity: Entity = {"type": _TYPES[tag], "offset": offset, "length": length}
        if tag == "a":
            link = link_entity(argument or self._out.since(mark), offset, length)
            if link:
                self._entities.append(link)
        elif tag == "tg-emoji":
            if not argument.isdigit():
                raise MarkupError("Invalid custom emoji identifier specified")
            self._entities.append({**entity, "custom_emoji_id": argument})
        elif tag == "blockquote" and argument:
            self._entities.append({**entity, "type": "expandable_blockquote"})
        elif tag in {"pre", "code"}:
            self._add_code(entity, argument)
        elif tag != "tg-time":
            self._entities.append(entity)

    def _add_code(self, entity: Entity, argument: str) -> None:
        """`<pre><code class="language-x">` is one entity, whichever of the two is outside."""
        last = self._entities[-1] if self._entities else {}
        same = last.get("offset") == entity["offset"] and last.get("length") == entity["length"]
        if entity["type"] == "pre" and same and last["type"] == "code" and last.get("language"):
            last["type"] = "pre"
        elif entity["type"] == "code" and same and last["type"] == "pre" and argument:
            last["language"] = argument
        elif entity["type"] == "code" and argument:
            self._entities.append({**entity, "language": argument})
        else:
            self._entities.append(entity)


def _argument(tag: str, name: str, value: str | None, before: str) -> str:
    """What the tag's argument is after one more attribute; `value` None: an attribute without a value."""
    if (tag, name) == ("blockquote", "expandable"):
        return "1"
    if value is None:
        return before
    if (tag, name) in {("a", "href"), ("tg-emoji", "emoji-id"), ("tg-time", "unix")}:
        return value
    for wanted, prefix in (("code", "language-"), ("span", "tg-")):
        if (tag, name) == (wanted, "class") and value.startswith(prefix):
            return value.removeprefix(prefix)
    return before
