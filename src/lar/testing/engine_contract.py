"""What the engine promises to handlers, on every database.

Subclass, and give the fixture `db`: an open, empty `Database`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from lar.domain.ids import JobId
from lar.domain.job import Job, JobState, Step, StepState
from lar.domain.values import Clock, JsonObject
from lar.engine.contract import Done, Handler, JobContext, Outcome, Wait
from lar.engine.engine import Engine
from lar.engine.settings import EngineSettings
from lar.errors import Fenced, OutcomeUnknown, StoreError
from lar.store import jobs, signals, steps
from lar.store.backend import ANY
from lar.store.database import Database, notify
from lar.store.schema import job, principal, worker
from lar.testing.clock import FakeClock

P = ParamSpec("P")
T = TypeVar("T")

KIND = "work"
PATIENCE = 30.0

Script = Callable[[JobContext], Awaitable[Outcome]]


class Scripted:
    """A handler that does what a test says, and remembers what it gave up."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.given_up: list[tuple[JobId, str]] = []

    async def run(self, context: JobContext) -> Outcome:
        """Follow the script."""
        return await self.script(context)

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """Leave a trace in the database, and in the test."""
        connection.execute(insert(principal).values(name=error, role="user", created_at=0))
        self.given_up.append((job.id, error))


class Flaky:
    """A database whose next writes fail, as on a full disk. Stands in for `Database` where the engine looks."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.dialect = db.dialect
        self.read = db.read
        self.subscribe = db.subscribe
        self.settle = db.settle
        self.broken: set[str] = set()
        self.refused = asyncio.Event()

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Refuse the functions named in `broken`."""
        if fn.__name__ in self.broken:
            self.refused.set()
            raise StoreError("the disk is full")
        return await self._db.write(fn, *args, **kwargs)


def settings(**changes: float) -> EngineSettings:
    """Settings without pauses."""
    return EngineSettings.model_validate({"retry_after": 0, "lease": 0.6, **changes})


@asynccontextmanager
async def running(
    db: Database, handlers: Mapping[str, Handler], clock: Clock = time.time, **changes: float
) -> AsyncGenerator[Engine]:
    """An engine that runs while the block does, and is then stopped in good order."""
    engine = Engine(db, handlers, settings(**changes), clock)
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def enqueue(db: Database, lane: str = "lane", *, run_at: float | None = None) -> JobId:
    """Add a job of our kind."""
    return await db.write(jobs.enqueue, kind=KIND, lane=lane, payload={}, now=time.time(), run_at=run_at)


async def until(db: Database, job_id: JobId, *states: JobState) -> Job:
    """The job, once it is in one of these states."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await db.read(jobs.get, job_id)
            if found and found.state in states:
                return found
            await asyncio.sleep(0.005)


async def soon(event: asyncio.Event) -> None:
    """Wait for an event that is bound to come."""
    async with asyncio.timeout(PATIENCE):
        await event.wait()


def act(log: list[str], what: str, *, fail: Exception | None = None) -> Callable[[], Awaitable[JsonObject]]:
    """An effect that is counted."""

    async def effect() -> JsonObject:
        await asyncio.sleep(0)
        log.append(what)
        if fail:
            raise fail
        return {"did": what}

    return effect


class EngineContract:
    """Durable work: in order, once, resumable, and never stuck."""

    async def test_jobs_of_a_lane_run_in_order_and_lanes_beside_each_other(self, db: Database) -> None:
        """Within a lane one after the other, across lanes at the same time."""
        order: list[JobId] = []
        together = asyncio.Barrier(3)

        async def script(context: JobContext) -> Outcome:
            await together.wait()
            order.append(context.job.id)
            return Done()

        async with running(db, {KIND: Scripted(script)}):
            added = [await enqueue(db, lane) for lane in ("a", "b", "c") * 3]
            for job_id in added:
                await until(db, job_id, JobState.DONE)
        assert [sorted(order[n : n + 3]) for n in (0, 3, 6)] == [added[0:3], added[3:6], added[6:9]]

    async def test_no_more_run_at_once_than_allowed(self, db: Database) -> None:
        """The limit holds, and a free place is filled."""
        now, most = 0, 0

        async def script(_context: JobContext) -> Outcome:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= 1
            return Done()

        added = [await enqueue(db, f"lane {n}") for n in range(12)]
        async with running(db, {KIND: Scripted(script)}, max_concurrent=3):
            for job_id in added:
                await until(db, job_id, JobState.DONE)
        assert most == 3

    async def test_a_job_runs_at_its_time(self, db: Database) -> None:
        """What lies ahead is slept towards, not polled for; what is woken early is due early."""

        async def script(_context: JobContext) -> Outcome:
            return Done()

        async with running(db, {KIND: Scripted(script)}):
            job_id = await enqueue(db, run_at=time.time() + 0.05)
            await until(db, job_id, JobState.DONE)
            later = await enqueue(db, run_at=time.time() + 3600)
            await db.write(jobs.postpone, later, time.time())
            await until(db, later, JobState.DONE)

    async def test_the_outcome_is_written_with_the_end(self, db: Database) -> None:
        """What a job gives and that it is done are one transaction; if it cannot be written, the job is not done."""
        tries = 0

        def write(connection: Connection) -> None:
            nonlocal tries
            tries += 1
            connection.execute(insert(principal).values(name=f"try {tries}", role="user", created_at=0))
            if tries == 1:
                raise ValueError("no")

        async def script(_context: JobContext) -> Outcome:
            return Done(write)

        async with running(db, {KIND: Scripted(script)}):
            ended = await until(db, await enqueue(db), JobState.DONE)
        assert ended.failures == 1
        assert await db.read(lambda c: c.execute(select(principal.c.name)).scalars().all()) == ["try 2"]

    async def test_a_failing_handler_is_retried_and_then_given_up(self, db: Database) -> None:
        """Three failures, then the handler says goodbye in the very transaction that ends the job."""

        async def script(_context: JobContext) -> Outcome:
            raise ValueError("broken")

        handler = Scripted(script)
        async with running(db, {KIND: handler}):
            job_id = await enqueue(db)
            ended = await until(db, job_id, JobState.FAILED)
        assert (ended.failures, ended.error) == (3, "ValueError: broken")
        assert handler.given_up == [(job_id, "ValueError: broken")]
        assert await db.read(lambda c: c.execute(select(principal.c.name)).scalars().all()) == ["ValueError: broken"]

    async def test_a_handler_that_cannot_even_give_up_blocks_nothing(self, db: Database) -> None:
        """The lane goes on whatever is wrong with one job's handler."""

        class Hopeless(Scripted):
            def give_up(self, connection: Connection, job: Job, error: str) -> None:
                super().give_up(connection, job, error)
                raise RuntimeError

        async def script(context: JobContext) -> Outcome:
            if context.job.id == first:
                raise ValueError
            return Done()

        first, second = await enqueue(db), await enqueue(db)
        async with running(db, {KIND: Hopeless(script)}, max_failures=1):
            await until(db, first, JobState.FAILED)
            await until(db, second, JobState.DONE)
        assert await db.read(lambda c: c.execute(select(principal.c.name)).scalars().all()) == []

    async def test_a_job_that_kills_its_process_is_given_up(self, db: Database) -> None:
        """A poison job does not take the process down for ever."""

        async def script(_context: JobContext) -> Outcome:
            raise AssertionError("must not run")

        job_id = await enqueue(db)
        await db.write(lambda c: c.execute(update(job).values(crashes=10)).close())
        handler = Scripted(script)
        async with running(db, {KIND: handler}):
            await until(db, job_id, JobState.FAILED)
        assert "crashed 10 times" in handler.given_up[0][1]

    async def test_cancel_stops_the_task_and_frees_the_lane(self, db: Database) -> None:
        """Silence at once: the handler is interrupted, the next job of the lane starts."""
        started, stopped = asyncio.Event(), asyncio.Event()

        async def script(context: JobContext) -> Outcome:
            if context.job.id != first:
                return Done()
            started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                stopped.set()
            return Done()

        first, second = await enqueue(db), await enqueue(db)
        async with running(db, {KIND: Scripted(script)}):
            await soon(started)
            await db.write(jobs.cancel, [first], time.time())
            await soon(stopped)
            await until(db, second, JobState.DONE)
        assert (await until(db, first, JobState.CANCELLED)).epoch == 2

    async def test_a_zombie_writes_nothing(self, db: Database) -> None:
        """A handler that will not stop after a cancel is refused everything it wants to keep."""
        refused: list[str] = []
        started, over = asyncio.Event(), asyncio.Event()

        def write(connection: Connection) -> None:
            connection.execute(insert(principal).values(name="zombie", role="user", created_at=0))

        async def script(context: JobContext) -> Outcome:
            started.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                for name, attempt in (
                    ("write", lambda: context.write(write)),
                    ("step", lambda: context.step("k", "tool", {}, act([], "x"), repeatable=True)),
                    ("signals", lambda: context.take_signals("answer")),
                ):
                    try:
                        await attempt()
                    except Fenced:
                        refused.append(name)
            over.set()
            return Done(write)

        async with running(db, {KIND: Scripted(script)}):
            job_id = await enqueue(db)
            await soon(started)
            await db.write(jobs.cancel, [job_id], time.time())
            await soon(over)
        assert refused == ["write", "step", "signals"]
        assert await db.read(lambda c: c.execute(select(principal.c.name)).scalars().all()) == []
        assert (await until(db, job_id, JobState.CANCELLED)).state is JobState.CANCELLED

    async def test_a_waiting_job_goes_on_with_its_signal(self, db: Database) -> None:
        """It waits without a task, and finds its journal and its answer."""
        log: list[str] = []

        async def script(context: JobContext) -> Outcome:
            await context.step("ask", "tool", {}, act(log, "asked"), repeatable=False)
            answers = await context.take_signals("answer")
            log.extend(str(each["text"]) for each in answers)
            return Done() if answers else Wait()

        async with running(db, {KIND: Scripted(script)}):
            job_id = await enqueue(db)
            await until(db, job_id, JobState.WAITING)
            await db.write(signals.send, job_id, "answer", {"text": "yes"}, time.time())
            await until(db, job_id, JobState.DONE)
        assert log == ["asked", "yes"]

    async def test_a_wait_ends_at_its_deadline(self, db: Database) -> None:
        """Nobody answers: the handler runs again when the time has come."""

        async def script(context: JobContext) -> Outcome:
            return Done() if context.job.epoch > 1 else Wait(until=time.time() + 0.05)

        async with running(db, {KIND: Scripted(script)}):
            await until(db, await enqueue(db), JobState.DONE)

    async def test_a_step_is_done_once(self, db: Database) -> None:
        """A step that is done gives its recorded output, in the same run and after a restart."""
        log: list[str] = []
        outputs: list[JsonObject] = []
        paused = asyncio.Event()

        async def script(context: JobContext) -> Outcome:
            outputs.extend(
                [
                    await context.step(key, "tool", {"k": key}, act(log, key), repeatable=False)
                    for key in ("a", "a", "b")
                ]
            )
            if context.job.epoch == 1:
                paused.set()
                await asyncio.sleep(3600)
            return Done()

        job_id = await enqueue(db)
        async with running(db, {KIND: Scripted(script)}):
            await soon(paused)
        async with running(db, {KIND: Scripted(script)}):
            ended = await until(db, job_id, JobState.DONE)
        assert log == ["a", "b"]
        assert outputs == [{"did": key} for key in "aabaab"]
        assert (ended.crashes, ended.failures) == (0, 0)
        kept = await db.read(steps.of_job, job_id)
        assert [(each.key, each.state, each.input) for each in kept] == [
            ("a", StepState.DONE, {"k": "a"}),
            ("b", StepState.DONE, {"k": "b"}),
        ]

    async def test_an_interrupted_step_is_repeated_only_if_it_may_be(self, db: Database) -> None:
        """After a crash in the middle: what may be repeated is, what may not is unknown, now and ever after."""
        log: list[str] = []

        async def script(context: JobContext) -> Outcome:
            await context.step("safe", "tool", {}, act(log, "safe"), repeatable=True)
            for _ in range(2):
                with pytest.raises(OutcomeUnknown):
                    await context.step("unsafe", "tool", {}, act(log, "unsafe"), repeatable=False)
            return Done()

        job_id = await enqueue(db)
        await self._crash_with_started_steps(db, job_id, "safe", "unsafe")
        async with running(db, {KIND: Scripted(script)}):
            await until(db, job_id, JobState.DONE)
        assert log == ["safe"]
        kept = await db.read(steps.of_job, job_id)
        assert [(each.key, each.state, each.attempts) for each in kept] == [
            ("safe", StepState.DONE, 2),
            ("unsafe", StepState.UNKNOWN, 1),
        ]

    async def test_a_step_that_raises(self, db: Database) -> None:
        """It is acted again where that is safe, counted, and is unknown where it is not."""
        log: list[str] = []
        broken = ValueError("broken")

        async def script(context: JobContext) -> Outcome:
            for repeatable, key in ((True, "safe"), (False, "unsafe")):
                with pytest.raises(ValueError, match="broken"):
                    await context.step(key, "tool", {}, act(log, key, fail=broken), repeatable=repeatable)
            await context.step("safe", "tool", {}, act(log, "safe again"), repeatable=True)
            with pytest.raises(OutcomeUnknown):
                await context.step("unsafe", "tool", {}, act(log, "unsafe again"), repeatable=False)
            return Done()

        job_id = await enqueue(db)
        async with running(db, {KIND: Scripted(script)}):
            await until(db, job_id, JobState.DONE)
        assert log == ["safe", "unsafe", "safe again"]
        kept = await db.read(steps.of_job, job_id)
        assert {each.key: each.attempts for each in kept} == {"safe": 2, "unsafe": 1}

    async def test_what_was_done_is_recorded_although_the_disk_was_full(self, db: Database) -> None:
        """An effect that happened is not forgotten because the database was away: it is recorded when it is back."""
        flaky = Flaky(db)
        log: list[str] = []

        async def script(context: JobContext) -> Outcome:
            await context.step("k", "tool", {}, act(log, "once"), repeatable=False)
            return Done()

        for broken in ("finish", "_end", "_claim"):
            flaky.broken = {broken}
            flaky.refused.clear()
            async with running(flaky, {KIND: Scripted(script)}):  # pyright: ignore[reportArgumentType]  # stands in for it
                job_id = await enqueue(db)
                await soon(flaky.refused)
                flaky.broken = set()
                await until(db, job_id, JobState.DONE)
        assert log == ["once"] * 3

    async def test_the_clock_may_be_set_back(self, db: Database) -> None:
        """An hour back: what is due runs now, and a short delay stays short (PostgreSQL has many clocks)."""
        clock = FakeClock(time.time())

        async def script(_context: JobContext) -> Outcome:
            return Done()

        async with running(db, {KIND: Scripted(script)}, clock):
            await until(db, await enqueue(db), JobState.DONE)
            delayed = await db.write(
                jobs.enqueue, kind=KIND, lane="delayed", payload={}, now=clock(), run_at=clock() + 2
            )
            clock.set(clock() - 3600)
            await until(db, await enqueue(db), JobState.DONE)
            if db.dialect == "sqlite":
                found = await until(db, delayed, JobState.QUEUED)
                assert found.run_at == pytest.approx(clock() + 2, abs=0.5)

    async def test_a_full_house_takes_the_next_when_a_place_is_free(self, db: Database) -> None:
        """A job that comes while every place is taken starts as soon as one is left."""
        started, leave = asyncio.Event(), asyncio.Event()

        async def script(_context: JobContext) -> Outcome:
            started.set()
            await leave.wait()
            return Done()

        async with running(db, {KIND: Scripted(script)}, max_concurrent=1):
            first = await enqueue(db, "a")
            await soon(started)
            second = await enqueue(db, "b")
            await db.write(notify, "jobs")
            await asyncio.sleep(0)
            leave.set()
            await until(db, first, JobState.DONE)
            await until(db, second, JobState.DONE)

    async def test_a_cancelled_job_that_fails_stays_cancelled(self, db: Database) -> None:
        """A failure after the cancel is neither a retry nor a reason to give up."""
        seen: list[str] = []

        async def script(context: JobContext) -> Outcome:
            try:
                await db.write(jobs.cancel, [context.job.id], time.time())
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                seen.append("cancelled")
            if context.job.lane == "fails":
                raise ValueError
            await context.write(jobs.count_open, KIND)
            raise AssertionError("the fence was down")

        handler = Scripted(script)
        async with running(db, {KIND: handler}, max_failures=1):
            for lane in ("fails", "writes"):
                job_id = await enqueue(db, lane)
                await until(db, job_id, JobState.CANCELLED)
                later = await enqueue(db, lane + " later")
                await until(db, later, JobState.CANCELLED)
        assert set(seen) == {"cancelled"}
        assert handler.given_up == []

    async def test_a_stray_cancellation_is_a_failure(self, db: Database) -> None:
        """A handler that waited for something cancelled does not leave its job running for ever.

        Nor does a cancel of somebody else's job matter here.
        """

        async def script(_context: JobContext) -> Outcome:
            raise asyncio.CancelledError

        async with running(db, {KIND: Scripted(script)}):
            await db.write(notify, "cancel", "999")
            ended = await until(db, await enqueue(db), JobState.FAILED)
        assert ended.error.startswith("CancelledError")

    async def test_the_loops_outlive_a_broken_database(self, db: Database) -> None:
        """Neither claiming nor the sign of life stops for good because the database failed once."""
        flaky = Flaky(db)

        async def script(_context: JobContext) -> Outcome:
            return Done()

        async with running(flaky, {KIND: Scripted(script)}):  # pyright: ignore[reportArgumentType]  # stands in for it
            for name in ("_renew", "_claim") if db.dialect == "postgresql" else ("_claim",):
                flaky.broken = {name}
                flaky.refused.clear()
                job_id = await enqueue(db)
                await soon(flaky.refused)
                flaky.broken = set()
                await until(db, job_id, JobState.DONE)

    async def test_a_cancel_nobody_heard_of_is_noticed(self, db: Database) -> None:
        """A lost notice is made up for by the next sign of life (one process hears its own notices)."""
        if db.dialect == "sqlite":
            return
        started, stopped = asyncio.Event(), asyncio.Event()

        async def script(_context: JobContext) -> Outcome:
            started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                stopped.set()
            return Done()

        silently = update(job).values(state=JobState.CANCELLED.value, epoch=9)
        async with running(db, {KIND: Scripted(script)}):
            await enqueue(db)
            await soon(started)
            await db.write(lambda c: c.execute(silently).close())
            await db.write(notify, "cancel", ANY)
            await soon(stopped)

    async def test_a_dead_worker_is_replaced(self, db: Database) -> None:
        """The jobs of a process that died are resumed by another, counted as a crash."""

        async def script(_context: JobContext) -> Outcome:
            return Done()

        job_id = await enqueue(db)
        await self._crash_with_started_steps(db, job_id)
        async with running(db, {KIND: Scripted(script)}):
            ended = await until(db, job_id, JobState.DONE)
        assert ended.crashes == 1

    async def test_a_worker_that_was_declared_dead_starts_anew(self, db: Database) -> None:
        """After a long pause of the machine its jobs are somebody else's: it stops them, and goes on as a new one."""
        if db.dialect == "sqlite":
            return  # nobody else can declare us dead: the file is ours
        started, stopped = asyncio.Event(), asyncio.Event()

        async def script(context: JobContext) -> Outcome:
            if context.job.epoch > 1:
                return Done()
            started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                stopped.set()
            return Done()

        def bury(connection: Connection) -> None:
            connection.execute(update(job).values(state=JobState.QUEUED.value, worker_id=None))
            connection.execute(delete(worker))

        job_id = await enqueue(db)
        async with running(db, {KIND: Scripted(script)}):
            await soon(started)
            await db.write(bury)
            await soon(stopped)
            await until(db, job_id, JobState.DONE)
            await until(db, await enqueue(db, "other"), JobState.DONE, JobState.RUNNING)

    async def _crash_with_started_steps(self, db: Database, job_id: JobId, *keys: str) -> None:
        """Leave a job as a killed process leaves it: running, its steps started, its worker dead."""

        def crash(connection: Connection) -> None:
            values = {"name": "dead", "started_at": 0, "lease_until": 1}
            dead = connection.execute(insert(worker).returning(worker.c.id), values).scalar_one()
            (claimed,) = jobs.claim(connection, worker_id=dead, limit=1, now=time.time(), kinds=[KIND])
            for seq, key in enumerate(keys):
                steps.start(connection, Step(claimed.id, key, "tool", StepState.STARTED, {}, None, 1, 0.0), seq=seq)

        await db.write(crash)
        await until(db, job_id, JobState.RUNNING)
