"""parse_mode MarkdownV2."""

import re
from typing import NamedTuple

from lar.testing.telegram.markup.entities import SPACE, Entity, MarkupError, Output, byte_offset, in_order, link_entity

_SPECIAL = re.compile(r"[\\_*\[\]()~`>#+\-=|{}.!\n]")
_IN_CODE = re.compile(r"[\\`]")
_OPENERS = (
    ("__", "underline"),
    ("_", "italic"),
    ("*", "bold"),
    ("~", "strikethrough"),
    ("||", "spoiler"),
    ("[", "text_link"),
    ("![", "custom_emoji"),
    ("```", "pre"),
    ("`", "code"),
)
_CLOSERS = {
    "underline": "__",
    "italic": "_",
    "bold": "*",
    "strikethrough": "~",
    "spoiler": "||",
    "text_link": "]",
    "custom_emoji": "]",
    "pre": "```",
    "code": "`",
}
_LABELS = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}


class _Open(NamedTuple):
    kind: str
    argument: str
    offset: int  # UTF-16
    start: int  # in the source
    mark: int  # number of pieces before it


def parse_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities of MarkdownV2; MarkupError where the server refuses."""
    return _MarkdownParser(source).parse()


def code_language(text: str, at: int, end: int) -> tuple[str, int]:
    """The language after an opening fence at `at`, and where the code begins."""
    stop, language = at, ""
    while text[stop] not in SPACE and text[stop] != "`":
        stop += 1
    if stop != at and stop < end and text[stop] != "`":
        language, at = text[at:stop], stop
    if text[at] in "\r\n":
        at += 2 if text[at + 1] in "\r\n" and text[at] != text[at + 1] else 1
    return language, at


class _MarkdownParser:
    def __init__(self, source: str) -> None:
        self._text = source + "\0\0\0"
        self._end = len(source)
        self._at = 0
        self._out = Output()
        self._stack: list[_Open] = []
        self._entities: list[Entity] = []
        self._in_quote = False
        self._quote_may_start = True

    def parse(self) -> tuple[str, list[Entity]]:
        while self._at < self._end:
            if self._plain_run():
                continue
            if self._text[self._at] == "\\":
                self._escape()
            elif self._closes():
                self._close()
            else:
                self._open()
        self._end_quote()
        if self._stack:
            raise self._unclosed()
        return self._out.since(0), in_order(self._entities)

    def _plain_run(self) -> bool:
        in_code = bool(self._stack) and self._stack[-1].kind in {"code", "pre"}
        special = (_IN_CODE if in_code else _SPECIAL).search(self._text, self._at, self._end)
        stop = special.start() if special else self._end
        if stop == self._at:
            return False
        run = self._text[self._at : stop]
        self._out.emit(run)
        if run.strip("\r"):
            self._quote_may_start = in_code and run.endswith("\n")
        self._at = stop
        return True

    def _escape(self) -> None:
        following = self._text[self._at + 1]
        if 0 < ord(following) <= 126:
            self._out.emit(following)
            self._at += 2
            self._quote_may_start = following == "\n" or (self._quote_may_start and following == "\r")
        else:
            self._out.emit("\\")
            self._at += 1
            self._quote_may_start = False

    def _closes(self) -> bool:
        if not self._stack:
            return False
        char, following = self._text[self._at], self._text[self._at + 1]
        if self._in_quote and char == "\n" and following != ">":
            return True
        kind = self._stack[-1].kind
        if kind == "italic" and following == "_":
            return False
        closer = _CLOSERS.get(kind)
        return closer is not None and self._text.startswith(closer, self._at)

    def _open(self) -> None:
        start, char = self._at, self._text[self._at]
        if char == "\n":
            self._out.emit("\n")
            self._quote_may_start = True
            self._at += 1
            return
        if char == ">" and self._quote_may_start:
            self._at += 1
            if not self._in_quote:
                self._in_quote = True
                self._push("blockquote", "", start)
            return
        opener, kind = next((o for o in _OPENERS if self._text.startswith(o[0], start)), ("", ""))
        if not kind:
            raise MarkupError(f"Character '{char}' is reserved and must be escaped with the preceding '\\'")
        self._at += len(opener)
        argument = ""
        if kind == "pre":
            argument, self._at = code_language(self._text, self._at, self._end)
        self._push(kind, argument, start)

    def _push(self, kind: str, argument: str, start: int) -> None:
        self._stack.append(_Open(kind, argument, self._out.position, start, len(self._out.pieces)))

    def _close(self) -> None:
        if self._text[self._at] == "\n":
            self._close_quote()
            return
        opened = self._stack[-1]
        kind = opened.kind
        self._at += len(_CLOSERS[kind])
        length = self._out.position - opened.offset
        entity: Entity | None = {"type": kind, "offset": opened.offset, "length": length}
        if kind == "pre" and opened.argument:
            entity = {**entity, "language": opened.argument}
        elif kind == "text_link":
            url = self._read_url() if self._text[self._at] == "(" else self._out.since(opened.mark)
            entity = link_entity(url, opened.offset, length)
        elif kind == "custom_emoji":
            entity = self._custom_emoji(entity)
        if entity and length:
            self._entities.append(entity)
        self._stack.pop()

    def _close_quote(self) -> None:
        """A line ends and no `>` follows: the quote is over; `||` at its end makes it expandable."""
        kind = self._stack[-1].kind
        if kind != "blockquote":
            if kind != "spoiler" or self._stack[-1].start not in (self._at - 2, self._at - 3):
                raise self._unclosed()
            self._stack.pop()
            if self._stack[-1].kind != "blockquote":
                raise self._unclosed()
            kind = "expandable_blockquote"
        opened = self._stack.pop()
        self._in_quote, self._quote_may_start = False, True
        self._out.emit("\n")
        self._at += 1
        self._entities.append({"type": kind, "offset": opened.offset, "length": self._out.position - opened.offset})

    def _end_quote(self) -> None:
        """The text ends inside a quote."""
        if not self._in_quote or not self._stack:
            return
        kind = "blockquote"
        if self._stack[-1].kind == "spoiler" and self._stack[-1].start == self._end - 2:
            self._stack.pop()
            kind = "expandable_blockquote"
        if self._stack and self._stack[-1].kind == "blockquote":
            opened = self._stack.pop()
            length = self._out.position - opened.offset
            if length:
                self._entities.append({"type": kind, "offset": opened.offset, "length": length})

    def _custom_emoji(self, entity: Entity) -> Entity | None:
        if self._text[self._at] != "(":
            raise MarkupError("The entity must contain a tg://emoji or tg://time URL")
        url = self._read_url()
        emoji = re.match(r"tg://emoji/?\?id=(\d+)", url)
        if emoji:
            return {**entity, "custom_emoji_id": emoji[1]}
        if not url.startswith("tg://time"):
            raise MarkupError("Invalid tg://emoji or tg://time URL specified")
        return None

    def _read_url(self) -> str:
        """The URL in parentheses at the current place, which moves behind it."""
        start = at = self._at + 1
        url = ""
        while at < self._end and self._text[at] != ")":
            escaped = self._text[at] == "\\" and 0 < ord(self._text[at + 1]) <= 126
            url += self._text[at + escaped]
            at += 1 + escaped
        if self._text[at] != ")":
            raise MarkupError(f"Can't find end of a URL at byte offset {byte_offset(self._text, start)}")
        self._at = at + 1
        return url

    def _unclosed(self) -> MarkupError:
        opened = self._stack[-1]
        label = "PreCode" if opened.kind == "pre" and opened.argument else _LABELS[opened.kind]
        return MarkupError(f"Can't find end of {label} entity at byte offset {byte_offset(self._text, opened.start)}")
