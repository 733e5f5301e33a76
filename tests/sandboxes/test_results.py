import os
import socket
from pathlib import Path

import pytest

from lar.errors import SandboxError
from lar.sandboxes.contract import Spec
from lar.sandboxes.results import Caps, collect, marks, shown


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Where results go."""
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_new_and_changed_files_come_out(work: Path, into: Path) -> None:
    """R-SB-4: what a run made or changed is handed back with its name, what was there before is not."""
    (work / "data.csv").write_text("1")
    (work / "old.txt").write_text("old")
    before = marks(work)
    (work / "data.csv").write_text("12")
    (work / "plots").mkdir()
    (work / "plots" / "año.png").write_bytes(b"png")
    found = collect(work, into, before)
    assert [(each.name, each.path.read_bytes()) for each in found.files] == [
        ("data.csv", b"12"),
        ("plots/año.png", b"png"),
    ]
    assert found.refused == ()


def test_nothing_is_followed_out_of_the_folder(work: Path, into: Path, tmp_path: Path) -> None:
    """R-SB-4: links of every kind, pipes and sockets stay: a result is never somebody else's file."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("key")
    (work / "link").symlink_to(secret)
    (work / "folder").symlink_to(tmp_path / "private")
    (work / "hard").hardlink_to(secret)
    os.mkfifo(work / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(work / "socket"))
        found = collect(work, into, {})
    assert found.files == ()
    assert dict(found.refused) == {
        "link": "a link",
        "folder": "a link",
        "hard": "has a second name",
        "pipe": "not a plain file",
        "socket": "not a plain file",
    }
    assert not list(into.iterdir())


def test_copies_give_nobody_rights(work: Path, into: Path) -> None:
    """R-SB-4: a setuid program comes out as plain bytes."""
    (work / "sh").write_bytes(b"#!")
    (work / "sh").chmod(0o6755)
    [copy] = collect(work, into, {}).files
    assert copy.path.stat().st_mode & 0o7777 == 0o600


def test_names_that_are_no_clean_text(work: Path, into: Path) -> None:
    """R-SB-4: binary, multi-line and huge names neither break anything nor reach people as they are."""
    for name in (b"\xff\xfe", b"two\nlines", b"esc\x1b[31m", b"n" * 255):
        Path(os.fsdecode(os.path.join(os.fsencode(work), name))).write_bytes(b"x")  # noqa: PTH118  # of bytes
    found = collect(work, into, {})
    assert [each.name for each in found.files] == ["n" * 255]
    assert {reason for _, reason in found.refused} == {"its name is no clean text"}
    assert all(name.isprintable() for name, _ in found.refused)
    assert len(shown("n" * 255)) == 120


def test_caps(work: Path, into: Path) -> None:
    """R-SB-4: one file, all files, their number and the names looked at are bounded, and what stayed is said."""
    for number in range(6):
        (work / f"{number}").write_bytes(b"x" * (10 + number))
    refused = dict(collect(work, into, {}, Caps(each=13, total=40, files=5)).refused)
    assert refused == {"3": "larger than 7 bytes", "4": "larger than 7 bytes", "5": "larger than 7 bytes"}
    (into / "more").mkdir()
    assert len(collect(work, into / "more", {}, Caps(files=2)).refused) == 4
    assert len(marks(work, Caps(entries=2))) == 2


def test_endless_depth(work: Path, into: Path) -> None:
    """R-SB-4: folders in folders do not lead anywhere for ever."""
    deep = work
    for _ in range(60):
        deep /= "d"
        deep.mkdir()
    (deep / "file").write_text("x")
    assert collect(work, into, {}) == collect(work, into, {})


def test_a_work_folder_that_is_a_link(work: Path, into: Path) -> None:
    """R-SB-4: a work folder that was swapped for a link is refused."""
    work.rmdir()
    work.symlink_to("/etc")
    with pytest.raises(SandboxError, match="cannot be read"):
        collect(work, into, {})


@pytest.mark.parametrize(
    ("argv", "environment"),
    [((), {}), (("",), {}), (("a\0b",), {}), (("a",), {"A=B": "1"}), (("a",), {"": "1"}), (("a",), {"A": "\0"})],
)
def test_impossible_commands(argv: tuple[str, ...], environment: dict[str, str], work: Path) -> None:
    """R-SB-1: what no system could run is refused in words before anything starts."""
    with pytest.raises(SandboxError):
        Spec(argv, work, environment=environment)
