"""Files out of a work folder, without believing anything the command left there.

Whoever ran in the folder chose every name, link and mode in it. So nothing is opened by a path or through a link, and
only the bytes of plain files come out, into new files.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lar.sandboxes.tree import Entry, walk

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one state of a file from another."""

    inode: int
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that was handed back. `name` is relative to the work folder, with slashes; `path` is the copy."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Results:
    """What came out; `refused` are (name fit to be shown, why it stayed)."""

    files: tuple[ResultFile, ...]
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Caps:
    """How much may come out: bytes of one file and of all, files, and names that are looked at in all."""

    each: int = 50 << 20
    total: int = 100 << 20
    files: int = 50
    entries: int = 10_000


def marks(work: Path, caps: Caps = Caps()) -> dict[str, Mark]:  # frozen
    """The state of every plain file there, to be given to `collect` after a run."""
    return {entry.name: _mark(entry.status) for entry in walk(work, caps.entries) if stat.S_ISREG(entry.status.st_mode)}


def collect(work: Path, into: Path, before: Mapping[str, Mark], caps: Caps = Caps()) -> Results:  # frozen
    """Copy the plain files that are new or changed since `before` to new files below `into`, numbered, mode 0600.

    Links, devices, pipes, sockets, files with a second name, and names that are no clean UTF-8 stay where they are.
    """
    files: list[ResultFile] = []
    refused: list[tuple[str, str]] = []
    room = caps.total
    for entry in walk(work, caps.entries):
        if stat.S_ISDIR(entry.status.st_mode) or before.get(entry.name) == _mark(entry.status):
            continue
        limit = min(caps.each, room)
        reason = "too many files" if len(files) == caps.files else _objection(entry, limit)
        copy = into / f"{len(files):04d}"
        size = 0 if reason else _copy(entry, copy, limit)
        if reason or size is None:
            refused.append((shown(entry.name), reason or "changed while it was read"))
            continue
        files.append(ResultFile(entry.name, copy, size))
        room -= size
    return Results(tuple(files), tuple(refused))


def shown(name: str) -> str:
    """The name as people may see it: on one line, not too long, and what is no clean text is escaped."""
    clean = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)
    return clean if len(clean) <= 120 else f"{clean[:100]}…{clean[-19:]}"  # noqa: PLR2004  # a line of a message


def _mark(status: os.stat_result) -> Mark:
    return Mark(status.st_ino, status.st_size, status.st_mtime_ns)


def _objection(entry: Entry, limit: int) -> str:
    """Why this must stay where it is, empty if nothing speaks against it."""
    mode = entry.status.st_mode
    if not stat.S_ISREG(mode):
        return "a link" if stat.S_ISLNK(mode) else "not a plain file"
    if entry.status.st_nlink != 1:
        return "has a second name"
    if not entry.name.isprintable():
        return "its name is no clean text"
    return f"larger than {limit} bytes" if entry.status.st_size > limit else ""


def _copy(entry: Entry, copy: Path, limit: int) -> int | None:
    """The number of bytes copied; None if it is not the plain file any more that was looked at."""
    try:
        source = os.open(entry.leaf, _FILE, dir_fd=entry.folder)
    except OSError:
        return None
    with os.fdopen(source, "rb") as reader:
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode) or status.st_ino != entry.status.st_ino or status.st_nlink != 1:
            return None
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(target, "wb") as writer:
            size = 0
            while size <= limit and (chunk := reader.read(min(_CHUNK, limit - size + 1))):
                size += len(chunk)
                writer.write(chunk)
    if size <= limit:
        return size
    copy.unlink()
    return None
