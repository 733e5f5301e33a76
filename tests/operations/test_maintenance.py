"""Maintenance: ordinary schedules with a record forget what is old and look after the database."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import select

from lar.app import App, Extras
from lar.cli import main
from lar.config import load
from lar.conversations.problems import Problems
from lar.domain.artifact import Artifact
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.principal import Principal, Role
from lar.domain.schedule import Firing, FiringState, ScheduleState
from lar.errors import StoreError
from lar.operations.maintenance import SOURCE
from lar.store import artifacts, events, people, schedules, upkeep
from lar.store.artifacts import Kept
from lar.store.database import Connection
from lar.store.events import Event
from lar.store.schema import schedule
from lar.testing.clock import FakeClock

DAY = 86_400.0
ENV = {"LAR__SCHEDULES__MAINTENANCE__JITTER_SECONDS": "0", "LAR__TOOLS__TIME_ZONE": "UTC"}


def home_of(folder: Path, clock: FakeClock) -> App:
    """A Lar whose house is to be kept."""
    return App(load(None, {"LAR_HOME": str(folder), **ENV}), Extras(clock=clock))


async def record(lar: App, name: str, clock: FakeClock, seconds: float = DAY) -> Firing:
    """Let so much time pass, and wait for the record of this task."""

    def newest(connection: Connection) -> Firing | None:
        known = schedules.by_key(connection, f"task:{name}")
        found = schedules.firings(connection, known.id, 1) if known else []
        return found[0] if found and found[0].state is not FiringState.QUEUED else None

    await lar.db.write(lar.time.begin)
    clock.advance(seconds)
    running = asyncio.create_task(lar.run(frozenset({"worker"})))
    try:
        async with asyncio.timeout(60):
            while (found := await lar.db.read(newest)) is None:  # noqa: ASYNC110  # it asks
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
    return found


async def test_old_artifacts_go_with_their_files(tmp_path: Path) -> None:
    """R-SC-5, R-TO-4: artifacts are kept for `keep_days`; then file and line are gone, and the record counts them."""
    clock = FakeClock(1000 * DAY)
    async with home_of(tmp_path, clock) as lar:
        root = Principal(PrincipalId(0), "Ann", Role.USER)
        ann = await lar.db.write(people.add, "t", "m", "ann", root, 1.0)
        for turn, age in ((1, 95), (2, 29)):
            at = clock() - age * DAY
            folder = tmp_path / "files" / "artifacts" / str(turn)
            folder.mkdir(parents=True)
            (folder / "x").write_text("x")
            os.utime(folder, (at, at))
            file = Artifact(f"artifacts/{turn}/x", "x")
            await lar.db.write(artifacts.add, Kept(0, file, ann.id, ConversationId(1), TurnId(turn), at))
        assert (await record(lar, "artifacts", clock)).note == "removed 1 rows, 1 files"
        listed = await lar.db.read(artifacts.of_person, ann.id, 10)
        assert [each.artifact.path for each in listed] == ["artifacts/2/x"]


async def test_rows_go_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SC-5: retention takes what nobody took for too long, batch by batch, and says how much."""
    clock = FakeClock(1000 * DAY)
    monkeypatch.setattr(upkeep.prune, "__kwdefaults__", {"limit": 2})
    async with home_of(tmp_path, clock) as lar:
        for number in range(5):
            await lar.db.write(events.add, Event(0, "x", str(number), clock() - 91 * DAY))
        found = await record(lar, "retention", clock)
        assert (found.state, found.note) == (FiringState.DONE, "removed 5 rows, the raw text of 0 updates")


async def test_the_database_is_looked_after(tmp_path: Path) -> None:
    """R-SC-5: the planner is told of all tables, caches go, and a healthy database is said to be well."""
    clock = FakeClock(1000 * DAY)
    async with home_of(tmp_path, clock) as lar:
        assert (await record(lar, "check", clock)).note == "all is well"
        assert "tables" in (await record(lar, "optimise", clock)).note
        assert "0 files" in (await record(lar, "caches", clock)).note


async def test_damage_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SC-5: what the check finds is a problem, an event for the heartbeat, and in the record."""
    clock = FakeClock(1000 * DAY)

    def damaged(_connection: Connection) -> list[str]:
        raise StoreError("the database is damaged: restore a backup")

    monkeypatch.setattr(upkeep, "check", damaged)
    async with home_of(tmp_path, clock) as lar:
        found = await record(lar, "check", clock)
        assert found.note == "found: the database is damaged: restore a backup"
        assert SOURCE in lar.problems.open
        assert await lar.db.read(events.count_waiting) == 1


def test_a_problem_that_is_gone() -> None:
    """R-SC-5: a problem without a sentence is no problem."""
    problems = Problems()
    problems.report(SOURCE, None)
    assert not problems.open


async def test_an_old_name_is_dropped(tmp_path: Path) -> None:
    """R-SC-5: a task that no configuration wants any more is cancelled at the start."""
    async with home_of(tmp_path, FakeClock(1000 * DAY)) as lar:
        await lar.db.write(lar.time.begin)
        await lar.db.write(
            lambda c: c.execute(schedule.update().where(schedule.c.text == "check").values(key="task:x")).close()
        )
        await lar.db.write(lar.time.begin)
        states = await lar.db.read(
            lambda c: [tuple(row) for row in c.execute(select(schedule.c.key, schedule.c.state))]
        )
        assert ("task:x", ScheduleState.CANCELLED) in states
        assert ("task:check", ScheduleState.ACTIVE) in states


async def test_the_operator_sees_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """R-SC-5: `lar schedules --tasks` shows each task, when it comes next, and what came of it last."""
    clock = FakeClock(1000 * DAY)
    monkeypatch.setenv("LAR_HOME", str(tmp_path))
    async with home_of(tmp_path, clock) as lar:
        await record(lar, "check", clock)
    for arguments in (["schedules", "--tasks"], ["schedules"]):
        assert await asyncio.to_thread(main, arguments) == 0
        shown = capsys.readouterr().out
        assert "done: all is well" in shown
        assert "task:heartbeat" in shown
