"""Documents as text: PDF, office documents, pages, and whatever is text already."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

from lar.errors import MediaError
from lar.media import programs
from lar.tools.artifacts import mime_type
from lar.tools.readable import is_html, page_text, text_of

PDF = "application/pdf"

_PROGRAM = Path(__file__).with_name("document_program.py")
_SECONDS = 70.0
MOST_CHARS = 2_000_000
"""More of a text is not read."""

_REASONS = {
    "locked": ("unsupported", "it is locked with a password"),
    "large": ("too_large", "it is too large when it is unpacked"),
    "unknown": ("unsupported", "this kind of file cannot be read here"),
}


def is_packed(head: bytes) -> bool:
    """Whether a file begins (1024 bytes are enough) like a document that has to be unpacked: a PDF, or an archive."""
    return b"%PDF-" in head or head.startswith(b"PK\3\4")


async def text(file: BinaryIO, name: str) -> str:
    """The text of an open document. `name` tells what it is where its content does not.

    Raises:
        MediaError: there is none to be had; the text says why.

    """
    head = file.read(1024)
    file.seek(0)
    found = await _unpacked(file) if is_packed(head) else await _plain(file, name)
    if not found.strip():
        raise MediaError("unsupported", "there is no text in it; it may hold pictures of pages")
    return found


async def _unpacked(file: BinaryIO) -> str:
    ran = await programs.run([sys.executable, "-I", str(_PROGRAM), str(MOST_CHARS)], _SECONDS, source=file)
    if ran.status:
        raise MediaError("damaged", "it is damaged, or no document that is known here")
    line, _, written = ran.output.partition(b"\n")
    said: dict[str, Any] = json.loads(line)
    if "problem" in said:
        kind, reason = _REASONS[said["problem"]]
        raise MediaError(kind, reason)  # pyright: ignore[reportArgumentType]  # the table holds kinds
    return written.decode("utf-8")


async def _plain(file: BinaryIO, name: str) -> str:
    body = await asyncio.to_thread(file.read, MOST_CHARS)
    if not os.fstat(file.fileno()).st_size:
        raise MediaError("unsupported", "it is empty")
    kind = mime_type(body[:16], name)
    found = text_of(body, kind)
    if found is None:
        found = text_of(body, "")
    if found is None:
        raise MediaError("unsupported", "this kind of file cannot be read here")
    if is_html(body, kind):
        return await page_text(found, "", MOST_CHARS) or found
    return found
