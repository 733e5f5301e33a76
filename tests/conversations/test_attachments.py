"""Names of files that strangers to our file system chose."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.conversations.attachments import MAX_NAME, describe, safe_name
from lar.domain.inbound import Attachment, AttachmentKind


def named(name: str) -> str:
    """What a file of this name is stored as."""
    return safe_name(Attachment(AttachmentKind.DOCUMENT, "ref", name))


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "document"),
        ("", "document"),
        (".env", "env"),
        ("a\x00b\n.txt", "a_b_.txt"),
        ("день.txt", "день.txt"),
        ("x" * 300 + ".pdf", "x" * 117 + ".pdf"),
        ("name." + "y" * 300, ("name." + "y" * 300)[:120]),
    ],
)
def test_names_are_kept_as_far_as_they_are_safe(name: str, stored: str) -> None:
    """R-TO-3: a name leads out of no folder and into no hidden file; its ending survives being cut."""
    assert named(name) == stored


@given(st.text())
def test_any_name_can_be_stored(name: str) -> None:
    """Whatever a vendor calls a file, it is one plain name that file systems take."""
    stored = named(name)
    assert stored == Path(stored).name
    assert 0 < len(stored.encode()) <= MAX_NAME + 1
    assert "\0" not in stored


def test_a_message_of_files_alone_is_described() -> None:
    """R-TG-7: files without a word are told of, each on a line."""
    files = [Attachment(AttachmentKind.PHOTO, "r", f"{n}.jpg", "image/jpeg", 7, path=f"inbox/{n}.jpg") for n in (1, 2)]
    assert describe("", files) == (
        "[photo: 1.jpg, image/jpeg, 7 bytes, stored as inbox/1.jpg]\n"
        "[photo: 2.jpg, image/jpeg, 7 bytes, stored as inbox/2.jpg]"
    )
    assert describe("just text", []) == "just text"
