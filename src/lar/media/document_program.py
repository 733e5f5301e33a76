"""The text of a document. A program of its own, so that one that is a trap can be killed with it.

It reads a PDF, or an office document (docx, xlsx, pptx, odt, ods, odp), from its input; its argument is the most
characters to write. It writes a line of JSON, and behind it the text. It imports nothing of Lar, which is not on its
path.
"""

import io
import json
import re
import resource
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree as ET

SECONDS, MEMORY = 60, 1 << 30
"""Limits of the program: processor time, bytes of memory."""

ENOUGH = 30.0
"""Seconds after which what has been read of a long PDF has to do."""

MOST_UNPACKED = 100_000_000
"""Bytes of one part of an office document."""

_NUMBER = re.compile(r"\d+")
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_MOST_REPEATED = 50


class _Unreadable(Exception):
    """It has no text for us; the word says why."""


def read(data: bytes, most: int) -> tuple[dict[str, Any], str]:
    """What was found, and the text: at most so many characters; `cut` where there is more."""
    try:
        kind, blocks = _blocks(data)
        text, cut = _joined(blocks, most)
    except _Unreadable as reason:
        return {"problem": str(reason)}, ""
    return {"kind": kind, "cut": cut}, text


def _blocks(data: bytes) -> tuple[str, Iterable[str]]:
    if data[:1024].find(b"%PDF-") >= 0:
        return "pdf", _pdf(data)
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = set(archive.namelist())
    for kind, part, blocks in (
        ("docx", "word/document.xml", _docx),
        ("xlsx", "xl/workbook.xml", _xlsx),
        ("pptx", "ppt/presentation.xml", _pptx),
        ("odf", "content.xml", _odf),
    ):
        if part in names:
            return kind, blocks(archive)
    raise _Unreadable("unknown")


def _joined(blocks: Iterable[str], most: int) -> tuple[str, bool]:
    written: list[str] = []
    room = most
    for block in blocks:
        text = block.strip()
        if text:
            written.append(text[:room])
            room -= len(text) + 2
        if room <= 0:
            return "\n\n".join(written), True
    return "\n\n".join(written), False


# ---- PDF


def _pdf(data: bytes) -> Iterator[str]:
    from pypdf import PdfReader  # half a second, for nothing else

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise _Unreadable("locked")
    until = time.monotonic() + ENOUGH
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text()
        if text.strip():
            yield f"[page {number}]\n{text}"
        if time.monotonic() > until:
            yield f"[What comes after page {number} was not read: it takes too long.]"
            return


# ---- office documents: archives of XML


def _part(archive: zipfile.ZipFile, name: str) -> ET.Element:
    with archive.open(name) as file:
        data = file.read(MOST_UNPACKED + 1)
    if len(data) > MOST_UNPACKED:
        raise _Unreadable("large")
    return ET.fromstring(data)  # noqa: S314  # in a process with limits, which knows nothing


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _parts(archive: zipfile.ZipFile, pattern: str) -> list[str]:
    """The names of numbered parts, by their numbers."""
    found = [name for name in archive.namelist() if re.fullmatch(pattern, name)]
    return sorted(found, key=lambda name: int((_NUMBER.findall(name) or ["0"])[-1]))


def _said(paragraph: ET.Element) -> str:
    """A paragraph of Word or PowerPoint."""
    pieces: list[str] = []
    for element in paragraph.iter():
        match _local(element):
            case "t":
                pieces.append(element.text or "")
            case "tab":
                pieces.append("\t")
            case "br" | "cr":
                pieces.append("\n")
            case _:
                pass
    return "".join(pieces)


def _docx(archive: zipfile.ZipFile) -> Iterator[str]:
    body = next(iter(_part(archive, "word/document.xml")), None)
    for element in body if body is not None else ():
        if _local(element) == "tbl":
            rows = [row for row in element.iter() if _local(row) == "tr"]
            yield "\n".join(_docx_row(row) for row in rows)
        else:
            paragraphs = [part for part in element.iter() if _local(part) == "p"]
            yield "\n".join(map(_said, paragraphs))


def _docx_row(row: ET.Element) -> str:
    cells = [cell for cell in row if _local(cell) == "tc"]
    return "\t".join(" ".join(_said(part) for part in cell.iter() if _local(part) == "p") for cell in cells)


def _pptx(archive: zipfile.ZipFile) -> Iterator[str]:
    for number, name in enumerate(_parts(archive, r"ppt/slides/slide\d+\.xml"), 1):
        paragraphs = [part for part in _part(archive, name).iter() if _local(part) == "p"]
        yield f"[slide {number}]\n" + "\n".join(map(_said, paragraphs))


def _xlsx(archive: zipfile.ZipFile) -> Iterator[str]:
    shared: list[str] = []
    if "xl/sharedStrings.xml" in archive.namelist():
        shared = [_said(item) for item in _part(archive, "xl/sharedStrings.xml") if _local(item) == "si"]
    names = [str(sheet.get("name")) for sheet in _part(archive, "xl/workbook.xml").iter() if _local(sheet) == "sheet"]
    for number, name in enumerate(_parts(archive, r"xl/worksheets/sheet\d+\.xml")):
        title = names[number] if number < len(names) else str(number + 1)
        yield f"[sheet {title}]"
        for row in _part(archive, name).iter():
            if _local(row) == "row":
                yield "\t".join(_xlsx_cell(cell, shared) for cell in row)


def _xlsx_cell(cell: ET.Element, shared: list[str]) -> str:
    kind = cell.get("t")
    if kind == "inlineStr":
        return _said(cell)
    value = next((part.text or "" for part in cell if _local(part) == "v"), "")
    if kind == "s" and value.isdecimal():
        return shared[int(value)] if int(value) < len(shared) else ""
    return value


def _odf(archive: zipfile.ZipFile) -> Iterator[str]:
    yield from _odf_blocks(_part(archive, "content.xml"))


def _odf_blocks(element: ET.Element) -> Iterator[str]:
    for part in element:
        if part.tag in {f"{_TEXT}p", f"{_TEXT}h"}:
            yield _odf_text(part)
        elif part.tag == f"{_TABLE}table-row":
            yield "\t".join(_odf_row(part)).rstrip()
        else:
            yield from _odf_blocks(part)


def _odf_row(row: ET.Element) -> Iterator[str]:
    for cell in row:
        repeated = str(cell.get(f"{_TABLE}number-columns-repeated") or 1)
        text = " ".join(map(_odf_text, cell))
        yield from [text] * (min(int(repeated), _MOST_REPEATED) if repeated.isdecimal() else 1)


def _odf_text(element: ET.Element) -> str:
    gaps = {f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n", f"{_TEXT}s": " "}
    pieces = [gaps.get(element.tag, ""), element.text or ""]
    for part in element:
        pieces += [_odf_text(part), part.tail or ""]
    return "".join(pieces)


def main() -> None:
    """Read the document on the input."""
    for limit, value in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, MEMORY)):
        with suppress(ValueError, OSError):  # some systems do not limit memory
            resource.setrlimit(limit, (value, value))
    found, text = read(sys.stdin.buffer.read(), int(sys.argv[1]))
    sys.stdout.buffer.write(json.dumps(found).encode() + b"\n" + text.encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
