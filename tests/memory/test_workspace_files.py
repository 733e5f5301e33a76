"""The workspace files: made once, never overwritten, read as they change, and each only for those it is for."""

import os
from pathlib import Path

import pytest

from lar.domain.ids import ConversationId, PrincipalId
from lar.domain.memory import Owner
from lar.domain.risk import Deed
from lar.media.eyes import FileEyes
from lar.media.settings import MediaSettings
from lar.memory.files import TEMPLATES, WorkspaceFiles
from lar.store.database import Database
from lar.tools.artifacts import Artifacts
from lar.tools.files import file_tools
from lar.tools.settings import ArtifactSettings, FileSettings
from lar.tools.workspace import Folder, Workspace

ANN, BOB, GROUP = Owner(PrincipalId(1)), Owner(PrincipalId(2)), Owner(conversation_id=ConversationId(7))


@pytest.fixture
def files(tmp_path: Path) -> WorkspaceFiles:
    """A workspace."""
    return WorkspaceFiles(Workspace(tmp_path), 100)


def test_made_if_missing_and_never_overwritten(files: WorkspaceFiles, tmp_path: Path) -> None:
    """R-ME-5: all five are there after the first turn; what somebody wrote stays, what was deleted comes back."""
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "SOUL.md").write_text("Be kind.")
    assert files.read(ANN) == [("SOUL.md", "Be kind.")]
    made = {path.name: path.read_text() for path in tmp_path.rglob("*.md")}
    assert made == {**TEMPLATES, "SOUL.md": "Be kind."}
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.rglob("*.md") if path.name != "SOUL.md")
    (tmp_path / "people" / "1" / "USER.md").unlink()
    files.read(ANN)
    assert (tmp_path / "people" / "1" / "USER.md").exists()
    assert (tmp_path / "house" / "SOUL.md").read_text() == "Be kind."


def test_what_nobody_changed_is_not_told(files: WorkspaceFiles) -> None:
    """R-ME-5: a template says nothing, and costs no prompt anything."""
    files.read(ANN)
    assert files.read(ANN) == []


def test_each_reads_their_own(files: WorkspaceFiles, tmp_path: Path) -> None:
    """R-ME-9: a person's files reach nobody else, and no group; the house's reach everybody; a group has its memory."""
    for owner in (ANN, BOB, GROUP):
        files.read(owner)
    for path in tmp_path.rglob("*.md"):
        path.write_text(f"of {path.parent.name}")
    assert files.read(ANN) == [
        ("AGENTS.md", "of house"),
        ("SOUL.md", "of house"),
        ("USER.md", "of 1"),
        ("MEMORY.md", "of 1"),
    ]
    assert {text for _, text in files.read(BOB)} == {"of house", "of 2"}
    assert files.read(GROUP) == [("AGENTS.md", "of house"), ("SOUL.md", "of house"), ("MEMORY.md", "of 7")]


def test_the_heartbeat_is_for_heartbeats(files: WorkspaceFiles, tmp_path: Path) -> None:
    """R-ME-5: HEARTBEAT.md is read in heartbeat turns, last, and in no others."""
    files.read(ANN)
    (tmp_path / "people" / "1" / "HEARTBEAT.md").write_text("Water the plants.")
    assert files.read(ANN) == []
    assert files.read(ANN, heartbeat=True) == [("HEARTBEAT.md", "Water the plants.")]


def test_changes_count_at_once_and_links_do_not(files: WorkspaceFiles, tmp_path: Path) -> None:
    """R-ME-5: a change is read by the next turn, at most so much of it; a link, a device or a folder is not read."""
    files.read(ANN)
    mine = tmp_path / "people" / "1"
    (mine / "USER.md").write_bytes(b"x" * 1000 + b"\0\xff")
    assert files.read(ANN) == [("USER.md", "x" * 100)]
    (mine / "USER.md").write_bytes(b"a\0b")
    assert files.read(ANN) == [("USER.md", "ab")]
    (tmp_path / "secret").write_text("secret")
    (mine / "USER.md").unlink()
    (mine / "USER.md").symlink_to(tmp_path / "secret")
    (mine / "MEMORY.md").unlink()
    os.mkfifo(mine / "MEMORY.md")
    (mine / "HEARTBEAT.md").unlink()
    (mine / "HEARTBEAT.md").mkdir()
    assert files.read(ANN, heartbeat=True) == []


def test_a_disk_that_is_full(files: WorkspaceFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-ME-5: a full disk costs a file, and no turn."""

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    files.read(ANN)
    (tmp_path / "people" / "1" / "USER.md").unlink()
    monkeypatch.setattr(os, "open", full)
    assert files.read(ANN) == []


def test_one_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    """R-ME-5: two that make the same file at once do not overwrite each other."""
    with Folder(Workspace(tmp_path).own(1)) as folder:
        assert folder.create("a.md", b"one")
        assert not folder.create("a.md", b"two")
    assert (tmp_path / "people" / "1" / "a.md").read_bytes() == b"one"


@pytest.mark.parametrize(
    ("tool", "arguments", "deed"),
    [
        ("create_file", {"path": "MEMORY.md", "content": "x"}, Deed.REMEMBER),
        ("create_file", {"path": "./memory.MD", "content": "x"}, Deed.REMEMBER),
        ("create_file", {"path": "notes/MEMORY.md", "content": "x"}, Deed.KEEP),
        ("create_file", {"path": "../MEMORY.md", "content": "x"}, Deed.KEEP),
        ("move_file", {"path": "x.md", "to": "USER.md"}, Deed.REMEMBER),
        ("move_file", {"path": "HEARTBEAT.md", "to": "x.md"}, Deed.REMEMBER),
        ("delete_file", {"path": "AGENTS.md"}, Deed.REMEMBER),
        ("delete_file", {"path": "x.md"}, Deed.KEEP),
    ],
)
def test_changing_them_is_remembering(
    sqlite_db: Database, tmp_path: Path, tool: str, arguments: dict[str, object], deed: Deed
) -> None:
    """R-PO-3: what a model writes into a file that goes into later prompts asks where content from outside is."""
    artifacts = Artifacts(sqlite_db, tmp_path, lambda: 0.0, ArtifactSettings())
    (found,) = [
        each
        for each in file_tools(Workspace(tmp_path), artifacts, FileSettings(), FileEyes(MediaSettings()))
        if each.name == tool
    ]
    assert found.would(found.parse(arguments)).deed is deed
