"""Text out of what a server sent: its characters decoded, HTML as Markdown, JSON laid out."""

import asyncio
import codecs
import json
import re
import sys
from contextlib import suppress
from pathlib import Path

_CONVERTER = Path(__file__).with_name("page_markdown.py")
_SECONDS = 15.0
"""How long a page may take to be converted."""

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.ASCII | re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_LOOKED_AT = 2048
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings of the web. Python knows others that are no encodings of text, or take for ever (idna).
_ENCODINGS = re.compile(
    r"utf-8|utf-16(-[lb]e)?|iso8859-\d+|cp(125\d|866|874|932|949|950)|koi8-[ru]|mac-(roman|cyrillic)|gb2312|gbk|"
    r"gb18030|big5|big5hkscs|euc_jp|euc_kr|shift_jis|iso2022_jp"
)
_TEXT = re.compile(
    r"text/.*|.*[/+](json|xml|yaml)|application/(javascript|ecmascript|x-www-form-urlencoded|x-ndjson|x-yaml|toml|sql)"
)
_HTML = re.compile(rb"<(!doctype\s+html|html)[\s>]", re.IGNORECASE)


def media_type(content_type: str) -> str:
    """`text/html` of `Text/HTML; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def text_of(body: bytes, content_type: str) -> str | None:
    """The text of a body; None where it is no text.

    The server's word decides, then a byte order mark, then the page's own `<meta>`, then whether it is UTF-8.
    """
    kind = media_type(content_type)
    unsaid = kind in {"", "application/octet-stream", "binary/octet-stream"}
    if not (_TEXT.fullmatch(kind) or (unsaid and b"\0" not in body[:_LOOKED_AT] and _is_utf8(body))):
        return None
    said = _CHARSET.search(content_type)
    meta = _META.search(body[:_LOOKED_AT])
    names = [
        next((name for mark, name in _MARKS if body.startswith(mark)), ""),
        _encoding(said[1]) if said else "",
        _encoding(meta[1].decode("ascii", "replace")) if meta else "",
    ]
    chosen = next(filter(None, names), "") or ("utf-8" if _is_utf8(body) else "cp1252")
    return body.decode(chosen, "replace")


def is_html(body: bytes, content_type: str) -> bool:
    """Whether a body is a page, by the server's word or by how it begins."""
    kind = media_type(content_type)
    return kind in {"text/html", "application/xhtml+xml"} or (
        kind in {"", "text/plain", "application/octet-stream"}
        and body.lstrip().startswith(b"<")
        and _HTML.search(body[:_LOOKED_AT]) is not None
    )


def json_laid_out(text: str) -> str:
    """JSON with a line for each value; text that is no JSON, as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return text


async def page_text(html: str, url: str, most: int) -> str | None:
    """A page as Markdown, at most so many characters; None where it cannot be converted in reasonable time.

    A page may be written to keep its reader busy for ever, and a thread cannot be stopped: this is a process.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_CONVERTER),
        url,
        str(most),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(_SECONDS):
            converted, _ = await process.communicate(html.encode("utf-8", "replace"))
    except TimeoutError:
        return None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return converted.decode("utf-8", "replace") if process.returncode == 0 else None


def _encoding(label: str) -> str:
    """The encoding of this label, empty for one that is unknown or not of the web. Latin-1 is Windows' there."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    if name in {"ascii", "iso8859-1"}:
        return "cp1252"
    return name if _ENCODINGS.fullmatch(name) else ""


def _is_utf8(body: bytes) -> bool:
    """Whether it is UTF-8, but for a character that was cut in two at the end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return False
    return True
