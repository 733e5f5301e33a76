"""Walks the tokens of markdown-it-py and writes what they mean."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lar.channels.telegram import links
from lar.channels.telegram.rich import Rich
from lar.channels.telegram.tables import Table, aligned
from lar.channels.telegram.writer import Writer

_DEEPEST = 60
_MOST_BRACKETS = 4_000  # the parser takes its time over each
_BULLETS = "•◦▪"
_RULE = "———"
_TASK = re.compile(r"\[([ xX])\](?=\s)")
_LANGUAGE = re.compile(r"[\w+#.-]{1,32}")
_CELL_END = re.compile(r"(?<!\\)\|")
_STYLES = {"strong": "bold", "em": "italic", "s": "strikethrough"}


def formatted(source: str) -> Rich:
    """Markdown as formatted text; the source as it stands where it cannot be read as Markdown."""
    try:
        tokens = _parse(source)
        return _Walk(source).run(tokens)
    except (LookupError, RuntimeError, ValueError):
        return Rich(source)


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": _DEEPEST}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


def _parse(source: str) -> list[Token]:
    """Tokens that hide nothing: link definitions that nobody uses are text.

    Raises:
        ValueError: nested so deeply that the parser would skip text, or made to keep it busy.

    """
    if source.count("[") > _MOST_BRACKETS:
        raise ValueError("too many brackets")
    env: dict[str, Any] = {}
    tokens = _parser().parse(source, env)
    if any(token.level >= _DEEPEST - 1 for token in tokens):
        raise ValueError("nested too deeply")
    if env.get("duplicate_refs") or _unused(env.get("references", {}), tokens):
        tokens = _literal_parser().parse(source)
    return tokens


@cache
def _literal_parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": _DEEPEST}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).disable("reference")


def _unused(references: dict[str, Any], tokens: Sequence[Token]) -> bool:
    if not references:
        return False
    used = {
        child.attrs.get("href") or child.attrs.get("src")
        for token in tokens
        for child in token.children or ()
        if child.type in {"link_open", "image"}
    }
    return any(reference["href"] not in used for reference in references.values())


@dataclass(slots=True)
class _List:
    """A list being written. `indent` is what its items' further lines begin with, outside of it `outer`."""

    ordered: bool
    outer: str


class _Walk:
    """One pass over the tokens of one text."""

    def __init__(self, source: str) -> None:
        self._lines = source.split("\n")
        self._out = Writer()
        self._lists: list[_List] = []
        self._open: list[int] = []
        self._quotes = 0
        self._task_possible = False
        self._handlers: dict[str, Callable[[Token], None]] = {
            "paragraph_open": self._paragraph,
            "paragraph_close": self._paragraph,
            "heading_open": self._heading_open,
            "heading_close": self._heading_close,
            "blockquote_open": self._quote_open,
            "blockquote_close": self._quote_close,
            "bullet_list_open": self._list_open,
            "ordered_list_open": self._list_open,
            "bullet_list_close": self._list_close,
            "ordered_list_close": self._list_close,
            "list_item_open": self._item_open,
            "list_item_close": self._item_close,
            "fence": self._code,
            "code_block": self._code,
            "hr": self._rule,
            "inline": self._inline_block,
        }

    def run(self, tokens: Sequence[Token]) -> Rich:
        position = 0
        while position < len(tokens):
            token = tokens[position]
            if token.type == "table_open":
                position = self._table(tokens, position)
            elif handler := self._handlers.get(token.type):
                handler(token)
            position += 1
        return self._out.finish()

    def _paragraph(self, token: Token) -> None:
        self._out.gap(1 if token.hidden else 2)

    def _heading_open(self, _token: Token) -> None:
        self._out.gap(2)
        self._open.append(self._out.start())

    def _heading_close(self, _token: Token) -> None:
        self._out.mark(self._open.pop(), "bold")
        self._out.gap(2)

    def _quote_open(self, _token: Token) -> None:
        self._out.gap(2)
        self._quotes += 1
        if self._quotes == 1:
            self._open.append(self._out.start())
        else:
            self._out.write("» ")
            self._out.hold(held=True)

    def _quote_close(self, _token: Token) -> None:
        self._quotes -= 1
        self._out.hold(held=False)
        if self._quotes == 0:
            self._out.mark(self._open.pop(), "blockquote")
        self._out.gap(2)

    def _list_open(self, token: Token) -> None:
        self._out.gap(1 if self._lists else 2)
        self._lists.append(_List(token.type == "ordered_list_open", self._out.indent))

    def _list_close(self, _token: Token) -> None:
        self._lists.pop()
        self._out.gap(1 if self._lists else 2)

    def _item_open(self, token: Token) -> None:
        current = self._lists[-1]
        bullet = _BULLETS[min(len(self._lists), len(_BULLETS)) - 1]
        marker = f"{token.info}{token.markup} " if current.ordered else bullet + " "
        self._out.gap(1)
        self._out.write(marker)
        self._out.hold(held=True)
        self._out.indent = current.outer + "  "
        self._task_possible = not current.ordered

    def _item_close(self, _token: Token) -> None:
        self._out.indent = self._lists[-1].outer
        self._out.hold(held=False)
        self._out.gap(1)

    def _rule(self, _token: Token) -> None:
        self._out.gap(2)
        self._out.write(_RULE)
        self._out.gap(2)

    def _code(self, token: Token) -> None:
        self._out.hold(held=False)
        self._out.gap(1 if self._lists else 2)
        info = token.info.strip()
        found = _LANGUAGE.match(info)
        language = found.group() if found else ""
        caption = info[len(language) :].strip()
        if caption:
            self._out.write(caption)
            self._out.gap(1)
        self._pre(token.content.rstrip("\n"), language)

    def _pre(self, text: str, language: str = "") -> None:
        indent, self._out.indent = self._out.indent, ""
        start = self._out.start()
        self._out.write(text, verbatim=True)
        self._out.mark(start, "pre", language=language)
        self._out.indent = indent
        self._out.gap(1 if self._lists else 2)

    def _inline_block(self, token: Token) -> None:
        self._inline(token.children or [])

    def _inline(self, tokens: Sequence[Token]) -> None:
        out = self._out
        hrefs: list[str] = []
        for token in tokens:
            kind, _, side = token.type.rpartition("_")
            if token.type == "text":
                out.write(self._text(token.content))
            elif token.type in {"softbreak", "hardbreak"}:
                out.write("\n")
            elif token.type == "code_inline":
                start = out.start()
                out.write(token.content)
                out.mark(start, "code")
            elif token.type == "image":
                self._image(token)
            elif kind == "link":
                self._link(token, side, hrefs)
            elif side == "open":
                self._open.append(out.start())
            elif side == "close":
                out.mark(self._open.pop(), _STYLES[kind])
            else:
                out.write(token.content)
            self._task_possible = False

    def _text(self, text: str) -> str:
        if self._task_possible and (found := _TASK.match(text)):
            return ("☐" if found[1] == " " else "☑") + text[found.end() :]
        return text

    def _link(self, token: Token, side: str, hrefs: list[str]) -> None:
        if side == "open":
            hrefs.append(str(token.attrs.get("href", "")))
            self._open.append(self._out.start())
        else:
            links.close(self._out, self._open.pop(), hrefs.pop())

    def _image(self, token: Token) -> None:
        start = self._out.start()
        self._out.write("🖼 " + (token.content or "").strip() if token.content.strip() else "🖼")
        links.close(self._out, start, str(token.attrs.get("src", "")))

    def _table(self, tokens: Sequence[Token], start: int) -> int:
        """Write the table that begins at `start`; return where it ends."""
        end = next(index for index in range(start, len(tokens)) if tokens[index].type == "table_close")
        self._out.hold(held=False)
        self._out.gap(2)
        rows = self._rows(tokens[start:end])
        cells = [child for row in rows for cell in row for child in cell.children or ()]
        text = (
            ""
            if any(child.type in {"link_open", "image"} for child in cells)
            else aligned(_plain(rows, tokens[start:end]))
        )
        if text:
            self._pre(text)
        else:
            self._entries(rows)
        self._out.gap(2)
        return end

    def _rows(self, tokens: Sequence[Token]) -> list[list[Token]]:
        """The cells of each row as inline tokens, with those beyond the header's columns, which the parser drops."""
        rows: list[list[Token]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(token)
            elif token.type == "tr_close" and len(rows) > 1:
                rows[-1].extend(self._surplus(rows[-1], len(rows[0])))
        return rows

    def _surplus(self, row: Sequence[Token], columns: int) -> list[Token]:
        line = next((cell.map[0] for cell in row if cell.map), None)
        if line is None:
            return []
        cells = _CELL_END.split(self._lines[line].strip().removeprefix("|").removesuffix("|"))
        return [_literal(text.strip()) for text in cells[columns:] if text.strip()]

    def _entries(self, rows: Sequence[Sequence[Token]]) -> None:
        """A table too wide for a phone: per row its first cell in bold, then a line per column."""
        header, *body = rows
        for row in body or [header]:
            self._out.gap(2)
            start = self._out.start()
            for index, cell in enumerate(row):
                label = header[index].children if body and index < len(header) else None
                if index:
                    self._out.gap(1)
                    self._out.write("• ")
                self._inline(label or [])
                self._out.write(": " if label else "")
                self._inline(cell.children or [])
                self._out.write("" if cell.children else "\u2013")
                if not index:
                    self._out.mark(start, "bold")


def _literal(text: str) -> Token:
    return Token("inline", "", 0, content=text, children=[Token("text", "", 0, content=text)])


def _plain(rows: Sequence[Sequence[Token]], tokens: Sequence[Token]) -> Table:
    texts = [tuple(_cell_text(cell) for cell in row) for row in rows]
    aligns = (str(token.attrs.get("style", "")).rpartition(":")[2] for token in tokens if token.type == "th_open")
    return Table(texts[0], tuple(texts[1:]), tuple(aligns))


def _cell_text(cell: Token) -> str:
    return "".join(" " if child.type.endswith("break") else child.content for child in cell.children or ())
