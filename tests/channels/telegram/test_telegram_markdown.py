"""Markdown becomes Telegram messages: nothing lost, nothing refused, nothing shown as raw markup."""

import itertools
import re
import sys
from collections.abc import Sequence
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.channels.contract import Rendered
from lar.channels.telegram.markdown import preview, render
from lar.channels.telegram.rich import EMPTY_ANSWER, is_visible
from lar.channels.telegram.split import MAX_ENTITIES, MAX_UNITS
from lar.domain.delivery import Entity, Part

FLAT = frozenset({"code", "pre"})
NO_FILE = 10**9

MARKUP = (
    *("*", "**", "***", "_", "__", "~~", "`", "``", "```", "```python\n", "~~~\n", "[", "](", "](x)", ")", "![", "\\"),
    *("> ", "- ", "+ ", "1. ", "2) ", "# ", "## ", "---\n", "===\n", "|", "|-|-|\n", "\n|a|b|\n|-|-|\n|", " ", "\n"),
    *("\n\n", "\n  ", "\n    ", "\t", "<", ">", "<b>", "</b>", "<br>", "&", "&amp;", "&lt;", "\n[a]: http://x.y\n"),
    *("[a]", "[x](http://a.b)", "[x](#y)", "<http://a.b>", "[ ] ", "[x] ", "![i](http://a.b/c)", "\u200b", "\u200d"),
    *(
        "\u200f",
        "\u202e",
        "\ufeff",
        "\u2028",
        "\x00",
        "\r\n",
        "\ud800",
        "\u030a",
        "👨\u200d👩\u200d👧",
        "🇩🇪",
        "❤️",
        "👍🏽",
    ),
)

anything = st.text(st.characters(codec=None), max_size=400)
markup = st.lists(
    st.one_of(
        st.sampled_from(MARKUP),
        st.text("abcäß漢字\u0627\u064112 ", min_size=1, max_size=8),
    ),
    max_size=60,
).map("".join)
texts = st.one_of(anything, markup)


def shown(part: Part, entity: Entity) -> str:
    """What an entity formats."""
    encoded = part.text.encode("utf-16-le")
    return encoded[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def kinds(part: Part) -> list[tuple[str, str]]:
    """Kind and text of each entity."""
    return [(entity.kind, shown(part, entity)) for entity in part.entities]


def one(text: str) -> Part:
    """The only part of a short text."""
    [part] = render(text).parts
    return part


def check_entities(part: Part) -> None:
    """Entities are what the server accepts: in bounds, on character borders, trimmed, nested, code by itself."""
    size = len(part.text.encode("utf-16-le")) // 2
    for entity in part.entities:
        text = shown(part, entity)  # raises where a surrogate pair is cut
        assert entity.offset >= 0
        assert entity.length > 0
        assert entity.offset + entity.length <= size
        assert text.strip()
        assert text == (text.rstrip().lstrip("\n") if entity.kind == "pre" else text.strip())
        assert bool(entity.url) == (entity.kind == "text_link")
    for index, first in enumerate(part.entities):
        for second in part.entities[index + 1 :]:
            check_pair(first, second)


def check_pair(first: Entity, second: Entity) -> None:
    """Two entities are disjoint, or one holds the other and both are of kinds that may be so."""
    assert first.offset <= second.offset
    if second.offset >= first.offset + first.length:
        return
    assert second.offset + second.length <= first.offset + first.length
    assert first.kind != second.kind
    assert first.kind not in FLAT
    assert second.kind != "pre"
    assert second.kind != "code" or first.kind == "blockquote"


def check(rendered: Rendered) -> None:
    """Every part can be sent."""
    assert rendered.parts
    for part in rendered.parts:
        assert is_visible(part.text)
        assert part.text == part.text.rstrip()
        assert len(part.text.encode("utf-16-le")) // 2 <= MAX_UNITS
        assert len(part.entities) <= MAX_ENTITIES
        check_entities(part)


@given(texts)
def test_always_sendable(text: str) -> None:
    """No text on earth renders into something Telegram refuses, and rendering is a function."""
    rendered = render(text)
    check(rendered)
    assert rendered == render(text)
    check(Rendered((preview(text),)))


@given(st.lists(texts, min_size=2, max_size=6), st.integers(1, 4000))
def test_long_always_sendable(pieces: Sequence[str], times: int) -> None:
    """However long and wherever it is cut, every part can be sent."""
    check(render("\n".join(pieces) * (1 + times // len("".join(pieces) + "x")), NO_FILE))


@given(st.text(st.characters(categories=["L", "N", "Zs"]), max_size=9000))
def test_loses_no_letter(text: str) -> None:
    """Letters and digits of plain text all arrive, in order."""
    together = "".join(part.text for part in render(text, NO_FILE).parts)
    letters = [char for char in text if char.isalnum()]
    assert [char for char in together if char.isalnum()] == (letters or [c for c in EMPTY_ANSWER if c.isalnum()])


@given(markup)
def test_loses_no_word_of_markup(text: str) -> None:
    """Words survive whatever markup stands around them."""
    words = re.findall("[ab漢字]+", re.sub(r"&\w+;|</?\w+>|\[a\]:.*|http\S+|```.*|~~~.*|\n", " ", text))
    together = "".join(part.text for part in render(text, NO_FILE).parts)
    missing = [word for word in words if not all(char in together for char in word)]
    assert not missing


@given(st.text("abc de.\n", min_size=1, max_size=6000))
def test_plain_text_is_a_fixed_point(text: str) -> None:
    """What came out plain goes through again unchanged."""
    for part in render(text, NO_FILE).parts:
        assert render(part.text, NO_FILE).parts == (part,)


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("**b** *i* ~~s~~ `c`", "b i s c", [("bold", "b"), ("italic", "i"), ("strikethrough", "s"), ("code", "c")]),
        ("***both***", "both", [("italic", "both"), ("bold", "both")]),
        ("# Title\ntext", "Title\n\ntext", [("bold", "Title")]),
        ("# **Title**", "Title", [("bold", "Title")]),
        ("**a `c` b**", "a c b", [("bold", "a"), ("code", "c"), ("bold", "b")]),
        ("[**x**](https://a.b)", "x", [("text_link", "x"), ("bold", "x")]),
        ("[`x`](https://a.b)", "x", [("text_link", "x")]),
        ("![cat](https://a.b/c.png)", "🖼 cat", [("text_link", "🖼 cat")]),
        ("![](data:image/png;base64,AAAA) x", "🖼 x", []),
        ("[here](docs/x.md)", "here (docs/x.md)", []),
        ("[here](http://localhost:80/)", "here (http://localhost:80/)", []),
        ("[me](mailto:a@b.c) <a@b.c>", "me (a@b.c) a@b.c", []),
        ("> q\n> > r", "q\n\n» r", [("blockquote", "q\n\n» r")]),
        ("> `c` q", "c q", [("blockquote", "c q"), ("code", "c")]),
        ("> a\n> ```\n> c\n> ```\n> b", "a\n\nc\n\nb", [("blockquote", "a"), ("pre", "c"), ("blockquote", "b")]),
        ("- a\n  - b\n    - c\n- d", "• a\n  ◦ b\n    ▪ c\n• d", []),
        ("3. a\n4. b\n   c", "3. a\n4. b\n  c", []),
        ("- [ ] a\n- [x] b", "• ☐ a\n• ☑ b", []),
        ("- a\n\n- b", "• a\n\n• b", []),
        ("-\n- b", "• \n• b", []),
        ("a\n***\nb", "a\n\n———\n\nb", []),
        ("<b>a</b> &lt; &copy;", "<b>a</b> < ©", []),
        ("**open", "**open", []),
        ("```py\n  x\n```", "  x", [("pre", "  x")]),
        ("```\nopen", "open", [("pre", "open")]),
        ("``` title here\nx\n```", "here\nx", [("pre", "x")]),
        ("[x]: http://a.b", "[x]: http://a.b", []),
        ("[x][1]\n\n[1]: http://a.b", "x", [("text_link", "x")]),
        ("a\r\nb\tc\x07", "a\nb    c", []),
        ("|a|b|\n|-|-:|\n|漢|1|2|", "a   b\n──  ─  ─\n漢  1  2", [("pre", "a   b\n──  ─  ─\n漢  1  2")]),
        ("|a|b|\n|-|-|\n|x|[y](http://a.b)|", "a: x\n• b: y", [("bold", "a: x"), ("text_link", "y")]),
        ("", EMPTY_ANSWER, []),
        (" \u200b\n", EMPTY_ANSWER, []),
        ("[](http://a.b)", "http://a.b", [("text_link", "http://a.b")]),
        ("\ud83d\ude00 **x**", "😀 x", [("bold", "x")]),
        ("\ud83d **x**", "\ufffd x", [("bold", "x")]),
    ],
)
def test_formatting(source: str, text: str, entities: list[tuple[str, str]]) -> None:
    """Each construct of Markdown reads well in Telegram."""
    part = one(source)
    assert part.text == text
    assert kinds(part) == entities


def test_language_of_code() -> None:
    """A code block keeps its language, so that the app can colour it."""
    [entity] = one("```c++ title\nint x;\n```").entities
    assert (entity.kind, entity.language) == ("pre", "c++")


def test_too_deep_is_shown_as_it_stands() -> None:
    """Nesting so deep that a parser gives up loses nothing."""
    lists = "".join("  " * depth + "- x\n" for depth in range(90)) + "  " * 90 + "bottom"
    for text in ("> " * 300 + "bottom", lists):
        assert render(text).parts[-1].text.endswith("bottom")


def test_wide_table_becomes_entries() -> None:
    """A table too wide for a phone reads row by row."""
    wide = "|Name|What it does|Why|\n|-|-|-|\n" + "|`lar`|" + "guards the house " * 3 + "|because **yes**|\n"
    part = one(wide)
    assert part.text.startswith("Name: lar\n• What it does: guards the house")
    assert part.text.endswith("• Why: because yes")
    assert ("bold", "yes") in kinds(part)


def test_cuts_where_a_reader_pauses() -> None:
    """Long text is cut at a paragraph, else a line, a sentence, a word."""
    for unit, ending in (("w " * 50 + "\n\n", "w"), ("w " * 50 + "\n", "w"), ("ww " * 9 + "ww. ", "."), ("www ", "w")):
        first, *_ = render(unit * (9000 // len(unit)), NO_FILE).parts
        assert len(first.text) > 0.4 * MAX_UNITS
        assert first.text.endswith(ending)
        assert len(first.text) % len(unit) == len(unit.rstrip())


def test_code_survives_a_cut() -> None:
    """A code block longer than a message goes on as code of the same language, indentation kept."""
    code = "".join(f"    line {number}\n" for number in range(900))
    parts = render(f"Look:\n\n```python\n{code}```\nDone.", NO_FILE).parts
    assert len(parts) > 2
    for part in parts[:-1]:
        assert [(entity.kind, entity.language) for entity in part.entities] == [("pre", "python")]
    assert all(part.text.startswith("    line") for part in parts[1:])
    assert parts[-1].text.endswith("Done.")
    assert "".join(part.text for part in parts).count("line") == 900


def test_many_entities_are_spread() -> None:
    """More formatting than one message can carry is spread over several, all of it kept."""
    parts = render("**a** x " * 450, NO_FILE).parts
    assert sum(len(part.entities) for part in parts) == 450
    assert all(len(part.entities) <= MAX_ENTITIES for part in parts)


def test_emoji_are_not_torn() -> None:
    """A cut falls between emoji, not into families, flags or skin tones."""
    for emoji in ("👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "e\u0301", "❤️"):
        for part in render(emoji * 5000, NO_FILE).parts:
            assert part.text.replace(emoji, "") == ""


def test_past_the_threshold_a_file() -> None:
    """A very long answer comes as a short beginning and a file with all of it."""
    text = "# Report\n\n" + "A sentence of the report. " * 1000
    rendered = render(text)
    [part] = rendered.parts
    assert rendered.document == text
    assert part.text.startswith("Report\n\nA sentence")
    assert part.text.endswith("…")
    assert len(part.text) < 1500
    assert not render(text, NO_FILE).document
    assert not render(" " * 20_000).document


@pytest.mark.parametrize(
    "unit",
    [
        "word ",
        "[",
        "![",
        "*a ",
        "**a** ",
        "_a",
        "`",
        "`` ` ```",
        "<a",
        "\\",
        ">",
        "- a\n",
        "\n",
        "|",
        "[a](",
        "漢",
        "🇩🇪",
        " ",
    ],
)
def test_linear_time(unit: str) -> None:
    """Text four times as long takes about four times as many steps, whatever it is made of."""

    def steps(size: int) -> int:
        text = (unit * size)[:size]
        events = itertools.count()

        def note(_frame: FrameType, _event: str, _what: object) -> None:
            next(events)

        sys.setprofile(note)
        try:
            render(text, NO_FILE)
        finally:
            sys.setprofile(None)
        return next(events)

    assert steps(20_000) < 6 * max(steps(5_000), 20_000)
