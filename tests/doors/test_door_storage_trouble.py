"""The disk is full, or somebody else has the database: nothing is lost, nothing is doubled, the process stays up."""

import asyncio
import json
import resource
import sqlite3
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from lar.testing.process import POLL
from lar.testing.stage import FIRST_USER, PATIENCE, Stage, stage, until

CHAT, OTHER = FIRST_USER, FIRST_USER + 1
BEFORE, DURING = "n00000000aa", "n00000000ab"
IMPATIENT = {"LAR__DATABASE__PATIENCE": "1"}
FILLER = "filler"


async def health(here: Stage) -> dict[str, Any]:
    """What the gateway says about itself to anybody."""

    def ask(url: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:  # noqa: S310  # our own process
            return cast("dict[str, Any]", json.load(answer))

    return await asyncio.to_thread(ask, await here.process.url())


async def survives(here: Stage, spoil: Callable[[], object], mend: Callable[[], object]) -> None:
    """A turn that runs and a message that arrives while nothing can be stored: both are answered, once, afterwards."""
    await here.start()
    await here.process.url()
    await here.telegram.ask("hello", CHAT)
    asked = here.models.last_number
    here.telegram.send_text(f"[[sleep:1]] {BEFORE}", CHAT)
    await until(lambda: here.models.last_number > asked)
    spoil()
    here.telegram.send_text(f"hello {DURING}", OTHER)
    await until(lambda: here.models.log[-1]["status"] == 200)
    async with asyncio.timeout(PATIENCE):
        while (await health(here))["status"] != "degraded":  # noqa: ASYNC110  # another process tells
            await asyncio.sleep(POLL)
    assert "kept at Telegram until it can" in (await here.process.lar("status")).output
    assert here.texts(OTHER) == []
    mend()
    assert BEFORE in (await here.replies(CHAT, 2))[1]
    assert DURING in (await here.replies(OTHER))[0]
    await here.settled(3)
    assert [len(here.texts(chat)) for chat in (CHAT, OTHER)] == [2, 1]
    assert here.models.last_number == asked + 2
    assert "and now" in (await here.telegram.ask("and now", CHAT))["text"]
    assert (await health(here))["status"] == "ok"
    assert "Traceback" not in here.process.output()
    assert here.process.alive


@pytest.mark.doors
async def test_database_locked(tmp_path: Path) -> None:
    """Another program holds the database locked for a while."""
    async with stage(tmp_path, env=IMPATIENT) as here:
        here.process.home.mkdir()
        other = sqlite3.connect(here.process.home / "lar.db", isolation_level=None)
        await survives(here, lambda: other.execute("BEGIN IMMEDIATE"), lambda: other.execute("ROLLBACK"))
        other.close()


@pytest.mark.doors
async def test_files_cannot_grow(tmp_path: Path) -> None:
    """No file may grow any more: the writes of the database fail in the middle."""
    async with stage(tmp_path, env=IMPATIENT) as here:

        def limit(size: int) -> None:
            resource.prlimit(here.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        await survives(here, lambda: limit(1), lambda: limit(resource.RLIM_INFINITY))


@pytest.mark.doors
async def test_disk_full(small_disk: Path) -> None:
    """There is not a byte left on the disk."""
    async with stage(small_disk, env=IMPATIENT) as here:
        await survives(here, lambda: fill(small_disk), (small_disk / FILLER).unlink)


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with suppress(OSError), (disk / FILLER).open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "lar-test", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, check=False)  # noqa: S603  # fixed, but for the folder
    if mounted.returncode:
        pytest.skip(f"only root can mount a small disk: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)  # noqa: S603, S607  # the same


async def test_second_process(door: Stage) -> None:
    """A second `lar run` in the same home says who has it, and ends; the first goes on."""
    second = await door.process.lar("run")
    assert second.status == 2
    assert f"belongs to the running process {door.process.pid}" in second.errors
    assert "LAR_HOME" in second.errors
    assert "Traceback" not in second.errors
    assert door.process.alive
