import asyncio
import itertools
import mmap
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lar.sandboxes import tree, watch
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.contract import Limits, Spec
from lar.sandboxes.process import Ended


def test_what_a_folder_takes(work: Path) -> None:
    """R-SB-2: bytes are counted as the disk does, names count for themselves, and links are not followed."""
    (work / "file").write_bytes(b"x" * 100_000)
    (work / "link").symlink_to("/usr")
    assert 100_000 < tree.usage(work) < 200_000


def test_deeper_than_anybody_looks(work: Path) -> None:
    """R-SB-2: folders too deep to be measured count as too much, instead of as nothing."""
    subprocess.run(
        ["/bin/sh", "-c", "n=0; while [ $n -lt 200 ]; do mkdir d && cd d && n=$((n+1)); done"], cwd=work, check=True
    )
    assert tree.usage(work) == tree.BEYOND_MEASURE


async def _ended(work: Path, processes: watch.Processes, taken: list[object], *, mapped: bool = False) -> Ended:
    """Put megabytes into files without a name until the limit of one megabyte is seen to be broken."""
    async with asyncio.timeout(60):
        looking = asyncio.ensure_future(watch.disk(work, 1 << 20, processes))
        while not looking.done():
            with (work / "file").open("w+b", buffering=0) as file:
                (work / "file").unlink()
                file.write(os.urandom(1 << 20))
                os.fsync(file.fileno())
                taken.append(mmap.mmap(file.fileno(), 1 << 20) if mapped else os.dup(file.fileno()))
            await asyncio.sleep(0.05)
        return await looking


async def _ourselves() -> list[int]:
    return [os.getpid()]


async def test_files_without_a_name(work: Path) -> None:
    """R-SB-2: deleted files that a run's processes have open, or mapped, count as what is in its folder."""
    taken: list[Any] = []
    assert await _ended(work, _ourselves, taken) is Ended.DISK
    for descriptor in taken:
        os.close(descriptor)
    areas: list[Any] = []
    assert await _ended(work, _ourselves, areas, mapped=True) is Ended.DISK
    for area in areas:
        area.close()


async def test_processes_that_nobody_knows(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SB-2: where a run's processes are not known, what the whole disk loses ends it, four times as late."""

    async def unknown() -> None:
        return None

    taken: list[Any] = []

    def free(_folder: Path) -> SimpleNamespace:
        """A disk on which nobody else writes."""
        return SimpleNamespace(f_frsize=1 << 20, f_bfree=9_000 - len(taken), f_blocks=10_000, f_ffree=10_000)

    monkeypatch.setattr("os.statvfs", free)
    assert await _ended(work, unknown, taken) is Ended.DISK
    assert len(taken) > 4
    for descriptor in taken:
        os.close(descriptor)


async def test_what_others_write(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SB-2: a disk that somebody else fills ends no run, until it is nearly full."""
    monkeypatch.setattr("lar.sandboxes.watch._NEARLY_FULL", 0.0)

    async def nobody() -> list[int]:
        return [1 << 30]  # there is no such process

    looking = asyncio.ensure_future(watch.disk(work, 1 << 20, nobody))
    for number in range(10):
        (tmp_path / f"other{number}").write_bytes(os.urandom(1 << 20))
        await asyncio.sleep(0.05)
    assert not looking.done()
    looking.cancel()
    await asyncio.wait([looking])


async def test_a_disk_that_is_nearly_full(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SB-2: what no look finds ends, with the run, before the disk is full."""
    free = itertools.chain([1 << 30], itertools.repeat(1 << 20))

    def seen(_: Path) -> SimpleNamespace:
        return SimpleNamespace(f_bfree=next(free), f_frsize=1, f_blocks=1 << 30, f_ffree=1000)

    monkeypatch.setattr(os, "statvfs", seen)
    async with asyncio.timeout(60):
        assert await watch.disk(work, 1 << 20) is Ended.DISK


def test_processes_of_others(work: Path) -> None:
    """R-SB-2: processes that may not be looked at are not taken for empty; those that are gone are."""
    ourselves = os.geteuid()
    os.seteuid(65534 if ourselves == 0 else ourselves)
    try:
        assert watch.without_name([1], 1) is None
    finally:
        os.seteuid(ourselves)
    assert watch.without_name([1 << 30], work.stat().st_dev) == 0


async def test_a_full_disk_is_told(bubblewrap: Bubblewrap, work: Path) -> None:
    """R-SB-2: a run that was ended for its disk says so."""
    script = "n=0; while :; do n=$((n+1)); dd if=/dev/zero of=f$n bs=1M count=4 2>/dev/null; done"
    result = await bubblewrap.run(Spec(("sh", "-c", script), work, limits=Limits(disk=8 << 20)))
    assert (result.out_of_disk, result.timed_out) == (True, False)
