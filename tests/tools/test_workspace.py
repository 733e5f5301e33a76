"""Folders of people: what leads out of them is refused, also when it is swapped in between check and use."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.errors import ToolError
from lar.testing.turns import ANN
from lar.tools import beneath, workspace
from lar.tools.beneath import FOLDER, clean, kernel_resolves, open_beneath
from lar.tools.contract import ToolContext
from lar.tools.workspace import Folder, Kind, Scope, Workspace, plain_name

HERE = ToolContext(ANN, ConversationId(1), TurnId(1))
SECRET = b"the secret outside"


@pytest.fixture(params=["openat2", "part by part"])
def _resolver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to resolve a name keep the same promises."""
    if request.param == "part by part":
        monkeypatch.setattr(beneath, "kernel_resolves", lambda: False)
    elif not kernel_resolves():
        pytest.skip("this kernel has no openat2: the other way is used here")


@pytest.fixture
def room(tmp_path: Path, _resolver: None) -> Path:
    """A folder with a file, a folder, and one of everything that leads out; a secret lies beside it."""
    outside, room = tmp_path / "outside", tmp_path / "room"
    outside.mkdir()
    (outside / "secret").write_bytes(SECRET)
    (room / "inner").mkdir(parents=True)
    (room / "a.txt").write_text("a")
    (room / "inner" / "b.txt").write_text("b")
    (room / "link").symlink_to(outside / "secret")
    (room / "linked").symlink_to(outside)
    (room / "loop").symlink_to("loop")
    (room / "within").symlink_to("a.txt")
    (room / "hard").hardlink_to(outside / "secret")
    (room / "secret~").write_text("a name like any other")
    os.mkfifo(room / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(room / "socket"))
    return room


@pytest.fixture
def files(room: Path) -> Iterator[Folder]:
    """The folder, open."""
    with Folder(room) as folder:
        yield folder


def text(files: Folder, name: str) -> bytes:
    """A file's content."""
    with files.read(name) as file:
        return file.read()


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


OUT = [
    ("/etc/passwd", "absolute"),
    ("//etc/passwd", "absolute"),
    ("~/.ssh/id_rsa", "absolute"),
    ("../outside/secret", "leads out"),
    ("inner/../../outside/secret", "leads out"),
    ("inner/..", "leads out"),
    ("..", "leads out"),
    ("link", "link"),
    ("linked/secret", "link"),
    ("loop", "link"),
    ("within", "link"),
    ("hard", "hard link"),
    ("pipe", "no plain file"),
    ("socket", "no plain file"),
    ("a.txt/b", "no folder"),
    ("inner", "folder"),
    ("nothing", "no `nothing`"),
    ("a\nb", "line breaks"),
    ("a\0b", "line breaks"),
    ("\x1b[2J", "line breaks"),
    ("gnp.\u202etxt", "invisible"),
    ("\udc80", "invisible"),
    ("x" * 256, "too long"),
    ("d/" * 33 + "x", "too long"),
    (("y" * 200 + "/") * 6, "too long"),
    ("", "Name a file"),
    (".", "Name a file"),
    ("./", "Name a file"),
]


@pytest.mark.parametrize(("name", "why"), OUT)
def test_what_leads_out_is_not_read(files: Folder, name: str, why: str) -> None:
    """R-TO-3: traversal, absolute paths, links, devices and unreadable names are refused with a clear sentence."""
    with pytest.raises(ToolError, match=why):
        text(files, name)


@pytest.mark.parametrize(("name", "why"), [each for each in OUT if each[0] != "nothing"])
def test_what_leads_out_is_not_written(files: Folder, room: Path, name: str, why: str) -> None:
    """R-TO-3: writing through what leads out is refused in the same words, and nothing changes outside."""
    with pytest.raises(ToolError, match=why):
        files.write(name, b"changed")
    assert (room.parent / "outside" / "secret").read_bytes() == SECRET
    assert names(room.parent) == ["outside", "room"]
    assert not [each for each in names(room) if each.startswith(".lar-")], "nothing half done is left"


@pytest.mark.parametrize("name", ["/etc/x", "../x", "linked/x", "a\nb", "pipe", "link"])
def test_what_leads_out_is_no_place_to_move_to(files: Folder, room: Path, name: str) -> None:
    """R-TO-3: a file cannot be moved out, nor over something that is no file."""
    with pytest.raises(ToolError):
        files.move("a.txt", files, name, replace=True)
    assert (room / "a.txt").read_text() == "a"


@pytest.mark.parametrize("name", ["link", "pipe", "loop"])
def test_only_files_and_folders_are_moved(files: Folder, name: str) -> None:
    """R-TO-3: a link planted in one folder does not wander into another."""
    with pytest.raises(ToolError, match="no plain file"):
        files.move(name, files, "elsewhere")


def test_a_link_is_removed_not_what_it_leads_to(files: Folder, room: Path) -> None:
    """R-TO-3: cleaning up a link leaves its target alone."""
    files.delete("link")
    files.delete("linked")
    files.delete("pipe")
    assert (room.parent / "outside" / "secret").read_bytes() == SECRET
    with pytest.raises(ToolError, match="not empty"):
        files.delete("inner")
    files.delete("inner/b.txt")
    files.delete("inner")
    with pytest.raises(ToolError, match="no `inner`"):
        files.delete("inner")


def test_files_live(files: Folder, room: Path) -> None:
    """R-TO-3: written with the folders above, replaced in one step, moved, listed, read."""
    assert files.write("new/deep/c.txt", b"1") is False
    (room / "new/deep/c.txt").chmod(0o755)
    assert files.write("./new//deep/c.txt", b"2") is True
    assert (room / "new/deep/c.txt").stat().st_mode & 0o777 == 0o700, "a program stays one"
    files.move("new/deep/c.txt", files, "d.txt")
    assert text(files, "d.txt") == b"2"
    with pytest.raises(ToolError, match="already"):
        files.move("a.txt", files, "d.txt")
    files.move("a.txt", files, "d.txt", replace=True)
    assert text(files, "d.txt") == b"a"
    with pytest.raises(ToolError, match="itself"):
        files.move("new", files, "new/newer")
    files.move("new", files, "inner/new")
    assert files.status("inner/new").kind is Kind.FOLDER
    kinds = {entry.name: entry.kind for entry in files.entries(deep=True)}
    assert kinds["inner/new/deep"] is Kind.FOLDER
    assert kinds["linked"] is Kind.LINK
    assert kinds["pipe"] is kinds["socket"] is Kind.OTHER
    assert "linked/secret" not in kinds
    assert len(files.entries(deep=True, most=4)) == 4
    assert [entry.name for entry in files.entries("inner")] == ["b.txt", "new"]
    with pytest.raises(ToolError, match="no folder"):
        files.entries("linked")


def test_a_file_is_taken_in_once(files: Folder, room: Path, tmp_path: Path) -> None:
    """R-TO-3: another file of the same name gets a number; the same file again is the one that is there."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("one")
    other.write_text("two")
    assert files.add("up/x.csv", one) == "up/x.csv"
    assert files.add("up/x.csv", other) == "up/x (2).csv"
    assert files.add("up/x.csv", one) == "up/x.csv"
    assert files.add("up/x.csv", other) == "up/x (2).csv"
    assert files.add("link", one) == "link (2)"
    (room / "up" / "x.csv").write_text("edited")
    assert files.add("up/x.csv", one) == "up/x (3).csv"
    with pytest.raises(ToolError, match=r"link|no folder"):
        files.add("linked/x", one)


def test_too_many_of_a_name(files: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder full of one name does not keep Lar counting."""
    monkeypatch.setattr(workspace, "_MOST_OF_A_NAME", 3)
    source = tmp_path / "source"
    for number in range(2):
        source.write_text(str(number))
        files.add("x", source)
    source.write_text("more")
    with pytest.raises(ToolError, match="too many"):
        files.add("x", source)


def test_a_full_disk_leaves_no_half_a_file(
    files: Folder, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is taken away again, and said."""
    source = tmp_path / "source"
    source.write_text("content")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(ToolError, match="no room left"):
        files.add("x", source)
    assert not (room / "x").exists()


def test_links_swapped_in_meanwhile_lead_nowhere(room: Path, files: Folder) -> None:
    """R-TO-3: somebody exchanges folders and files for links all the time; nothing outside is read or changed."""
    outside = room.parent / "outside"
    (outside / "f").write_bytes(SECRET)
    over = threading.Event()

    def swap() -> None:
        folder, aside, fresh = room / "d", room / "aside", room / "fresh"
        while not over.is_set():
            with suppress(OSError):
                shutil.rmtree(aside, ignore_errors=True)
                if folder.is_symlink():
                    folder.unlink()
                folder.mkdir(exist_ok=True)
                fresh.write_bytes(b"inside")
                fresh.rename(folder / "f")
                fresh.symlink_to(outside / "f")
                fresh.rename(folder / "f")
                folder.rename(aside)
                folder.symlink_to(outside)
                folder.unlink()
                aside.rename(folder)
            fresh.unlink(missing_ok=True)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set[bytes]()
    try:
        for _ in range(1500):
            with suppress(ToolError):
                seen.add(text(files, "d/f"))
            with suppress(ToolError):
                files.write("d/f", b"inside")
            with suppress(ToolError):
                files.delete("d/f")
            with suppress(ToolError):
                files.entries("d", deep=True)
    finally:
        over.set()
        swapper.join()
    assert seen <= {b"inside", b""}
    assert (outside / "f").read_bytes() == SECRET
    assert names(outside) == ["f", "secret"]


NAMES = st.lists(
    st.sampled_from(["a.txt", "inner", "b.txt", "link", "linked", "secret", "..", ".", "", "outside", "\n", "pipe"])
    | st.text(max_size=5),
    max_size=6,
).map("/".join)


@given(name=NAMES | st.text())
def test_any_name_stays_inside_or_is_refused(name: str) -> None:
    """R-TO-3: whatever a model writes, a clean name is relative, has no way up, and is clean already."""
    refusal, found = "", ""
    try:
        found = clean(name)
    except ToolError as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert len(refusal) < 400
    assert not found.startswith("/")
    assert not {"..", ".", ""} & set(found.split("/") if found else [])
    assert found.isprintable()
    assert clean(found) == found


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for many examples."""
    base = tmp_path_factory.mktemp("standing")
    (base / "outside").mkdir()
    (base / "outside" / "secret").write_bytes(SECRET)
    (base / "room" / "inner").mkdir(parents=True)
    (base / "room" / "a.txt").write_text("a")
    (base / "room" / "link").symlink_to(base / "outside" / "secret")
    (base / "room" / "linked").symlink_to(base / "outside")
    return base / "room"


@given(name=NAMES)
def test_no_name_reads_or_writes_outside(standing: Path, name: str) -> None:
    """R-TO-3: whatever the name, what is outside is never read and never changed."""
    with Folder(standing) as files:
        with suppress(ToolError):
            assert text(files, name) != SECRET
        with suppress(ToolError):
            files.write(name, b"written")
        with suppress(ToolError):
            files.move("a.txt", files, name)
        with suppress(ToolError):
            files.delete(name)
        with suppress(ToolError):
            files.write("a.txt", b"a")
    assert names(standing.parent) == ["outside", "room"]
    assert (standing.parent / "outside" / "secret").read_bytes() == SECRET
    assert names(standing.parent / "outside") == ["secret"]


@pytest.mark.usefixtures("_resolver")
def test_resolving_itself_refuses_the_way_up(tmp_path: Path) -> None:
    """Also a name that nobody cleaned leads nowhere outside."""
    (tmp_path / "in").mkdir()
    folder = os.open(tmp_path / "in", FOLDER)
    try:
        for name in ("..", "../in", "/etc"):
            with pytest.raises(OSError, match=r".+"):
                open_beneath(folder, name, FOLDER)
    finally:
        os.close(folder)


def test_everybody_has_folders_of_their_own(tmp_path: Path) -> None:
    """R-ME-9: another person's files have no name; a group sees its own and the shared ones, nobody's private ones."""
    place = Workspace(tmp_path)
    ben = replace(HERE, principal=replace(ANN, id=PrincipalId(2)))
    group = replace(HERE, place=Place.GROUP, conversation_id=ConversationId(7))
    assert place.folder(HERE) == tmp_path / "people" / "1"
    assert place.folder(ben) == tmp_path / "people" / "2"
    assert place.folder(group) == tmp_path / "groups" / "7"
    assert place.folder(HERE, Scope.SHARED) == place.folder(group, Scope.SHARED) == tmp_path / "shared"
    with place.open(HERE) as files:
        files.write("mine.txt", b"mine")
    with place.open(ben) as files:
        for name in ("mine.txt", "../1/mine.txt", "people/1/mine.txt", f"{tmp_path}/people/1/mine.txt"):
            with pytest.raises(ToolError):
                text(files, name)
    with place.open(HERE) as mine, place.open(HERE, Scope.SHARED) as shared:
        mine.move("mine.txt", shared, "ours.txt")
    with place.open(ben, Scope.SHARED) as shared:
        assert text(shared, "ours.txt") == b"mine"


def test_a_folder_that_became_a_link_is_refused(tmp_path: Path) -> None:
    """A person's whole folder is not followed elsewhere either."""
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "1").symlink_to(tmp_path)
    with pytest.raises(ToolError, match=r"link|no folder"):
        Workspace(tmp_path).open(HERE)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "file"),
        ("", "file"),
        (".env", "env"),
        ("a\x00b\n.txt", "a_b_.txt"),
        ("день.txt", "день.txt"),
        ("x" * 300 + ".pdf", "x" * 117 + ".pdf"),
        ("name." + "y" * 300, ("name." + "y" * 300)[:120]),
    ],
)
def test_names_are_kept_as_far_as_they_are_safe(name: str, stored: str) -> None:
    """R-TO-3: a name leads out of no folder and into no hidden file; its ending survives being cut."""
    assert plain_name(name) == stored


@given(st.text())
def test_any_name_can_be_stored(name: str) -> None:
    """Whatever a vendor calls a file, it is one plain name that file systems take."""
    stored = plain_name(name)
    assert stored == Path(stored).name == clean(stored)
    assert 0 < len(stored.encode()) <= 121
