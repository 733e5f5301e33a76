"""A page as Markdown. A program of its own, so that a page that never ends its reading can be killed with it.

It reads HTML from its input and writes Markdown; its arguments are the page's address and the most characters to write.
It imports nothing of Lar, which is not on its path.
"""

import re
import resource
import sys
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

SECONDS, MEMORY, MOST_INPUT = 10, 1 << 30, 2_000_000
"""Limits of the program: processor time, bytes of memory, characters of a page that are read."""

_UNREADABLE = ("script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "canvas", "dialog")
_LINKS = (("a", "href"), ("img", "src"))
_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n+")


def page_markdown(html: str, url: str, most: int) -> str:
    """What there is to read on a page: without scripts, styles and navigation, with whole addresses in its links."""
    soup = BeautifulSoup(html[:MOST_INPUT], "html.parser")
    title = " ".join(soup.title.get_text(" ").split()) if soup.title else ""
    _make_links_whole(soup, url)
    for element in soup(["head", *_UNREADABLE]):
        element.decompose()
    try:
        text = str(MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(soup))
    except RecursionError:  # elements inside each other without end
        text = soup.get_text("\n", strip=True)
    text = _EMPTY_LINES.sub("\n\n", text).strip()
    return (f"Title: {title}\n\n{text}" if title else text)[:most]


def _make_links_whole(soup: BeautifulSoup, url: str) -> None:
    base = soup.find("base", href=True)
    if base is not None:
        url = _joined(url, str(base["href"])) or url
    for name, attribute in _LINKS:
        for element in soup(name):
            target = _joined(url, str(element.get(attribute) or ""))
            if target and (name == "a" or element.get("alt")):
                element[attribute] = target
            elif name == "a":
                del element[attribute]
            else:
                element.decompose()


def _joined(base: str, target: str) -> str:
    """The whole address of a link; nothing for one that leads nowhere on the web."""
    try:
        joined = urljoin(base, target.strip())
        return joined if target and urlsplit(joined).scheme in {"http", "https", "mailto", "tel"} else ""
    except ValueError:
        return ""


def main() -> None:
    """Convert the page on the input."""
    for limit, value in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, MEMORY)):
        with suppress(ValueError, OSError):  # some systems do not limit memory
            resource.setrlimit(limit, (value, value))
    url, most = sys.argv[1], int(sys.argv[2])
    html = sys.stdin.buffer.read().decode("utf-8", "replace")
    sys.stdout.buffer.write(page_markdown(html, url, most).encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
