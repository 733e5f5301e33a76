"""Documents become text, in a process of their own."""

import asyncio
from pathlib import Path

import pytest

from lar.errors import MediaError
from lar.media import document_program, documents
from media_samples import archive, docx, pdf

SHARED = "<sst><si><t>name</t></si><si><r><t>two</t></r><r><t> parts</t></r></si></sst>"
BOOK = '<workbook><sheets><sheet name="Costs"/><sheet name="Other"/></sheets></workbook>'
ROWS = (
    '<worksheet><sheetData><row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>9</v></c></row>'
    '<row><c><v>12.5</v></c><c t="inlineStr"><is><t>here</t></is></c><c/></row></sheetData></worksheet>'
)
SLIDE = '<p:sld xmlns:p="urn:p" xmlns:a="urn:a"><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:sld>'
TEXT, TABLE = "urn:oasis:names:tc:opendocument:xmlns:text:1.0", "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
ODF = (
    f'<d xmlns:t="{TEXT}" xmlns:b="{TABLE}"><body><t:h>Title</t:h><t:p>one<t:s/>two<t:tab/>three</t:p>'
    "<b:table><b:table-row><b:table-cell><t:p>x</t:p></b:table-cell>"
    '<b:table-cell b:number-columns-repeated="2"><t:p>y</t:p></b:table-cell>'
    '<b:table-cell b:number-columns-repeated="many"/></b:table-row></b:table></body></d>'
)

KNOWN = [
    ("plan.pdf", pdf("The code is 4411", "the end"), "[page 1]\nThe code is 4411\n\n[page 2]\nthe end"),
    ("plan.docx", docx("one", "two"), "one\n\ntwo\n\na\tb\nc\n\nleft\tright"),
    (
        "costs.xlsx",
        archive(xl__workbook_xml=BOOK, xl__sharedStrings_xml=SHARED, xl__worksheets__sheet1_xml=ROWS),
        "[sheet Costs]\n\nname\ttwo parts\n\n12.5\there",
    ),
    ("bare.xlsx", archive(xl__workbook_xml="<w/>", xl__worksheets__sheet1_xml=ROWS), "[sheet 1]\n\n12.5\there"),
    (
        "talk.pptx",
        archive(
            ppt__presentation_xml="<p/>",
            ppt__slides__slide10_xml=SLIDE.format("last"),
            ppt__slides__slide2_xml=SLIDE.format("first"),
        ),
        "[slide 1]\nfirst\n\n[slide 2]\nlast",
    ),
    ("letter.odt", archive(content_xml=ODF), "Title\n\none two\tthree\n\nx\ty\ty"),
    ("notes.txt", "grüße\n".encode("cp1252"), "grüße\n"),
    ("table.csv", b"a;b\n1;2\n", "a;b\n1;2\n"),
    ("page.html", b"<html><body><h1>Hello</h1><script>no</script><p>there</p></body></html>", "# Hello\n\nthere"),
    ("without ending", b"plain words", "plain words"),
]  # fmt: skip


async def text_of(path: Path, data: bytes) -> str:
    """The text of a document of this name."""
    await asyncio.to_thread(path.write_bytes, data)
    with await asyncio.to_thread(path.open, "rb") as file:
        return await documents.text(file, path.name)


@pytest.mark.parametrize(("name", "data", "text"), KNOWN, ids=[name for name, _, _ in KNOWN])
async def test_known_kinds(tmp_path: Path, name: str, data: bytes, text: str) -> None:
    """R-LM-4: the text of a document, in its order, tables as rows."""
    assert await text_of(tmp_path / name, data) == text
    if documents.is_packed(data):
        assert document_program.read(data, 10_000)[1] == text


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("half.pdf", pdf("hello")[:120], "damaged|no text"),
        ("trap.docx", archive(word__document_xml="<not closed"), "damaged"),
        ("empty.txt", b"", "empty"),
        ("blank.pdf", pdf(""), "no text in it"),
        ("program", b"\x7fELF\0\0\0\0", "cannot be read here"),
        ("some.zip", archive(a_txt="hello"), "cannot be read here"),
        ("no.zip", b"PK\3\4 and nothing", "damaged"),
    ],
)
async def test_the_others_are_explained(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    """R-LM-4: what has no text for us says why."""
    with pytest.raises(MediaError, match=why):
        await text_of(tmp_path / name, data)


async def test_a_locked_pdf_is_explained(tmp_path: Path) -> None:
    """R-LM-4: a password is asked for by nobody, and the person is told."""
    import io

    from pypdf import PdfReader, PdfWriter

    locked, written = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("secret")))), io.BytesIO()
    locked.encrypt("word", algorithm="RC4-128")
    locked.write(written)
    with pytest.raises(MediaError, match="locked"):
        await text_of(tmp_path / "a.pdf", written.getvalue())
    assert document_program.read(written.getvalue(), 100) == ({"problem": "locked"}, "")


def test_much_text_is_cut() -> None:
    """R-LM-4: more than is wanted is not read."""
    found, text = document_program.read(pdf("aaaaaaaaaa", "bbbbbbbbbb"), 12)
    assert (found, text) == ({"kind": "pdf", "cut": True}, "[page 1]\naaa")


def test_a_part_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-LM-4: an archive that says little and unpacks to much is not unpacked to its end."""
    monkeypatch.setattr(document_program, "MOST_UNPACKED", 100)
    assert document_program.read(docx("x" * 1000), 10_000)[0] == {"problem": "large"}
    assert document_program.read(archive(a_txt="x"), 10_000)[0] == {"problem": "unknown"}


def test_a_long_pdf_is_read_as_far_as_time_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-LM-4: reading ends in time, and the text says where."""
    monkeypatch.setattr(document_program, "ENOUGH", -1.0)
    assert document_program.read(pdf("one", "two"), 1000)[1] == (
        "[page 1]\none\n\n[What comes after page 1 was not read: it takes too long.]"
    )
