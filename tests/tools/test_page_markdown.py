"""What a page says, as Markdown."""

import io
import sys

import pytest

from lar.tools import page_markdown
from lar.tools.page_markdown import page_markdown as markdown

PAGE = """<html><head><title> The  page </title><base href="/docs/"></head><body><nav>menu</nav>
<script>alert(1)</script><h1>Hello</h1><p>See <a href="a?b=1">this</a>, <a href="javascript:x()">not that</a>,
<a href="http://[bad">nor that</a>.</p><img src="x.png" alt="a picture"><img src="y.png">
<ul><li>one</ul></body></html>"""


def test_a_page_is_what_there_is_to_read() -> None:
    """R-TO-2: title, headings, lists and whole links stay; scripts, menus and links that lead nowhere go."""
    text = markdown(PAGE, "https://example.org/start", 10_000)
    assert text.startswith("Title: The page\n\n# Hello")
    assert "[this](https://example.org/docs/a?b=1)" in text
    assert "![a picture](https://example.org/docs/x.png)" in text
    assert "- one" in text
    assert not [word for word in ("menu", "alert", "javascript", "[bad", "y.png") if word in text]


def test_a_page_without_a_title_or_an_end() -> None:
    """R-TO-2: elements inside each other without end give their text, cut where it was asked to be."""
    assert "deep" in markdown("<div>" * 5000 + "deep", "https://example.org", 100)
    assert len(markdown("word " * 100, "https://example.org", 50)) == 50


def test_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads a page from its input, within limits, and writes Markdown."""

    class Stream:
        def __init__(self, content: bytes) -> None:
            self.buffer = io.BytesIO(content)

    limits: list[int] = []
    written = Stream(b"")

    def limited(limit: int, _value: tuple[int, int]) -> None:
        limits.append(limit)

    monkeypatch.setattr(page_markdown.resource, "setrlimit", limited)
    monkeypatch.setattr(sys, "argv", ["page_markdown", "https://example.org", "100"])
    monkeypatch.setattr(sys, "stdin", Stream(b"<h2>Caf\xc3\xa9</h2>"))
    monkeypatch.setattr(sys, "stdout", written)
    page_markdown.main()
    assert written.buffer.getvalue().decode() == "## Caf\u00e9"
    assert len(limits) == 2
