"""The simulator's markup parsers, where gateways go wrong most."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.testing.telegram import markup
from lar.testing.telegram.markup.entities import utf16_length

ALPHABET = st.sampled_from([*"_*[]()~`>#+-=|{}.!\n\\ ab/<&;\"'\r\t\0", "```", "||", "😀", "<b>", "</b>", "<pre>", "</"])


def plain(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    """An entity."""
    return {"type": kind, "offset": offset, "length": length, **more}


@pytest.mark.parametrize(
    ("mode", "source", "text", "entities"),
    [
        ("HTML", "<b>a<i>😀</i></b>&amp;&#33;", "a😀&!", [plain("bold", 0, 3), plain("italic", 1, 2)]),
        ("HTML", '<a href="lar.test">x</a>', "x", [plain("text_link", 0, 1, url="http://lar.test/")]),
        ("HTML", '<pre><code class="language-py">x</code></pre>', "x", [plain("pre", 0, 1, language="py")]),
        ("HTML", "<blockquote expandable>q</blockquote>", "q", [plain("expandable_blockquote", 0, 1)]),
        ("HTML", '<span class="tg-spoiler">s</span>', "s", [plain("spoiler", 0, 1)]),
        ("MarkdownV2", "*b _i_*\\.", "b i.", [plain("bold", 0, 3), plain("italic", 2, 1)]),
        ("MarkdownV2", "__u__ ~s~ ||p||", "u s p", [plain("underline", 0, 1), plain("spoiler", 4, 1)]),
        ("MarkdownV2", "```py\nx_y\n```", "x_y\n", [plain("pre", 0, 4, language="py")]),
        ("MarkdownV2", "[t](http://a.b/c\\)d)", "t", [plain("text_link", 0, 1, url="http://a.b/c)d")]),
        ("MarkdownV2", ">q\n>r\nend", "q\nr\nend", [plain("blockquote", 0, 4)]),
        ("MarkdownV2", ">q||\nend", "q\nend", [plain("expandable_blockquote", 0, 2)]),
        ("MarkdownV2", "![😀](tg://emoji?id=5)", "😀", [plain("custom_emoji", 0, 2, custom_emoji_id="5")]),
        ("Markdown", "*b* _i_ `c` \\_", "b i c _", [plain("bold", 0, 1), plain("italic", 2, 1), plain("code", 4, 1)]),
        ("Markdown", "[t](tg://user?id=5)", "t", [plain("text_mention", 0, 1)]),
    ],
)
def test_understands(mode: str, source: str, text: str, entities: list[dict[str, Any]]) -> None:
    """Each construct becomes the entity the server would make of it."""
    got_text, got = markup.parse(source, mode)
    assert got_text == text
    for wanted in entities:
        assert any(entity | wanted == entity for entity in got), got


@pytest.mark.parametrize(
    ("mode", "source", "error"),
    [
        ("HTML", "a<", "Unclosed start tag at byte offset 1"),
        ("HTML", "</b>", "Unexpected end tag at byte offset 0"),
        ("HTML", "<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("HTML", "<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("HTML", "<a =x>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("HTML", "<tg-emoji emoji-id=x>😀</tg-emoji>", "Invalid custom emoji identifier specified"),
        ("MarkdownV2", "```py\nx", "Can't find end of PreCode entity at byte offset 0"),
        ("MarkdownV2", "[t](http://x", "Can't find end of a URL at byte offset 4"),
        ("MarkdownV2", "![x]", "The entity must contain a tg://emoji or tg://time URL"),
        ("MarkdownV2", ">*q\nx", "Can't find end of Bold entity at byte offset 1"),
        ("Markdown", "a *b", "Can't find end of the entity starting at byte offset 2"),
    ],
)
def test_refuses(mode: str, source: str, error: str) -> None:
    """Each mistake is named in the server's words, at its byte."""
    with pytest.raises(markup.MarkupError) as refused:
        markup.parse(source, mode)
    assert str(refused.value) == f"can't parse entities: {error}"


@given(st.lists(ALPHABET, max_size=14).map("".join), st.sampled_from(["HTML", "MarkdownV2", "Markdown"]))
def test_entities_lie_within_the_text(source: str, mode: str) -> None:
    """Whatever is written, a parser refuses it or returns a text that covers its entities."""
    try:
        text, entities = markup.parse(source, mode)
    except markup.MarkupError:
        return
    text, entities = markup.trim(*markup.clean(text, entities))
    for entity in markup.merge_auto_entities(text, entities):
        assert 0 <= entity["offset"] < entity["offset"] + entity["length"] <= utf16_length(text)


def test_finds_links_commands_mentions_and_tags_but_not_in_code() -> None:
    """Telegram adds these by itself; where code or a link is, it does not."""
    text = "/go@sim_bot @lar_x #tag a@b.io https://x.io/y. `/no`"
    found = [
        (entity["type"], text[entity["offset"] : entity["offset"] + entity["length"]])
        for entity in markup.merge_auto_entities(text, [plain("code", text.index("/no"), 3)])
    ]
    assert found == [
        ("bot_command", "/go@sim_bot"),
        ("mention", "@lar_x"),
        ("hashtag", "#tag"),
        ("email", "a@b.io"),
        ("url", "https://x.io/y"),
        ("code", "/no"),
    ]
