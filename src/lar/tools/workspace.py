"""Where people's files are: a folder of each person's own, one of each group, and one that all share.

Commands run in these folders and may leave any name, link or device there, and go on while Lar reads. So everything
below a folder is reached through descriptors and never through a link, and only plain files are read.
"""

import errno
import filecmp
import os
import secrets
import shutil
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Self

from lar.domain.conversation import Place
from lar.errors import ToolError
from lar.tools.beneath import FOLDER, MAX_DEPTH, clean, open_beneath, shown
from lar.tools.contract import ToolContext

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_PLAIN, _MAX_ENDING = 120, 20
_MOST_OF_A_NAME = 1000


class Scope(StrEnum):
    """Whose files. `own`: the person's, or in a group the group's."""

    OWN = "own"
    SHARED = "shared"


class Kind(StrEnum):
    """What a name in a folder stands for; only a plain `file` can be read."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name. `size` is in bytes, `modified` in seconds since the epoch."""

    name: str
    kind: Kind
    size: int
    modified: float


def plain_name(name: str, otherwise: str = "file") -> str:
    """The last part of any name as every file system takes it: printable, not hidden, of at most 121 bytes."""
    printable = "".join(letter if letter.isprintable() else "_" for letter in name)
    last = Path(printable.replace("\\", "/")).name.lstrip(".")
    stem, dot, ending = last.rpartition(".")
    if len(ending.encode()) > _MAX_ENDING:
        stem, dot, ending = last, "", ""
    room = _MAX_PLAIN - len(ending.encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}{dot}{ending}" or otherwise


class Workspace:
    """Everybody's folders below `root`. What one person keeps has no name for another."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, who: ToolContext, scope: Scope = Scope.OWN) -> Path:
        """Where this scope is for this person in this place; made if it is missing. May be mounted into a sandbox."""
        if scope is Scope.SHARED:
            return self._made("shared")
        return self.own(who.principal.id, who.conversation_id if who.place is Place.GROUP else None)

    def own(self, person: int | None, group: int | None = None) -> Path:
        """Where a person's files are, or those of the group that is this conversation; made if it is missing."""
        return self._made("people", str(person)) if group is None else self._made("groups", str(group))

    def house(self) -> Path:
        """Where files are that no tool reaches: whoever runs Lar writes them, and everybody's turns read them."""
        return self._made("house")

    def _made(self, *parts: str) -> Path:
        path = self._root.joinpath(*parts)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def open(self, who: ToolContext, scope: Scope = Scope.OWN) -> "Folder":
        """The files of this scope; use it with `with`."""
        return Folder(self.folder(who, scope))


class Uploads:
    """Puts what people send among their own files, in the folder `into`; a repetition changes nothing."""

    def __init__(self, workspace: Workspace, into: str) -> None:
        self._workspace = workspace
        self._into = into

    def save(self, who: ToolContext, stored: Path, name: str) -> str:
        """Copy the file `stored`; the name it has there.

        Raises:
            ToolError: it cannot be put there.

        """
        with self._workspace.open(who) as files:
            return files.add(f"{self._into}/{name}", stored)


class Folder:
    """The files below one folder. Names are relative to it; every method may block and raises `ToolError`."""

    def __init__(self, path: Path) -> None:
        with _explained(path.name):
            self._fd = os.open(path, FOLDER)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        os.close(self._fd)

    @contextmanager
    def read(self, name: str) -> Generator[BinaryIO]:
        """A plain file, open for reading."""
        with self.above(name) as (folder, leaf):
            _plain(os.stat(leaf, dir_fd=folder, follow_symlinks=False), name)  # opening a device may already do harm
            file = os.fdopen(os.open(leaf, _FILE, dir_fd=folder), "rb")
        with file:
            _plain(os.fstat(file.fileno()), name)
            yield file

    def status(self, name: str) -> Entry:
        """What is there under this name."""
        with self.above(name) as (folder, leaf):
            return _entry(clean(name), os.stat(leaf, dir_fd=folder, follow_symlinks=False))

    def write(self, name: str, data: bytes) -> bool:
        """Make a file of this content, with the folders above it, in one step; True: it replaced another."""
        with self.above(name, make=True) as (folder, leaf):
            before = _status(leaf, folder)
            if before:
                _plain(before, name)
            fresh = f".lar-{secrets.token_hex(8)}"
            try:
                with os.fdopen(os.open(fresh, _NEW, 0o600, dir_fd=folder), "wb") as file:
                    file.write(data)
                    os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode) & 0o700 | 0o600 if before else 0o600)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(fresh, leaf, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(fresh, dir_fd=folder)
        return before is not None

    def create(self, name: str, data: bytes) -> bool:
        """Make a file of this content where there is nothing of that name; False: there is, and it stays."""
        with self.above(name, make=True) as (folder, leaf):
            try:
                file = os.fdopen(os.open(leaf, _NEW, 0o600, dir_fd=folder), "wb")
            except FileExistsError:
                return False
            with file:
                file.write(data)
        return True

    def add(self, name: str, source: Path) -> str:
        """Copy a file of Lar's own in under this name, or a numbered one if another file has it; the name it has."""
        stem, dot, ending = name.rpartition(".")
        for number in range(1, _MOST_OF_A_NAME):
            numbered = f"{stem} ({number}){dot}{ending}" if stem else f"{name} ({number})"
            free = numbered if number > 1 else name
            with self.above(free, make=True) as (folder, leaf), suppress(FileExistsError):
                _copy_new(source, leaf, folder)
                return free
            if self._same(free, source):
                return free
        raise ToolError(f"There are too many files called {shown(name)}.")

    def move(self, name: str, to: "Folder", new: str, *, replace: bool = False) -> None:
        """Give a file or a folder another name, here or in another scope."""
        with self.above(name) as (folder, leaf), to.above(new, make=True) as (there, new_leaf):
            kind = _kind(os.stat(leaf, dir_fd=folder, follow_symlinks=False).st_mode)
            if kind not in {Kind.FILE, Kind.FOLDER}:
                raise ToolError(f"{shown(name)} is no plain file.")
            taken = _status(new_leaf, there)
            if taken and (not replace or kind is Kind.FOLDER or not stat.S_ISREG(taken.st_mode)):
                raise ToolError(f"There is already something called {shown(new)}.")
            os.rename(leaf, new_leaf, src_dir_fd=folder, dst_dir_fd=there)

    def delete(self, name: str) -> None:
        """Remove a file, a link (not what it leads to), or an empty folder."""
        with self.above(name) as (folder, leaf):
            is_folder = stat.S_ISDIR(os.stat(leaf, dir_fd=folder, follow_symlinks=False).st_mode)
            (os.rmdir if is_folder else os.unlink)(leaf, dir_fd=folder)

    def entries(self, name: str = "", *, deep: bool = False, most: int = 10_000) -> list[Entry]:
        """The names in a folder, with `deep` also those in the folders below, in order; at most so many."""
        with _explained(name):
            at = open_beneath(self._fd, clean(name), FOLDER)
            try:
                return list(_walk(at, "", deep, most))
            finally:
                os.close(at)

    @contextmanager
    def above(self, name: str, *, make: bool = False) -> Generator[tuple[int, str]]:
        """The folder a name is in, open, and the last part of the name; with `make` the folder is made."""
        *above, leaf = clean(name).split("/")
        if not leaf:
            raise ToolError("Name a file.")
        with _explained(name):
            at = os.dup(self._fd)
            try:
                for depth in range(1, len(above) + 1) if make else ():
                    with suppress(FileExistsError):
                        os.mkdir(above[depth - 1], 0o700, dir_fd=at)
                    at = _exchange(at, open_beneath(self._fd, "/".join(above[:depth]), FOLDER))
                if above and not make:
                    at = _exchange(at, open_beneath(self._fd, "/".join(above), FOLDER))
                yield at, leaf
            finally:
                os.close(at)

    def _same(self, name: str, source: Path) -> bool:
        """Whether a file has just this content."""
        try:
            with self.read(name) as here, source.open("rb") as there:
                if os.fstat(here.fileno()).st_size != os.fstat(there.fileno()).st_size:
                    return False
                return _equal(here, there)
        except ToolError:
            return False


def _exchange(old: int, new: int) -> int:
    os.close(old)
    return new


def _equal(one: BinaryIO, other: BinaryIO) -> bool:
    while (chunk := one.read(filecmp.BUFSIZE)) == other.read(filecmp.BUFSIZE):
        if not chunk:
            return True
    return False


def _copy_new(source: Path, leaf: str, folder: int) -> None:
    with source.open("rb") as reader, os.fdopen(os.open(leaf, _NEW, 0o600, dir_fd=folder), "wb") as writer:
        try:
            shutil.copyfileobj(reader, writer, 1 << 20)
        except OSError:
            os.unlink(leaf, dir_fd=folder)  # half a file looks like a whole one
            raise


def _status(leaf: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(leaf, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def _entry(name: str, status: os.stat_result) -> Entry:
    return Entry(name, _kind(status.st_mode), status.st_size, status.st_mtime)


def _plain(status: os.stat_result, name: str) -> None:
    """Refuse what is no plain file, and what has a second name: that may lead anywhere."""
    kind = _kind(status.st_mode)
    if kind is Kind.FOLDER:
        raise ToolError(f"{shown(name)} is a folder.")
    if kind is Kind.LINK:
        raise ToolError(f"{shown(name)} is a link. Links are not followed; use the file itself.")
    if kind is Kind.OTHER:
        raise ToolError(f"{shown(name)} is a device, pipe or socket, no plain file.")
    if status.st_nlink > 1:
        raise ToolError(f"{shown(name)} has a second name (a hard link). Make a copy of it and use that.")


def _walk(folder: int, prefix: str, deep: bool, most: int) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        names = sorted(entry.name for entry, _ in zip(found, range(most), strict=False))
    for leaf in names:
        status = _status(leaf, folder)
        if status is None:
            continue
        entry = _entry(f"{prefix}{leaf}", status)
        yield entry
        most -= 1
        if most <= 0:
            return
        if deep and entry.kind is Kind.FOLDER and prefix.count("/") < MAX_DEPTH:
            with suppress(OSError):  # gone or swapped meanwhile, or closed to us
                inner = os.open(leaf, FOLDER, dir_fd=folder)
                try:
                    for below in _walk(inner, f"{entry.name}/", deep, most):
                        yield below
                        most -= 1
                finally:
                    os.close(inner)


_SENTENCES = {
    errno.ENOENT: "There is no {name}.",
    errno.ELOOP: "{name} is a link or leads through one. Links are not followed.",
    errno.ENOTDIR: "{name} leads through something that is no folder. Links are not followed.",
    errno.EEXIST: "There is already something called {name}.",
    errno.EXDEV: "{name} is on another disk: copy it instead.",
    errno.ENXIO: "{name} is a device, pipe or socket, no plain file.",
    errno.EISDIR: "{name} is a folder.",
    errno.ENOTEMPTY: "The folder {name} is not empty.",
    errno.ENAMETOOLONG: "The name {name} is too long.",
    errno.EINVAL: "{name} cannot be moved into itself.",
    errno.ENOSPC: "There is no room left on the disk for {name}.",
    errno.EDQUOT: "There is no room left on the disk for {name}.",
    errno.EACCES: "{name} is closed to Lar.",
    errno.EPERM: "{name} is closed to Lar.",
}


@contextmanager
def _explained(name: str) -> Generator[None]:
    """Say in a sentence why the system refuses."""
    try:
        yield
    except OSError as error:
        sentence = _SENTENCES.get(error.errno or 0, f"{{name}} cannot be used: {error.strerror}.")
        raise ToolError(sentence.format(name=shown(name))) from None
