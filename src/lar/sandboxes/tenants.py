"""Where Lar is root, a command is an unprivileged user nobody else is, and its work folder is that user's meanwhile."""

import asyncio
import os
import secrets
import stat
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lar.errors import SandboxError
from lar.sandboxes.process import to_the_end
from lar.sandboxes.tree import Entry, walk

_FIRST, _COUNT = 1_900_000_000, 65_536
"""Users above every range that systemd hands out."""
_MOST = 1_000_000
_DEPTH = 128


@dataclass(slots=True)
class _Tenancy:
    user: int
    runs: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Tenants:
    """Gives each work folder a user while runs are in it.

    `root`: whether we may; otherwise runs are who we are. `one_by_one`: runs of a folder wait for each other, because
    nothing but their user tells whose a process is. `home` is Lar's own: nobody else's, whatever the work folder is.
    """

    def __init__(self, *, root: bool | None = None, one_by_one: bool = False, home: Path | None = None) -> None:
        self._home = home
        self._one_by_one = one_by_one
        self._root = os.geteuid() == 0 if root is None else root
        self._first = _first_free_user()
        self._tenancies: dict[tuple[int, int], _Tenancy] = {}

    @property
    def root(self) -> bool:
        """Whether runs are somebody else."""
        return self._root

    @asynccontextmanager
    async def of(self, work: Path) -> AsyncGenerator[int | None]:
        """The user of this folder, which belongs to them until the last run there has ended; None: it is ourselves.

        Afterwards everything they made there is ours, and no file gives its caller anybody's rights.
        """
        key = _identity(work)
        self._refuse(work, key)
        tenancy = self._tenancies.setdefault(key, _Tenancy(self._first + secrets.randbelow(_COUNT)))
        tenancy.runs += 1
        try:
            async with tenancy.lock:
                if tenancy.runs == 1 and self._root:
                    await asyncio.to_thread(_give, work, tenancy.user)
            async with tenancy.turn if self._root and self._one_by_one else nullcontext():
                yield tenancy.user if self._root else None
        finally:
            await to_the_end(self._leave(work, key, tenancy))

    def _refuse(self, work: Path, key: tuple[int, int]) -> None:
        """Refuse folders that nobody can be given: the whole machine, and whatever Lar's own home is in."""
        if key == _key(Path("/").stat()):
            raise SandboxError(f"the work folder {work} is the whole machine; name a folder made for this")
        home = self._home.resolve() if self._home else Path("/")
        if any(key == _key(each.stat()) for each in (home, *home.parents) if each.exists()):
            raise SandboxError(f"the work folder {work} holds Lar's own files; name a folder made for this")

    async def _leave(self, work: Path, key: tuple[int, int], tenancy: _Tenancy) -> None:
        async with tenancy.lock:
            tenancy.runs -= 1
            if not tenancy.runs:
                await asyncio.to_thread(_take_back, work, tenancy.user if self._root else os.geteuid())
                del self._tenancies[key]


def _identity(work: Path) -> tuple[int, int]:
    try:
        status = work.stat(follow_symlinks=False)
    except OSError as error:
        raise SandboxError(f"the work folder {work} cannot be used: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise SandboxError(f"the work folder {work} is no folder")
    return _key(status)


def _key(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _first_free_user() -> int:
    """Where our range starts: in a container that maps few users, at the end of what it maps."""
    try:
        spans = [tuple(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return _FIRST
    if any(inside <= _FIRST and inside + length >= _FIRST + _COUNT for inside, _, length in spans):
        return _FIRST
    return max(inside + length for inside, _, length in spans) - _COUNT // 2


def _give(work: Path, user: int) -> None:
    """A file with a second name stays whose it is: the other name may be anywhere."""
    os.chown(work, user, user, follow_symlinks=False)

    def give(entry: Entry) -> None:
        if stat.S_ISDIR(entry.status.st_mode) or entry.status.st_nlink == 1:
            os.chown(entry.leaf, user, user, dir_fd=entry.folder, follow_symlinks=False)

    _each(work, give)


def _take_back(work: Path, user: int) -> None:
    """Only when no process of theirs lives any more."""
    owner, group = os.geteuid(), os.getegid()

    def take(entry: Entry) -> None:
        if entry.status.st_uid != user:
            return
        if user != owner:
            os.chown(entry.leaf, owner, group, dir_fd=entry.folder, follow_symlinks=False)
        if stat.S_ISREG(entry.status.st_mode) and entry.status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            os.chmod(entry.leaf, entry.status.st_mode & 0o777, dir_fd=entry.folder)

    with suppress(OSError, SandboxError):  # the folder may have been removed meanwhile
        if user != owner:
            os.chown(work, owner, group, follow_symlinks=False)
        _each(work, take)


def _each(work: Path, act: Callable[[Entry], None]) -> None:
    for entry in walk(work, _MOST, _DEPTH):
        with suppress(OSError):
            act(entry)
