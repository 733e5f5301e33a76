"""Which files of some folders a run opened, as the kernel saw it: whatever way it took to them."""

import ctypes
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Self

from lar.errors import SandboxError
from lar.sandboxes.tree import FOLDER, walk

_OPEN, _OVERFLOW, _IS_FOLDER = 0x20, 0x4000, 0x4000_0000
_FLAGS = _OPEN | 0x0100_0000 | 0x0200_0000
"""Files that are opened; only in a folder; not through a link."""
_HEADER = struct.Struct("iIII")
_MOST = 10_000


class Opened:
    """Watches one folder and all below it, while it is used with `with`. Files that others open count, too.

    Where the kernel cannot tell, every file that is there counts as opened: too much rather than too little.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._watch = -1
        self._below: dict[int, str] = {}
        self._names: set[str] = set()

    def __enter__(self) -> Self:
        """Begin."""
        try:
            top = os.open(self._folder, FOLDER)
        except OSError:
            return self  # there is no such folder: nothing can be opened there
        os.close(top)
        try:
            self._watch = _checked(_libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
            self._stack.callback(os.close, self._watch)
            self._add(os.fsencode(self._folder), "")
            for entry in walk(self._folder, _MOST):
                if stat.S_ISDIR(entry.status.st_mode):
                    self._add(f"/proc/self/fd/{entry.folder}/".encode() + os.fsencode(entry.leaf), f"{entry.name}/")
        except (OSError, SandboxError, AttributeError):
            self._names.update(_files(self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stack.close()

    @property
    def files(self) -> tuple[str, ...]:
        """Their names below the folder when it began, in order; to be asked before the end."""
        if self._watch >= 0:
            for watch, mask, name in _events(self._watch):
                if mask & _OVERFLOW:
                    self._names.update(_files(self._folder))
                elif not mask & _IS_FOLDER and name:
                    self._names.add(self._below.get(watch, "") + name)
        return tuple(sorted(self._names))

    def _add(self, path: bytes, below: str) -> None:
        self._below[_checked(_libc().inotify_add_watch(self._watch, path, _FLAGS))] = below


def _files(folder: Path) -> Iterator[str]:
    for entry in walk(folder, _MOST):
        if stat.S_ISREG(entry.status.st_mode):
            yield entry.name


def _events(watch: int) -> Iterator[tuple[int, int, str]]:
    while True:
        try:
            data = os.read(watch, 1 << 16)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            which, mask, _, length = _HEADER.unpack_from(data, at)
            name = data[at + _HEADER.size : at + _HEADER.size + length].rstrip(b"\0")
            yield which, mask, os.fsdecode(name)
            at += _HEADER.size + length


def _checked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
