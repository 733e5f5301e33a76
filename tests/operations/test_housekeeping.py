"""Retention: once a day, what is older than the owner wants to keep is forgotten."""

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lar.app import App, Extras
from lar.config import load
from lar.conversations import lane
from lar.conversations.settings import ConversationSettings
from lar.domain.artifact import Artifact
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.engine.engine import Engine
from lar.engine.settings import EngineSettings
from lar.operations.housekeeping import KIND, HousekeepingHandler
from lar.store import artifacts, jobs, people
from lar.store.artifacts import Kept
from lar.store.database import Database
from lar.testing.clock import FakeClock
from lar.testing.databases import sqlite_db
from lar.testing.stage import until
from lar.testing.turns import ANN
from lar.tools.settings import ArtifactSettings

__all__ = ["sqlite_db"]

DAY = 86_400.0


async def test_old_artifacts_go_with_their_files(sqlite_db: Database, tmp_path: Path) -> None:  # the fixture
    """R-TO-4: artifacts are kept for `keep_days`; then both the file and its line in the list are gone."""
    clock = FakeClock(1000 * DAY)
    ann = await sqlite_db.write(people.add, "t", "m", "ann", replace(ANN, id=PrincipalId(0)), 1.0)
    for turn, age in ((1, 31), (2, 29)):
        at = clock() - age * DAY
        folder = tmp_path / "artifacts" / str(turn)
        folder.mkdir(parents=True)
        (folder / "x").write_text("x")
        os.utime(folder, (at, at))
        file = Artifact(f"artifacts/{turn}/x", "x")
        await sqlite_db.write(artifacts.add, Kept(0, file, ann.id, ConversationId(1), TurnId(turn), at))
    kept = ArtifactSettings(keep_days=30)
    handler = HousekeepingHandler(ConversationSettings(), kept, tmp_path, clock)
    clock.set(clock() - DAY)
    await sqlite_db.write(handler.schedule)
    clock.advance(DAY)
    over = asyncio.Event()
    sqlite_db.subscribe("jobs", lambda _: over.set() if not (tmp_path / "artifacts" / "1").exists() else None)
    running = asyncio.create_task(Engine(sqlite_db, {KIND: handler}, EngineSettings(), clock).run())
    async with asyncio.timeout(10):
        await over.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    listed = await sqlite_db.read(artifacts.of_person, ann.id, 10)
    assert [each.artifact.path for each in listed] == ["artifacts/2/x"]
    assert (tmp_path / "artifacts" / "2" / "x").exists()


async def test_an_emergency_stop_does_not_end_it_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-PO-4: housekeeping that an emergency stop ends is done on the next day, without a restart."""
    begun, released = threading.Event(), threading.Event()

    def sweep(_files: Path, _before: float) -> None:
        begun.set()
        released.wait(30)

    monkeypatch.setattr("lar.operations.housekeeping.sweep", sweep)
    clock = FakeClock(1000.5 * DAY)
    async with App(load(None, {"LAR_HOME": str(tmp_path)}), Extras(clock=clock)) as lar:
        running = asyncio.create_task(lar.run(frozenset({"worker"})))
        try:
            await _until_queued(lar, 1001 * DAY)
            clock.advance(DAY)
            await lar.db.write(lane.let_go_on)  # wakes the engine
            await until(begun.is_set)
            await lar.db.write(lane.stop_everything, PrincipalId(1), clock())
            await _until_queued(lar, 1002 * DAY)
        finally:
            released.set()
            running.cancel()
            await asyncio.wait([running])


async def _until_queued(lar: App, at: float) -> None:
    """Wait until the next housekeeping is due then."""
    async with asyncio.timeout(30):
        while await lar.db.read(lambda c: jobs.next_run_at(c, now=at - 1, kinds=[KIND])) != at:  # noqa: ASYNC110  # it asks
            await asyncio.sleep(0.01)
