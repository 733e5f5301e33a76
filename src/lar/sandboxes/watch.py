"""Limits the kernel does not keep by itself: looked at several times a second."""

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lar.sandboxes import tree
from lar.sandboxes.process import Ended

INTERVAL = 0.05
"""Seconds between two looks."""
_PATIENCE = 20
"""A measurement that costs a second is made every twenty seconds, unless the disk says that something was written."""
_PART = 4
"""Looked at again when the disk has lost this part of the limit; beyond this many limits nobody knows who it was."""
_NEARLY_FULL = 0.05
_UNNAMED = re.compile(rb"^(\w+)-(\w+) \S+ (\w+) (\w+):(\w+) (\d+) .*\(deleted\)$", re.MULTILINE)
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)
_RSS = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


Processes = Callable[[], Awaitable[Sequence[int] | None]]
"""All processes of a run; None: nobody knows them."""


async def _trusted() -> Sequence[int]:
    return ()


async def disk(work: Path, limit: int, processes: Processes = _trusted) -> Ended:
    """Return when what the run has on the disk has grown by more than `limit` bytes since now.

    That is its work folder, and files without a name that its processes have open or mapped. Measuring is dear, asking
    how much the disk has free is cheap: both are measured when the disk has lost a quarter of the limit, in bytes or in
    names, since they were last measured; the folder now and then in any case. What no look finds, such as a file on its
    way from process to process, ends when the disk is nearly full. Where the processes are not known, or may not be
    looked at, it ends when the disk has lost four times the limit, whoever wrote that.
    """
    at_first = await asyncio.to_thread(tree.usage, work)
    at_start = before = seen = _free(work)
    cost, measured, grown, unnamed = 0.0, time.monotonic(), 0, 0
    while True:
        await asyncio.sleep(INTERVAL)
        now = _free(work)
        much = at_start.size - now.size > limit * _PART
        if much and now.size < now.total * _NEARLY_FULL:
            return Ended.DISK
        if seen.lost(now) > limit // _PART:
            pids = await processes()
            held = None if pids is None else await asyncio.to_thread(without_name, pids, now.device)
            if held is None and much:
                return Ended.DISK
            seen, unnamed = now, held or 0
        if before.lost(now) > limit // _PART or time.monotonic() - measured > max(1.0, _PATIENCE * cost):
            started = time.monotonic()
            grown = await asyncio.to_thread(tree.usage, work) - at_first
            measured, before = time.monotonic(), now
            cost = measured - started
        if grown + unnamed > limit:
            return Ended.DISK


@dataclass(frozen=True, slots=True)
class _Free:
    """What a disk has free, of all it has, in bytes; how many more names it can take; and its number."""

    size: int
    total: int
    names: int
    device: int

    def lost(self, now: "_Free") -> int:
        """Bytes less, or names less at a kilobyte each."""
        return max(self.size - now.size, (self.names - now.names) * 1024)


def _free(work: Path) -> _Free:
    status = os.statvfs(work)
    unit = status.f_frsize
    return _Free(status.f_bfree * unit, status.f_blocks * unit, status.f_ffree, work.stat().st_dev)


def without_name(pids: Sequence[int], device: int) -> int | None:
    """Bytes of this disk in files whose last name is gone, and that these processes have; None: we may not look.

    What is only mapped counts as if it were full.
    """
    held: dict[int, int] = {}
    try:
        for pid in pids:
            held |= _mapped(pid, device)
        for folder in (each / "fd" for pid in pids for each in _tasks(pid)):
            held |= _open(folder, device)
    except PermissionError:
        return None
    return sum(held.values())


def _mapped(pid: int, device: int) -> dict[int, int]:
    held: dict[int, int] = {}
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in _UNNAMED.findall(Path(f"/proc/{pid}/maps").read_bytes()):
            begin, end, offset, major, minor = (int(number, 16) for number in line[:5])
            if os.makedev(major, minor) == device:
                held[int(line[5])] = max(held.get(int(line[5]), 0), offset + end - begin)
    return held


def _open(folder: Path, device: int) -> dict[int, int]:
    held: dict[int, int] = {}
    with suppress(FileNotFoundError, ProcessLookupError):
        for descriptor in folder.iterdir():
            with suppress(FileNotFoundError):
                status = descriptor.stat()
                if status.st_dev == device and not status.st_nlink:
                    held[status.st_ino] = status.st_blocks * 512
    return held


def _tasks(pid: int) -> list[Path]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []


async def memory(first: Callable[[], int | None], limit: int) -> Ended:
    """Return when the process `first` gives and all below it hold more than `limit` bytes."""
    while True:
        await asyncio.sleep(INTERVAL)
        pid = first()
        if pid is not None and sum(map(_held, family(pid))) > limit:
            return Ended.MEMORY


async def first_of(*watches: "asyncio.Future[Ended] | asyncio.Task[Ended]") -> Ended:
    """What the first of them saw; the others are ended."""
    try:
        done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for each in watches:
            each.cancel()


def family(pid: int) -> Sequence[int]:
    """The process and all below it."""
    found, new = [pid], [pid]
    while new and len(found) < 10_000:  # noqa: PLR2004  # nobody's limit
        new = [child for each in new for child in _children(each)]
        found += new
    return found


def parent(pid: int) -> int:
    """The process above it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in _tasks(pid):
        with suppress(OSError):
            children += map(int, (task / "children").read_text().split())
    return children


def _held(pid: int) -> int:
    """Bytes of memory; what is shared counts in parts, where the kernel tells."""
    for file, pattern in (("smaps_rollup", _PSS), ("status", _RSS)):
        with suppress(OSError):
            return sum(int(size) for size in pattern.findall(Path(f"/proc/{pid}/{file}").read_bytes())) * 1024
    return 0
