"""Artifacts: copied once, known by their content, capped, and gone in time."""

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.principal import Principal
from lar.errors import ToolError
from lar.store import artifacts, people
from lar.store.database import Database
from lar.testing.clock import FakeClock
from lar.testing.turns import ANN
from lar.tools.artifacts import FOLDER, Artifacts, mime_type, sweep
from lar.tools.contract import ToolContext
from lar.tools.settings import ArtifactSettings

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
async def caller(sqlite_db: Database) -> ToolContext:
    """Ann, in a call of turn 3."""
    ann: Principal = await sqlite_db.write(people.add, "t", "m", "ann", replace(ANN, id=PrincipalId(0)), 1.0)
    return ToolContext(ann, ConversationId(1), TurnId(3), call="2.1")


@pytest.fixture
def keeper(sqlite_db: Database, tmp_path: Path) -> Artifacts:
    """Keeps up to 100 bytes."""
    return Artifacts(sqlite_db, tmp_path, FakeClock(50.0), ArtifactSettings(max_bytes=100))


async def test_kept_once(keeper: Artifacts, caller: ToolContext, sqlite_db: Database, tmp_path: Path) -> None:
    """R-TO-4: a file is copied, measured and listed; the same call gives the same artifact again."""
    first = await keeper.keep(caller, io.BytesIO(PNG), "out/plot.png")
    assert (first.path, first.name, first.mime, first.size) == (
        "artifacts/3/2.1-plot.png",
        "plot.png",
        "image/png",
        len(PNG),
    )
    assert await keeper.keep(caller, io.BytesIO(b"changed"), "plot.png") == first
    assert (tmp_path / first.path).read_bytes() == PNG
    assert (tmp_path / first.path).stat().st_mode & 0o777 == 0o600
    other = await keeper.keep(caller, io.BytesIO(b"x"), "plot.png", number=1)
    assert other.path == "artifacts/3/2.1-1-plot.png"
    assert [each.created_at for each in await sqlite_db.read(artifacts.of_person, caller.principal.id, 9)] == [50.0] * 2


async def test_too_large_is_refused(keeper: Artifacts, caller: ToolContext, tmp_path: Path) -> None:
    """R-TO-3: a file over the cap is refused with the cap, and no piece of it stays."""
    await keeper.keep(caller, io.BytesIO(b"x" * 100), "fits")
    with pytest.raises(ToolError, match="larger than 100B"):
        await keeper.keep(caller, io.BytesIO(b"x" * 101), "big")
    assert [path.name for path in (tmp_path / "artifacts" / "3").iterdir()] == ["2.1-fits"]


async def test_a_disk_that_fails_is_explained(keeper: Artifacts, caller: ToolContext, tmp_path: Path) -> None:
    """What cannot be stored is said, with the reason."""
    (tmp_path / "artifacts").write_text("in the way")
    with pytest.raises(ToolError, match="cannot be kept"):
        await keeper.keep(caller, io.BytesIO(b"x"), "x")


@pytest.mark.parametrize("name", ["../../../etc/cron.d/x", "/etc/x", "a\nb", "", "..", "x" * 999])
async def test_names_lead_nowhere(keeper: Artifacts, caller: ToolContext, tmp_path: Path, name: str) -> None:
    """R-SB-4: whoever made the file chose its name; it stays in the folder of its turn."""
    kept = await keeper.keep(replace(caller, call="a/../../b"), io.BytesIO(b"x"), name)
    assert (tmp_path / kept.path).parent == tmp_path / "artifacts" / "3"
    assert (tmp_path / kept.path).read_bytes() == b"x"


@pytest.mark.parametrize(
    ("head", "name", "mime"),
    [
        (PNG, "x.txt", "image/png"),
        (b"\xff\xd8\xff\xe0", "x", "image/jpeg"),
        (b"GIF89a..", "x", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "x", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "x", "audio/wav"),
        (b"ID3\x04", "x", "audio/mpeg"),
        (b"%PDF-1.7", "x.png", "application/pdf"),
        (b"<html>", "x.png", "application/octet-stream"),
        (b"a,b\n", "x.csv", "text/csv"),
        (b"a,b\n", "x.csv.gz", "application/octet-stream"),
        (b"", "", "application/octet-stream"),
    ],
)
def test_what_a_file_is(head: bytes, name: str, mime: str) -> None:
    """R-SB-4: the content says what it is; a page named like a photo is not shown or sent as one."""
    assert mime_type(head, name) == mime


def test_old_files_are_swept(tmp_path: Path) -> None:
    """Retention: turns that kept nothing for long lose their files, also those that no list knows."""
    sweep(tmp_path / FOLDER, 10.0)
    for name, at in (("1", 5), ("2", 15)):
        (tmp_path / "artifacts" / name).mkdir(parents=True)
        (tmp_path / "artifacts" / name / "file").write_text("x")
        os.utime(tmp_path / "artifacts" / name, (at, at))
    sweep(tmp_path / FOLDER, 10.0)
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["2"]
