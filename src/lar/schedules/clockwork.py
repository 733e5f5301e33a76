"""What makes schedules fire: whatever is due becomes a durable job, in the transaction that moves it to its next due.

A process that dies before the commit has fired nothing; one that dies after it leaves a job. Of several workers on
PostgreSQL, one gets the locked row and the others pass it by.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import tzinfo
from itertools import islice

import structlog
from sqlalchemy import Connection

from lar.domain.ids import FiringId, JobId
from lar.domain.schedule import Firing, FiringState, Missed, Schedule
from lar.domain.values import Clock
from lar.errors import ScheduleError
from lar.schedules.rules import dues, last_due, next_due, zone_of
from lar.schedules.settings import ScheduleSettings
from lar.store import jobs, lasting, schedules
from lar.store.database import Database

log = structlog.get_logger(__name__)

FIRING = "firing"
"""The kind of job that carries out a firing."""

NAP = 30.0
"""The longest sleep in seconds, so that a jump of the clock is noticed."""

SHORT_NAP = 0.05
"""The sleep in seconds while another worker is about to fire what is due."""

AT_A_TIME = 200
"""How many schedules fire in one transaction."""

COUNTED = 1000
"""How far missed firings are counted."""


class Clockwork:
    """Fires what is due, and sleeps until the next is. `house` is the zone of whoever has none of their own."""

    def __init__(self, db: Database, settings: ScheduleSettings, house: tzinfo, clock: Clock) -> None:
        self._db = db
        self._settings = settings
        self._house = house
        self._clock = clock

    async def run(self) -> None:
        """Fire until cancelled."""
        woken = asyncio.Event()
        unsubscribe = self._db.subscribe(schedules.TOPIC, lambda _: woken.set())
        try:
            while True:
                woken.clear()
                seconds = await self.fire()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await woken.wait()
        finally:
            unsubscribe()

    async def fire(self) -> float:
        """Fire all that is due; returns how long nothing more is, in seconds."""
        fired: int | None = 1
        while fired:
            fired = await self._db.write(fire_due, self._house, self._settings.late_seconds, self._clock())
        due = await self._db.read(schedules.next_due)
        if due is None or fired is None:
            return NAP
        seconds = due - self._clock()
        return min(seconds, NAP) if seconds > 0 else SHORT_NAP


def fire_due(connection: Connection, house: tzinfo, late_seconds: float, now: float) -> int | None:
    """Fire up to `AT_A_TIME` schedules that are due; how many. None: everything is stopped, and nothing fires."""
    if lasting.load(connection, jobs.HALT) is not None:
        return None
    found = schedules.due(connection, now, AT_A_TIME)
    for due in found:
        try:
            _fire(connection, due.schedule, zone_of(due.zone) if due.zone else house, late_seconds, now)
        except ScheduleError as error:  # its zone is gone from the time zone database
            log.warning("a schedule cannot go on", schedule=due.schedule.id, error=str(error))
            schedules.cancel(connection, due.schedule.id)
            at = due.schedule.next_due or now
            failed = Firing(FiringId(0), due.schedule.id, at, FiringState.FAILED, note=str(error), fired_at=now)
            schedules.add_firing(connection, replace(failed, ended_at=now))
    return len(found)


def _fire(connection: Connection, due: Schedule, zone: tzinfo, late_seconds: float, now: float) -> None:
    first = due.next_due if due.next_due is not None else now
    last, count, following = _passed(due, zone, first, now)
    late = now - last > late_seconds
    skipped = late and due.missed is Missed.SKIP
    left = None if due.left is None else due.left - count
    fired = Firing(
        FiringId(0),
        due.id,
        last,
        FiringState.SKIPPED if skipped else FiringState.QUEUED,
        late=late,
        missed=count - 1,
        fired_at=now,
        ended_at=now if skipped else None,
    )
    if not skipped:
        fired = replace(fired, job_id=_enqueue(connection, due, last, now))
    schedules.add_firing(connection, fired)
    misses = count if skipped else count - 1
    following = None if left == 0 else following
    schedules.advance(connection, due, following, left=left, fires=int(not skipped), misses=misses, now=now)


def _passed(due: Schedule, zone: tzinfo, first: float, now: float) -> tuple[float, int, float | None]:
    """The due that is fired, how many it stands for (counted up to `COUNTED`), and the one that comes after them."""
    timing = due.timing
    second = next_due(timing, zone, first)
    if second is None or second > now or due.missed is Missed.ALL or due.left == 1:
        return first, 1, second
    if due.left is not None:
        passed = [first, *islice(dues(timing, zone, first, now), due.left - 1)]
        return passed[-1], len(passed), next_due(timing, zone, passed[-1])
    last = last_due(timing, zone, first, now)
    count = 1 + sum(1 for _ in islice(dues(timing, zone, first, last), COUNTED))
    return last, count, next_due(timing, zone, last)


def _enqueue(connection: Connection, due: Schedule, at: float, now: float) -> JobId:
    """Queue what carries it out. Jitter is settled here, once: a job keeps its time over restarts."""
    run_at = now + random.uniform(0, due.jitter) if due.jitter else None  # noqa: S311  # spreads load, keeps no secret
    return jobs.enqueue(
        connection,
        kind=FIRING,
        lane=f"schedule:{due.id}",
        payload={"schedule": due.id, "due": at},
        now=now,
        run_at=run_at,
    )
