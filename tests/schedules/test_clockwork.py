"""Firing: once, in order, in the transaction that moves the next due, whatever was missed, on both databases."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from making import NOW, fired, only, queued, reminder, somebody
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from lar.conversations import lane
from lar.domain.ids import FiringId, PrincipalId
from lar.domain.schedule import Every, Firing, FiringState, Missed, Quiet, Schedule, ScheduleKind, ScheduleState, Timing
from lar.schedules.clockwork import AT_A_TIME, NAP, SHORT_NAP, Clockwork, fire_due
from lar.schedules.rules import cron
from lar.schedules.settings import ScheduleSettings
from lar.store import schedules
from lar.store.database import Database
from lar.store.schema import schedule as table
from lar.store.settings import StoreSettings
from lar.testing.clock import FakeClock
from lar.testing.databases import OnPostgres, OnSqlite
from lar.testing.postgres import PostgresServer

UTC = ZoneInfo("UTC")
HOUR, DAY = 3600.0, 86400.0


def clockwork(db: Database, clock: FakeClock) -> Clockwork:
    """A clockwork by this clock."""
    return Clockwork(db, ScheduleSettings(), UTC, clock)


async def add(db: Database, new: Schedule) -> Schedule:
    """Keep a schedule."""
    return await db.write(schedules.add, new)


async def now_of(db: Database, schedule: Schedule) -> Schedule:
    """A schedule as it is by now."""
    found = await db.read(schedules.get, schedule.id)
    assert found is not None
    return found


class ClockworkContract:
    """What firing promises."""

    async def test_once_is_once(self, db: Database) -> None:
        """R-SC-2: what is due becomes one job in a lane of its own; it is done then, and never fires again."""
        clock = FakeClock(NOW)
        made = await add(db, reminder(NOW + 60))
        assert await clockwork(db, clock).fire() == NAP
        clock.advance(45)
        assert await clockwork(db, clock).fire() == 15
        clock.advance(15)
        assert await clockwork(db, clock).fire() == NAP
        assert await clockwork(db, clock).fire() == NAP
        assert await fired(db) == [(made.id, NOW + 60)]
        assert [where for where, _ in await queued(db)] == [f"schedule:{made.id}"]
        after = await now_of(db, made)
        assert (after.state, after.next_due, after.fired) == (ScheduleState.DONE, None, 1)
        firing = await only(db, made.id)
        assert (firing.late, firing.missed, firing.state) == (False, 0, FiringState.QUEUED)

    async def test_in_order(self, db: Database) -> None:
        """R-SC-2: the one due first fires first, more than fit into one transaction, too."""
        made = [await add(db, reminder(NOW + 500 - n)) for n in range(5)]
        await asyncio.gather(*(add(db, reminder(NOW + 1000)) for _ in range(AT_A_TIME)))
        await clockwork(db, FakeClock(NOW + 1000)).fire()
        found = await fired(db)
        assert [schedule for schedule, _ in found[:5]] == [schedule.id for schedule in reversed(made)]
        assert len(found) == len(set(found)) == AT_A_TIME + 5

    @pytest.mark.parametrize(
        ("missed", "expected", "misses"),
        [
            (Missed.ONCE, [(NOW + 5 * HOUR, True, 5, FiringState.QUEUED)], 5),
            (Missed.SKIP, [(NOW + 5 * HOUR, True, 5, FiringState.SKIPPED)], 6),
            (Missed.ALL, [(NOW + n * HOUR, True, 0, FiringState.QUEUED) for n in range(6)], 0),
        ],
    )
    async def test_what_was_missed(
        self, db: Database, missed: Missed, expected: list[tuple[float, bool, int, FiringState]], misses: int
    ) -> None:
        """R-SC-2: after an absence one firing makes up for all, or none comes, or every one does, as was chosen."""
        made = await add(db, replace(reminder(Timing(Every(HOUR, NOW)), NOW), missed=missed))
        await clockwork(db, FakeClock(NOW + 5.5 * HOUR)).fire()
        found = await db.read(schedules.firings, made.id)
        assert [(f.due_at, f.late, f.missed, f.state) for f in reversed(found)] == expected
        after = await now_of(db, made)
        assert (after.next_due, after.missed_count) == (NOW + 6 * HOUR, misses)
        assert after.missed_at == (NOW + 5.5 * HOUR if misses else None)
        late = 0 if missed is Missed.SKIP else len(expected)
        absence = await db.read(schedules.absence, NOW)
        assert (absence.late, absence.left_out) == (late, misses)

    async def test_a_task_that_was_missed_is_nobodys_loss(self, db: Database) -> None:
        """R-SC-2: nobody is told that Lar's own tasks came late because it was off."""
        task = replace(reminder(Timing(Every(HOUR, NOW)), NOW), kind=ScheduleKind.TASK)
        await add(db, task)
        await clockwork(db, FakeClock(NOW + 5.5 * HOUR)).fire()
        absence = await db.read(schedules.absence, NOW)
        assert (absence.late, absence.left_out) == (0, 0)

    async def test_the_last_one_is_in_time(self, db: Database) -> None:
        """R-SC-2: who skips what was missed still gets what is due now."""
        timing = Timing(Every(HOUR, NOW))
        made = await add(db, replace(reminder(timing, NOW), missed=Missed.SKIP))
        await clockwork(db, FakeClock(NOW + 3 * HOUR + 1)).fire()
        firing = await only(db, made.id)
        assert (firing.due_at, firing.late, firing.missed) == (NOW + 3 * HOUR, False, 3)

    async def test_counts_run_out(self, db: Database) -> None:
        """R-SC-1: three times means three times, missed ones included; the last one ends the schedule."""
        timing = Timing(Every(HOUR, NOW))
        three = await add(db, replace(reminder(timing, NOW), left=3))
        await clockwork(db, FakeClock(NOW)).fire()
        assert (await now_of(db, three)).left == 2
        one = await add(db, replace(reminder(timing, NOW), left=1))
        await clockwork(db, FakeClock(NOW + 10 * HOUR)).fire()
        after = await now_of(db, three)
        assert (after.left, after.state, after.next_due) == (0, ScheduleState.DONE, None)
        (newest, _) = await db.read(schedules.firings, three.id)
        assert (newest.due_at, newest.missed) == (NOW + 2 * HOUR, 1)
        assert (await only(db, one.id)).due_at == NOW

    async def test_an_end_date(self, db: Database) -> None:
        """R-SC-1: after its end date a schedule is done."""
        made = await add(db, reminder(Timing(Every(HOUR, NOW), until=NOW + 90 * 60), NOW))
        clock = FakeClock(NOW)
        for _ in range(4):
            await clockwork(db, clock).fire()
            clock.advance(HOUR)
        assert [due for _, due in await fired(db)] == [NOW, NOW + HOUR]
        assert (await now_of(db, made)).state is ScheduleState.DONE

    async def test_jitter_spreads_a_herd(self, db: Database) -> None:
        """R-SC-1: with jitter the jobs of what is due together begin at different times, and not before."""
        for _ in range(20):
            await add(db, replace(reminder(NOW), jitter=600.0))
        await clockwork(db, FakeClock(NOW)).fire()
        times = [run_at for _, run_at in await queued(db)]
        assert len(set(times)) == 20
        assert NOW <= min(times) <= max(times) <= NOW + 600

    async def test_a_person_lives_somewhere(self, db: Database) -> None:
        """R-SC-1: what repeats does so by the clocks of its person."""
        of = await somebody(db, zone="America/New_York")
        made = await add(db, reminder(Timing(cron("0 9 * * *")), NOW, of=of))
        await clockwork(db, FakeClock(NOW)).fire()
        following = (await now_of(db, made)).next_due
        assert following is not None
        assert following % DAY == 14 * HOUR

    async def test_an_emergency_stop_holds(self, db: Database) -> None:
        """R-PO-4: while everything is stopped nothing fires, however long it lasts; it is made up for afterwards."""
        made = await add(db, reminder(Timing(Every(60, NOW)), NOW))
        await db.write(lane.stop_everything, PrincipalId(1), NOW)
        clock = FakeClock(NOW + DAY)
        assert await clockwork(db, clock).fire() == NAP
        assert await fired(db) == []
        await db.write(lane.let_go_on)
        await clockwork(db, clock).fire()
        firing = await only(db, made.id)
        assert (firing.due_at, firing.late, firing.missed) == (NOW + DAY, False, 1000)

    async def test_one_that_cannot_go_on_holds_nobody_up(self, db: Database) -> None:
        """R-SC-2: a schedule whose zone has gone is cancelled, with a record; the others fire."""
        bad = await add(db, reminder(Timing(cron("0 9 * * *")), NOW))
        good = await add(db, reminder(NOW + 1))
        broken = Timing(cron("0 9 * * *"), "Mars/Base").to_json()
        await db.write(lambda c: c.execute(update(table).where(table.c.id == bad.id).values(timing=broken)) and None)
        await clockwork(db, FakeClock(NOW + 1)).fire()
        assert await fired(db) == [(bad.id, NOW), (good.id, NOW + 1)]
        assert (await now_of(db, bad)).state is ScheduleState.CANCELLED
        firing = await only(db, bad.id)
        assert firing.state is FiringState.FAILED
        assert "Mars/Base" in firing.note

    async def test_the_database_refuses_a_second_firing(self, db: Database) -> None:
        """R-SC-2: whatever a worker believes, one due fires once: the second transaction fails whole."""
        made = await add(db, reminder(NOW))
        await db.write(fire_due, UTC, 20.0, NOW)
        again = Firing(FiringId(0), made.id, NOW, FiringState.QUEUED, fired_at=NOW)
        with pytest.raises(IntegrityError):
            await db.write(schedules.add_firing, again)

    async def test_a_new_schedule_is_heard_of(self, db: Database) -> None:
        """R-SC-1: what is due sooner than the one slept for does not wait for it."""
        clock = FakeClock(NOW)
        running = asyncio.create_task(clockwork(db, clock).run())
        try:
            await add(db, reminder(NOW + 10 * DAY))
            made = await add(db, reminder(NOW))
            async with asyncio.timeout(10):
                while not await fired(db):  # noqa: ASYNC110  # another task fires
                    await asyncio.sleep(0.005)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert await fired(db) == [(made.id, NOW)]

    async def test_keys(self, db: Database) -> None:
        """R-SC-2: what has a key is made once, and found by it."""
        first = await add(db, replace(reminder(NOW), key="a:1"))
        again = await add(db, replace(reminder(NOW + 5), key="a:1"))
        assert again == first
        assert await db.read(schedules.by_key, "a:1") == first
        assert await db.read(schedules.by_key, "a:2") is None
        assert await db.read(schedules.with_prefix, "a:") == [first]

    async def test_pruning(self, db: Database) -> None:
        """R-SC-5: records of old firings go, and schedules that are over with them; what is active stays."""
        over = await add(db, reminder(NOW))
        active = await add(db, reminder(Timing(Every(HOUR, NOW), quiet=Quiet(0, 60)), NOW))
        await clockwork(db, FakeClock(NOW)).fire()
        for schedule in (over, active):
            firing = await only(db, schedule.id)
            assert await db.write(schedules.settle, firing.id, FiringState.DONE, NOW)
            assert not await db.write(schedules.settle, firing.id, FiringState.FAILED, NOW)
        assert await db.write(schedules.prune, NOW) == 0
        assert await db.write(schedules.prune, NOW + DAY) == 3
        assert await db.read(schedules.get, over.id) is None
        assert await db.read(schedules.firings, active.id) == []


class TestOnSqlite(OnSqlite, ClockworkContract):
    """On a SQLite file."""


class TestOnPostgres(OnPostgres, ClockworkContract):
    """On PostgreSQL."""


@pytest.mark.postgres
class TestTwoWorkers:
    """Two processes' worth of clockwork on one PostgreSQL database."""

    @pytest.fixture
    async def pair(self, postgres_server: PostgresServer) -> AsyncIterator[tuple[Database, Database]]:
        """Two doors to the same database."""
        settings = StoreSettings(url=postgres_server.new_database(), patience=20)
        first, second = Database(settings), Database(settings)
        await first.open()
        await second.open()
        yield first, second
        await second.close()
        await first.close()

    async def test_they_share(self, pair: tuple[Database, Database]) -> None:
        """R-SC-2: workers that fire at the same moment share what is due; nobody fires what another one has."""
        for _ in range(300):
            await add(pair[0], reminder(NOW))
        await asyncio.gather(*(clockwork(db, FakeClock(NOW)).fire() for db in pair))
        found = await fired(pair[0])
        assert len(found) == len(set(found)) == 300

    async def test_one_dies_at_the_firing(self, pair: tuple[Database, Database]) -> None:
        """R-SC-2: what a worker was about to fire when its transaction broke is fired by another, once."""
        made = await add(pair[0], reminder(NOW))

        def breaks(connection: Connection) -> None:
            assert fire_due(connection, UTC, 20.0, NOW) == 1
            raise RuntimeError("before the commit")

        with pytest.raises(RuntimeError):
            await pair[0].write(breaks)
        await clockwork(pair[1], FakeClock(NOW)).fire()
        assert await fired(pair[0]) == [(made.id, NOW)]

    async def test_no_busy_wait(self, pair: tuple[Database, Database]) -> None:
        """R-SC-3: while another worker is about to fire what is due, this one sleeps a little."""
        await add(pair[0], reminder(NOW))
        held, release, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

        def hold(connection: Connection) -> None:
            assert fire_due(connection, UTC, 20.0, NOW) == 1
            loop.call_soon_threadsafe(held.set)
            assert release.wait(10)

        holding = asyncio.create_task(pair[1].write(hold))
        await held.wait()
        assert await clockwork(pair[0], FakeClock(NOW)).fire() == SHORT_NAP
        release.set()
        await holding
        assert len(await fired(pair[0])) == 1
