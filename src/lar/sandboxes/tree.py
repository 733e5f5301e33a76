"""Walking a folder whose names, links and modes somebody else chose: nothing is opened by a path or through a link."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lar.errors import SandboxError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """A name below the folder that is open as `folder`; its status was taken without following a link."""

    name: str
    folder: int
    leaf: str
    status: os.stat_result


def walk(top: Path, most: int, depth: int = 32) -> Iterator[Entry]:
    """Everything below the folder on the same file system, folders before what is in them, in the order of names.

    It stops after `most` names and goes no deeper than `depth`. An entry is good until the next one is asked for.

    Raises:
        SandboxError: the folder cannot be opened, or is a link.

    """
    try:
        root = _enter(top)
    except OSError as error:
        raise SandboxError(f"the work folder {top} cannot be read: {error.strerror}") from error
    try:
        yield from islice(_below(root, "", os.fstat(root).st_dev, (most, depth)), most)
    finally:
        os.close(root)


def _below(folder: int, prefix: str, device: int, bounds: tuple[int, int]) -> Iterator[Entry]:
    most, depth = bounds
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in islice(entries, most))
    for leaf in names:
        with suppress(OSError):
            entry = Entry(f"{prefix}{leaf}", folder, leaf, os.stat(leaf, dir_fd=folder, follow_symlinks=False))
            yield entry
            if not stat.S_ISDIR(entry.status.st_mode) or entry.status.st_dev != device or depth == 0:
                continue
            inner = _enter(leaf, folder)
            try:
                if os.fstat(inner).st_ino == entry.status.st_ino:
                    yield from _below(inner, f"{entry.name}/", device, (most, depth - 1))
            finally:
                os.close(inner)


def _enter(leaf: str | Path, folder: int | None = None) -> int:
    """Open a folder; one that is ours and was locked, even against ourselves, is unlocked."""
    with suppress(PermissionError):
        inner = os.open(leaf, FOLDER, dir_fd=folder)
        if os.access(".", os.R_OK | os.X_OK, dir_fd=inner):
            return inner
        os.close(inner)
    handle = os.open(leaf, FOLDER | os.O_PATH, dir_fd=folder)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)  # this very folder, whatever has its name by now
        return os.open(f"/proc/self/fd/{handle}/.", FOLDER)
    finally:
        os.close(handle)


BEYOND_MEASURE = 1 << 60
_NAMES, _DEPTH = 1_000_000, 128


def usage(top: Path) -> int:
    """Bytes of disk that everything below the folder takes; a name counts as a kilobyte even if it holds nothing.

    `BEYOND_MEASURE` where names are too many or too deep to be looked at.
    """
    total = 0
    for names, entry in enumerate(walk(top, _NAMES, _DEPTH), 1):
        total += entry.status.st_blocks * 512 + 1024
        if names == _NAMES or entry.name.count("/") == _DEPTH:
            return BEYOND_MEASURE
    return total
