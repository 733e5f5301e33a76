"""Limits the kernel does not keep by itself: looked at several times a second."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from lar.sandboxes import tree
from lar.sandboxes.process import Ended

INTERVAL = 0.05
"""Seconds between two looks."""
_PATIENCE = 20
"""A measurement that costs a second is made every twenty seconds, unless the disk says that something was written."""
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)
_RSS = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


async def disk(work: Path, limit: int) -> Ended:
    """Return when the folder has grown by more than `limit` bytes since now.

    Measuring is dear, asking how much the disk has free is cheap: the folder is measured when the disk has lost a
    quarter of the limit, in bytes or in names, since it was last measured; and now and then in any case.
    """
    at_first = await asyncio.to_thread(tree.usage, work)
    cost, measured, free = 0.0, time.monotonic(), _free(work)
    while True:
        await asyncio.sleep(INTERVAL)
        now = _free(work)
        written = free[0] - now[0] > limit // 4 or (free[1] - now[1]) * 1024 > limit // 4
        if not written and time.monotonic() - measured < max(1.0, _PATIENCE * cost):
            continue
        started = time.monotonic()
        if await asyncio.to_thread(tree.usage, work) - at_first > limit:
            return Ended.DISK
        measured = time.monotonic()
        cost, free = measured - started, now


def _free(work: Path) -> tuple[int, int]:
    status = os.statvfs(work)
    return status.f_bfree * status.f_frsize, status.f_ffree


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


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                children += map(int, (thread / "children").read_text().split())
    return children


def _held(pid: int) -> int:
    """Bytes of memory; what is shared counts in parts, where the kernel tells."""
    for file, pattern in (("smaps_rollup", _PSS), ("status", _RSS)):
        with suppress(OSError):
            return sum(int(size) for size in pattern.findall(Path(f"/proc/{pid}/{file}").read_bytes())) * 1024
    return 0
