"""Whatever Markdown a model writes arrives in Telegram: all of it, formatted, and never refused."""

import re

import pytest

from lar.testing.models.directives import NASTY_MARKDOWN, markdown_text
from lar.testing.stage import Stage
from lar.testing.telegram.wire import Json

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAMILY, FLAG, THUMB = (
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f1e9\U0001f1ea",
    "\U0001f44d\U0001f3fd",
)

BY_TELEGRAM = {"bot_command", "url", "hashtag"}
"""What Telegram itself marks in any text."""


async def told(door: Stage, chat: int, markdown: str) -> list[Json]:
    """The messages in which a model's answer arrives; none of the calls that brought them was refused."""
    request = f"write for {chat}."
    door.models.push(markdown, match=re.escape(request))
    door.telegram.send_text(request, chat)
    await door.replies(chat)
    await door.settled()
    refused = [call for call in door.telegram.calls if call["chat_id"] == chat and call["status"] != 200]
    assert refused == []
    return [message for message in door.telegram.messages(chat) if message["from"]["is_bot"]]


def formatted(messages: list[Json]) -> list[tuple[str, str]]:
    """What is formatted, and how; offsets count UTF-16 code units."""
    found: list[tuple[str, str]] = []
    for message in messages:
        units = message["text"].encode("utf-16-le")
        for entity in message.get("entities", ()):
            if entity["type"] in BY_TELEGRAM:
                continue
            start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
            found.append((entity["type"], units[start:end].decode("utf-16-le")))
    return found


def plain(messages: list[Json]) -> str:
    """The text of all of them."""
    return "\n".join(message["text"] for message in messages)


async def test_everything_at_once(door: Stage, chat: int) -> None:
    """Headings, nested lists and quotes, fences in fences, tables, raw HTML, emoji, right to left, unclosed marks."""
    messages = await told(door, chat, NASTY_MARKDOWN)
    look = formatted(messages)
    assert ("bold", "bold") in look
    assert ("italic", "italic") in look
    assert ("strikethrough", "struck") in look
    assert any(kind == "pre" and text.startswith("```python\ndef f(x):") for kind, text in look), "a fence in a fence"
    assert any(kind == "text_link" and text == "link" for kind, text in look)
    assert any(kind == "blockquote" and "nested quote" in text for kind, text in look)
    text = plain(messages)
    for word in ("dunder", "snake_case_name", "a < b && c > d", "AT&T & <tag>", "Column_B", "item_one", "deeper ref"):
        assert word in text
    for word in ("code with ` backtick", FAMILY, "\u05e9\u05dc\u05d5\u05dd", "||hidden||", "unbalanced italic"):
        assert word in text
    assert "<b>raw html</b>" in text, "what is no Markdown is text"


@pytest.mark.parametrize(
    ("markdown", "text", "look"),
    [
        ("a **b", "a **b", []),
        ("a **b** c", "a b c", [("bold", "b")]),
        (
            "***b*** _i_ ~~s~~ `c`",
            "b i s c",
            [("bold", "b"), ("italic", "b"), ("italic", "i"), ("strikethrough", "s"), ("code", "c")],
        ),
        ("````\n```\nin\n```\n````", "```\nin\n```", [("pre", "```\nin\n```")]),
        ("```py\nnever closed", "never closed", [("pre", "never closed")]),
        ("a < b && c > d <i>x</i> &amp; y", "a < b && c > d <i>x</i> & y", []),
        ("**\u05e9\u05dc\u05d5\u05dd** abc", "\u05e9\u05dc\u05d5\u05dd abc", [("bold", "\u05e9\u05dc\u05d5\u05dd")]),
        (f"{FAMILY} **{FLAG}** {THUMB} *x*", f"{FAMILY} {FLAG} {THUMB} x", [("bold", FLAG), ("italic", "x")]),
        ("a\u200b**b\u200d**\u2060c", "a\u200bb\u200d\u2060c", [("bold", "b\u200d")]),
    ],
    ids=["unbalanced", "bold", "kinds", "fences", "unclosed", "html", "rtl", "emoji", "zero-width"],
)
async def test_small(door: Stage, chat: int, markdown: str, text: str, look: list[tuple[str, str]]) -> None:
    """One construct at a time: the text, and what of it is formatted."""
    (message,) = await told(door, chat, markdown)
    assert message["text"] == text
    assert sorted(formatted([message])) == sorted(look)


async def test_table(door: Stage, chat: int) -> None:
    """A narrow table keeps its columns; one too wide for a phone has every value beside its column's name."""
    narrow = await told(door, chat, "| Name | Age |\n|:--|--:|\n| **Ana** | 41 |\n| Ben | 7 |")
    ((kind, columns),) = formatted(narrow)
    assert kind == "pre"
    assert [line.split() for line in columns.splitlines() if line[0].isalpha()] == [
        ["Name", "Age"],
        ["Ana", "41"],
        ["Ben", "7"],
    ]


async def test_only_invisible(door: Stage, chat: int) -> None:
    """An answer of nothing that can be seen is not lost in Telegram's refusal: there is something to read."""
    (message,) = await told(door, chat, "\u200b\u200d\n\u2060")
    assert message["text"].strip()


async def test_several_messages(door: Stage, chat: int) -> None:
    """A long answer comes in parts, in order, none torn inside a fence, nothing left out."""
    markdown = markdown_text(11_000)
    messages = await told(door, chat, markdown)
    assert len(messages) >= 3
    assert all(len(message["text"].encode("utf-16-le")) <= 2 * 4096 for message in messages)
    numbers = [int(number) for number in re.findall(r"^Part (\d+)$", plain(messages), re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers[-1] == int(re.findall(r"## Part (\d+)", markdown)[-1])
    fences = [text for kind, text in formatted(messages) if kind == "pre"]
    assert all(re.fullmatch(r"value_\d+ = \d+ \* 2  # fenced", text) for text in fences[:-1])


@pytest.mark.parametrize("line", ["x" * 50_000, "word " * 10_000, FAMILY * 4_545, "\u05e9" * 50_000])
async def test_line_without_end(door: Stage, chat: int, line: str) -> None:
    """A line of 50,000 characters arrives whole, as a file behind an excerpt."""
    await told(door, chat, line)
    (sent,) = [message["document"] for message in door.telegram.messages(chat) if "document" in message]
    stored = door.telegram.files.get(sent["file_id"])
    assert stored is not None
    assert stored.data.decode() == line
    assert door.texts(chat)[0].startswith(line[:100])
