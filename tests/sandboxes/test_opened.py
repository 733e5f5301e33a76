"""What a run opened."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lar.sandboxes import opened
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.contract import Spec
from lar.sandboxes.opened import Opened


@pytest.fixture
def uploads(work: Path) -> Path:
    """A folder with files in a work folder."""
    folder = work / "uploads"
    (folder / "album").mkdir(parents=True)
    (folder / "table.csv").write_text("1,2")
    (folder / "album" / "cat.png").write_text("meow")
    return folder


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("cat uploads/table.csv", ("table.csv",)),
        ("cat */*.csv; cd uploads && mv album x && cat x/cat.png", ("album/cat.png", "table.csv")),
        ("cp -r . /tmp", ("album/cat.png", "table.csv")),
        ("ls -lR uploads; stat uploads/*; echo 1 >result.csv; mv uploads/table.csv .", ()),
    ],
)
async def test_what_a_run_reads_is_noticed(
    bubblewrap: Bubblewrap, work: Path, uploads: Path, script: str, seen: tuple[str, ...]
) -> None:
    """R-PO-3: a file that was opened behind the walls is named, whatever way the command took; listing opens none."""
    with Opened(uploads) as watch:
        assert (await bubblewrap.run(Spec(("sh", "-c", script), work))).exit_code == 0
        assert watch.files == seen


def test_nothing_there(work: Path, uploads: Path) -> None:
    """R-PO-3: where there is no folder, or a link in its place, there is nothing to be opened."""
    (work / "elsewhere").symlink_to(uploads)
    for name in ("missing", "elsewhere", "uploads/table.csv"):
        with Opened(work / name) as watch:
            (uploads / "table.csv").read_text()
            assert watch.files == ()


def test_where_the_kernel_cannot_tell(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-PO-3: without the kernel's help everything that is there counts as opened."""
    monkeypatch.setattr(opened, "_checked", refuse)
    with Opened(uploads) as watch:
        assert watch.files == ("album/cat.png", "table.csv")


def refuse(_answer: int) -> int:
    """No."""
    raise OSError(24, "Too many open files")


def test_more_than_the_kernel_keeps(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-PO-3: when the kernel lost count, everything that is there counts as opened."""
    monkeypatch.setattr(opened, "_events", lost_count)
    with Opened(uploads) as watch:
        assert watch.files == ("album/cat.png", "table.csv")


def lost_count(_watch: int) -> Iterator[tuple[int, int, str]]:
    """There was more."""
    yield -1, 0x4000, ""
