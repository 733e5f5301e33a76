"""Runs jobs: claims what is due, hands it to its handler, ends it, and survives whatever happens on the way."""

import asyncio
import math
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import structlog
from sqlalchemy import Connection

from lar.domain.ids import JobId
from lar.domain.job import Job
from lar.domain.values import Clock
from lar.engine.context import Context, surely
from lar.engine.contract import Done, Handler, Outcome
from lar.engine.settings import EngineSettings
from lar.errors import Fenced, StoreError
from lar.store import jobs, workers
from lar.store.backend import ANY
from lar.store.database import Database

_log = structlog.get_logger(__name__)

_PAUSE = 1.0
"""Seconds before a loop goes on after the database failed it."""

_JUMP = 5.0
"""Seconds by which a clock is set back that count as a jump."""


class Engine:
    """The jobs of some kinds, run by this process.

    Several processes may run engines on one PostgreSQL database; a SQLite database has one engine.
    """

    def __init__(self, db: Database, handlers: Mapping[str, Handler], settings: EngineSettings, clock: Clock) -> None:
        self._db = db
        self._handlers = handlers
        self._kinds = tuple(handlers)
        self._settings = settings
        self._clock = clock
        self._worker_id = 0
        self._tasks: dict[JobId, asyncio.Task[None]] = {}
        self._saturated = False
        self._missing: set[JobId] = set()
        self._offset = -math.inf
        self._wake = asyncio.Event()
        self._look = asyncio.Event()

    async def run(self) -> None:
        """Run jobs until cancelled. Then the handlers are cancelled, and their jobs can be resumed at once."""
        unsubscribe = [
            self._db.subscribe("jobs", lambda _payload: self._wake.set()),
            self._db.subscribe("cancel", self._on_cancel),
        ]
        try:
            await self._enlist()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._claim_forever())
                if self._db.dialect == "postgresql":
                    group.create_task(self._beat_forever())
        finally:
            for stop in unsubscribe:
                stop()
            await self._retire()

    async def _enlist(self) -> None:
        name = f"{socket.gethostname()}:{os.getpid()}"
        lease = self._settings.lease
        self._worker_id = await surely(self._db.write, workers.register, name=name, now=self._clock(), lease=lease)
        freed = await surely(self._db.write, workers.reap, self._worker_id)
        if freed:
            _log.info("took over the jobs of a dead worker", jobs=len(freed))

    async def _retire(self) -> None:
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StoreError):  # the next start takes them over, as after a crash
            await self._db.settle()
            await self._db.write(workers.retire, self._worker_id)

    # ---- claiming

    async def _claim_forever(self) -> None:
        while True:
            self._wake.clear()
            try:
                seconds = await self._claim()
            except Exception as error:  # noqa: BLE001  # the loop outlives whatever the database says
                _log.warning("cannot claim jobs, trying again", error=str(error), exc_info=_unless_store(error))
                seconds = _PAUSE
            await _sleep(self._wake, seconds)

    async def _claim(self) -> float:
        """Start what is due and fits; returns how long to sleep, in seconds, unless woken."""
        free = self._settings.max_concurrent - len(self._tasks)
        if free <= 0:
            return self._settings.nap
        now = await self._read_clock()
        claimed, next_run_at = await self._db.write(_claim, self._worker_id, free, now, self._kinds)
        for job in claimed:
            task = asyncio.create_task(self._work(job), name=f"job {job.id}")
            self._tasks[job.id] = task
            task.add_done_callback(partial(self._on_end, job.id))
        self._saturated = len(claimed) == free
        if self._saturated and len(self._tasks) < self._settings.max_concurrent:
            return 0.0
        if next_run_at is None:
            return self._settings.nap
        return min(max(next_run_at - self._clock(), 0.0), self._settings.nap)

    async def _read_clock(self) -> float:
        """The time. If it was set back, what waits for a time is moved with it; on PostgreSQL it is only our clock."""
        now = self._clock()
        offset = now - asyncio.get_running_loop().time()
        jump, self._offset = self._offset - offset, offset
        if jump > _JUMP and self._db.dialect == "sqlite":
            _log.warning("the clock was set back", seconds=round(jump))
            await self._db.write(jobs.set_back, jump, now)
        return now

    def _on_end(self, job_id: JobId, task: asyncio.Task[None]) -> None:
        if self._tasks.get(job_id) is task:
            del self._tasks[job_id]
        if self._saturated:
            self._wake.set()

    # ---- one job

    async def _work(self, job: Job) -> None:
        handler = self._handlers[job.kind]
        try:
            if job.crashes >= self._settings.max_crashes:
                await self._give_up(handler, job, f"the process crashed {job.crashes} times while running this job")
                return
            context = Context(self._db, job, self._clock)
            await context.open()
            outcome = await handler.run(context)
            await surely(self._db.write, _end, job, outcome, self._clock())
        except Fenced:
            _log.info("dropped what a cancelled or lost job still wanted to write", job=job.id)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            _log.warning("a job's handler let a cancellation of its own escape", job=job.id, kind=job.kind)
            await self._after_failure(handler, job, "CancelledError: something the handler waited for was cancelled")
        except Exception as error:  # noqa: BLE001  # the owner of a job: recorded, and tried again
            _log.exception("a job's handler failed", job=job.id, kind=job.kind)
            await self._after_failure(handler, job, f"{type(error).__name__}: {error}")

    async def _after_failure(self, handler: Handler, job: Job, error: str) -> None:
        if job.failures + 1 >= self._settings.max_failures:
            await self._give_up(handler, job, error)
            return
        delay = min(self._settings.retry_after * 2**job.failures, self._settings.retry_at_most)
        with suppress(Fenced):
            await surely(self._db.write, jobs.fail, job.id, job.epoch, error=error, run_at=self._clock() + delay)

    async def _give_up(self, handler: Handler, job: Job, error: str) -> None:
        now = self._clock()
        with suppress(Fenced):
            try:
                await surely(self._db.write, _give_up, handler, job, error, now)
            except Fenced:
                raise
            except Exception:  # noqa: BLE001  # the owner of a job: recorded, and ended without the handler
                _log.exception("a handler could not even give up", job=job.id, kind=job.kind)
                await surely(self._db.write, jobs.give_up, job.id, job.epoch, error=error, now=now)

    # ---- what may happen meanwhile

    def _on_cancel(self, payload: str) -> None:
        if payload == ANY:
            self._look.set()
            return
        task = self._tasks.get(JobId(int(payload)))
        if task:
            task.cancel()

    async def _beat_forever(self) -> None:
        """Renew the lease, notice what we lost, and take over from the dead."""
        while True:
            await _sleep(self._look, self._settings.lease / 3)
            self._look.clear()
            try:
                await self._beat()
            except Exception as error:  # noqa: BLE001  # the loop outlives whatever the database says
                _log.warning("cannot renew the lease, trying again", error=str(error), exc_info=_unless_store(error))

    async def _beat(self) -> None:
        running = set(self._tasks)
        alive, held = await self._db.write(_renew, self._worker_id, self._clock(), self._settings.lease)
        missing = running - held
        lost = missing & self._missing if alive else missing  # missing once, it may just have ended
        for job_id in lost & self._tasks.keys():
            _log.warning("lost a job", job=job_id)
            self._tasks[job_id].cancel()
        self._missing = missing
        if not alive:
            _log.warning("this worker was declared dead; it starts anew")
            await self._enlist()
            self._wake.set()


async def _sleep(wake: asyncio.Event, seconds: float) -> None:
    """Sleep until woken. Not `wait_for`: in Python 3.11 it swallows a cancellation that comes with the waking."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()


def _is_cancelled() -> bool:
    """Whether the running task itself was asked to stop."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _unless_store(error: Exception) -> bool:
    """Whether the log needs the traceback: a `StoreError` says all there is to know."""
    return not isinstance(error, StoreError)


def _claim(
    connection: Connection, worker_id: int, limit: int, now: float, kinds: tuple[str, ...]
) -> tuple[list[Job], float | None]:
    claimed = jobs.claim(connection, worker_id=worker_id, limit=limit, now=now, kinds=kinds)
    return claimed, jobs.next_run_at(connection, now=now, kinds=kinds)


def _end(connection: Connection, job: Job, outcome: Outcome, now: float) -> None:
    if isinstance(outcome, Done):
        jobs.finish(connection, job.id, job.epoch, now=now)
        if outcome.write is not None:
            outcome.write(connection)
    else:
        jobs.wait(connection, job.id, job.epoch, until=outcome.until)


def _give_up(connection: Connection, handler: Handler, job: Job, error: str, now: float) -> None:
    jobs.give_up(connection, job.id, job.epoch, error=error, now=now)
    handler.give_up(connection, job, error)


def _renew(connection: Connection, worker_id: int, now: float, lease: float) -> tuple[bool, set[JobId]]:
    """Renew the lease and bury the dead; returns whether we were alive, and which jobs are still ours."""
    alive = workers.beat(connection, worker_id, now=now, lease=lease)
    if alive:
        workers.reap(connection, worker_id)
    return alive, workers.held(connection, worker_id)
