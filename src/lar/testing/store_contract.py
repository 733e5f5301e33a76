"""What every database must promise. Subclass, and give the fixture `db`: an open, empty `Database`."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, insert, select, update

from lar.domain.ids import JobId
from lar.domain.job import Job, JobState, Step, StepState
from lar.errors import Fenced
from lar.store import jobs, signals, steps, workers
from lar.store.database import Database, notify
from lar.store.schema import job, principal, worker

NOW = 1_700_000_000.0
KIND = "work"


async def enqueue(
    db: Database, lane: str, *, priority: int = 0, run_at: float | None = None, dedup_key: str | None = None
) -> JobId:
    """Add a job of our kind."""
    return await db.write(
        jobs.enqueue, kind=KIND, lane=lane, payload={}, now=NOW, priority=priority, run_at=run_at, dedup_key=dedup_key
    )


async def claim(db: Database, *, worker_id: int = 1, limit: int = 100, now: float = NOW) -> list[Job]:
    """Claim jobs of our kind."""
    return await db.write(jobs.claim, worker_id=worker_id, limit=limit, now=now, kinds=[KIND])


async def state_of(db: Database, job_id: JobId) -> JobState | None:
    """Where a job is in its life."""
    found = await db.read(jobs.get, job_id)
    return found.state if found else None


def ids(found: Sequence[Job]) -> list[JobId]:
    """The ids of some jobs."""
    return [each.id for each in found]


class DatabaseContract:
    """Units of SQL: all or nothing, answered after the commit, and heard of everywhere."""

    async def test_a_failing_unit_keeps_nothing_and_hurts_no_other(self, db: Database) -> None:
        """Units that share a commit stand or fall alone."""

        def add(connection: Connection, name: str, *, fail: bool) -> str:
            connection.execute(insert(principal).values(name=name, role="user", created_at=NOW))
            if fail:
                raise ValueError(name)
            return name

        results = await asyncio.gather(
            *(db.write(add, str(n), fail=n % 3 == 0) for n in range(20)), return_exceptions=True
        )
        assert [isinstance(result, ValueError) for result in results] == [n % 3 == 0 for n in range(20)]
        kept = await db.read(lambda c: c.execute(select(principal.c.name)).scalars().all())
        assert sorted(kept, key=int) == [str(n) for n in range(20) if n % 3]

    async def test_a_cancelled_waiter_does_not_cancel_its_write(self, db: Database) -> None:
        """Whoever gives up waiting does not undo what was handed in."""

        def add(connection: Connection) -> None:
            connection.execute(insert(principal).values(name="kept", role="user", created_at=NOW))

        waiters = [asyncio.create_task(db.write(add)) for _ in range(30)]
        await asyncio.sleep(0)
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        await db.settle()
        kept = await db.read(lambda c: c.execute(select(principal.c.name)).scalars().all())
        assert len(kept) == 30

    async def test_a_reader_sees_every_answered_write(self, db: Database) -> None:
        """Read your writes: whoever was answered finds it there."""
        for _ in range(5):
            job_id = await enqueue(db, "lane")
            assert await state_of(db, job_id) is JobState.QUEUED

    async def test_notices_come_after_the_commit_and_not_without_it(self, db: Database) -> None:
        """Nobody is told of what was rolled back; everybody is told of what was not, once per payload."""
        heard: list[str] = []
        arrived = asyncio.Event()

        def listen(payload: str) -> None:
            heard.append(payload)
            if payload == "last":
                arrived.set()

        def tell(connection: Connection, *payloads: str, fail: bool = False) -> None:
            for payload in payloads:
                notify(connection, "topic", payload)
            if fail:
                raise ValueError

        stop = db.subscribe("topic", listen)
        await asyncio.gather(
            db.write(tell, "a", "a", "b"),
            db.write(tell, "never", fail=True),
            db.write(tell, "c"),
            return_exceptions=True,
        )
        await db.write(tell, "last")
        await asyncio.wait_for(arrived.wait(), 10)
        assert sorted(heard) == ["a", "b", "c", "last"]
        stop()
        await db.write(tell, "after")
        assert "after" not in heard

    async def test_a_failing_subscriber_keeps_nothing_from_the_others(self, db: Database) -> None:
        """One broken listener is recorded, not contagious."""
        heard = asyncio.Event()

        def broken(_payload: str) -> None:
            raise ValueError

        db.subscribe("topic", broken)
        db.subscribe("topic", lambda _payload: heard.set())
        await db.write(notify, "topic")
        await asyncio.wait_for(heard.wait(), 10)


class JobsContract:
    """Jobs in lanes: order, exclusion, fencing, signals, timers, dead workers."""

    async def test_a_lane_runs_one_job_at_a_time_in_order(self, db: Database) -> None:
        """The head of a lane runs; the next one starts when it has ended."""
        first, second, other = await enqueue(db, "a"), await enqueue(db, "a"), await enqueue(db, "b")
        claimed = await claim(db)
        assert ids(claimed) == [first, other]
        assert claimed[0].state is JobState.RUNNING
        assert await claim(db) == []
        await db.write(jobs.finish, first, 1, now=NOW)
        assert ids(await claim(db)) == [second]
        assert await state_of(db, first) is JobState.DONE

    async def test_priority_goes_first(self, db: Database) -> None:
        """A higher priority overtakes in its lane and across lanes, and the limit counts."""
        await enqueue(db, "a")
        urgent, other = await enqueue(db, "a", priority=5), await enqueue(db, "b", priority=1)
        assert ids(await claim(db, limit=1)) == [urgent]
        assert ids(await claim(db)) == [other]

    async def test_nothing_overtakes_the_head_of_a_lane(self, db: Database) -> None:
        """A head that is not due yet holds its lane: order is order."""
        head = await enqueue(db, "a", run_at=NOW + 60)
        await enqueue(db, "a")
        assert await claim(db) == []
        assert await db.read(jobs.next_run_at, now=NOW, kinds=[KIND]) == NOW + 60
        assert ids(await claim(db, now=NOW + 60)) == [head]

    async def test_only_our_kinds_are_claimed(self, db: Database) -> None:
        """A worker takes only what it has a handler for."""
        await enqueue(db, "a")
        assert await db.write(jobs.claim, worker_id=1, limit=9, now=NOW, kinds=["other"]) == []
        assert await db.read(jobs.count_open, KIND) == 1
        assert await db.read(jobs.count_open, "other") == 0

    async def test_a_known_dedup_key_adds_nothing(self, db: Database) -> None:
        """Asking twice for the same work gives it once, also at the same moment and after it was done."""
        found = await asyncio.gather(*(enqueue(db, "a", dedup_key="key") for _ in range(8)))
        assert len(set(found)) == 1
        (claimed,) = await claim(db)
        await db.write(jobs.finish, claimed.id, claimed.epoch, now=NOW)
        assert await enqueue(db, "a", dedup_key="key") == found[0]
        assert await claim(db) == []

    async def test_concurrent_claims_share_nothing(self, db: Database) -> None:
        """Many workers asking at once get each job once, and never two of a lane."""
        for n in range(40):
            await enqueue(db, f"lane {n % 10}")
        claims = await asyncio.gather(*(claim(db, worker_id=n, limit=3) for n in range(8)))
        claimed = [each for found in claims for each in found]
        assert len(set(ids(claimed))) == len(claimed)
        assert len({each.lane for each in claimed}) == len(claimed)

    async def test_a_cancelled_job_frees_its_lane_and_fences_its_worker(self, db: Database) -> None:
        """After a cancel the next job starts at once, and nothing the old run writes is kept."""
        first, second = await enqueue(db, "a"), await enqueue(db, "a")
        (running,) = await claim(db)
        told: list[str] = []
        heard = asyncio.Event()
        db.subscribe("cancel", lambda payload: (told.append(payload), heard.set()))
        assert await db.write(jobs.cancel, [first, JobId(999)], NOW) == [first]
        await asyncio.wait_for(heard.wait(), 10)
        assert told == [str(first)]
        assert ids(await claim(db)) == [second]
        for zombie in (
            db.write(jobs.fence, first, running.epoch),
            db.write(jobs.finish, first, running.epoch, now=NOW),
            db.write(jobs.wait, first, running.epoch, until=None),
            db.write(jobs.fail, first, running.epoch, error="no", run_at=NOW),
            db.write(jobs.give_up, first, running.epoch, error="no", now=NOW),
        ):
            with pytest.raises(Fenced):
                await zombie
        assert await state_of(db, first) is JobState.CANCELLED

    async def test_a_lane_can_be_cleared(self, db: Database) -> None:
        """Everything open in one lane is cancelled, running, waiting or queued, and nothing elsewhere."""
        first, second, other = await enqueue(db, "a"), await enqueue(db, "a"), await enqueue(db, "b")
        await claim(db)
        assert await db.write(jobs.cancel_lane, "a", NOW) == [first, second]
        assert await db.write(jobs.cancel_lane, "a", NOW) == []
        assert await db.read(jobs.open_in_lane, "a") == []
        assert await state_of(db, other) is JobState.RUNNING

    async def test_the_open_jobs_of_a_lane_come_in_order(self, db: Database) -> None:
        """Whoever looks into a lane sees the active job first, then the order they will run in."""
        first, second, urgent = await enqueue(db, "a"), await enqueue(db, "a"), await enqueue(db, "a", priority=1)
        assert ids(await db.read(jobs.open_in_lane, "a")) == [urgent, first, second]
        await claim(db)
        late = await enqueue(db, "a", priority=9)
        assert ids(await db.read(jobs.open_in_lane, "a")) == [urgent, late, first, second]

    async def test_only_queued_jobs_are_postponed(self, db: Database) -> None:
        """A job that runs already cannot be put off."""
        job_id = await enqueue(db, "a")
        assert await db.write(jobs.postpone, job_id, NOW + 5)
        assert await claim(db) == []
        await claim(db, now=NOW + 5)
        assert not await db.write(jobs.postpone, job_id, NOW + 50)

    async def test_a_failed_job_keeps_its_place(self, db: Database) -> None:
        """A retry runs before the rest of its lane, whatever their priority, and counts."""
        first = await enqueue(db, "a")
        (running,) = await claim(db)
        await enqueue(db, "a", priority=9)
        await db.write(jobs.fail, first, running.epoch, error="broke", run_at=NOW + 10)
        assert await claim(db, now=NOW + 5) == []
        (again,) = await claim(db, now=NOW + 10)
        assert (again.id, again.failures, again.epoch, again.error) == (first, 1, 2, "broke")
        with pytest.raises(Fenced):
            await db.write(jobs.finish, first, running.epoch, now=NOW)
        await db.write(jobs.give_up, first, again.epoch, error="broke again", now=NOW)
        ended = await db.read(jobs.get, first)
        assert ended is not None
        assert (ended.state, ended.failures, ended.error) == (JobState.FAILED, 2, "broke again")

    async def test_a_waiting_job_keeps_its_lane_until_a_signal(self, db: Database) -> None:
        """Waiting for an answer holds the lane and no worker; the answer makes it due."""
        first, second = await enqueue(db, "a"), await enqueue(db, "a")
        (running,) = await claim(db)
        await db.write(jobs.wait, first, running.epoch, until=None)
        assert await claim(db, now=NOW + 10**9) == []
        assert await db.read(jobs.next_run_at, now=NOW, kinds=[KIND]) is None
        assert await db.write(signals.send, first, "answer", {"yes": True}, NOW)
        (again,) = await claim(db)
        assert (again.id, again.epoch) == (first, 2)
        assert await db.write(signals.take, first, "other", now=NOW) == []
        assert await db.write(signals.take, first, "answer", now=NOW) == [{"yes": True}]
        assert await db.write(signals.take, first, "answer", now=NOW) == []
        await db.write(jobs.finish, first, again.epoch, now=NOW)
        assert ids(await claim(db)) == [second]

    async def test_a_deadline_ends_the_wait(self, db: Database) -> None:
        """Nobody answered: the job goes on at its time."""
        first = await enqueue(db, "a")
        (running,) = await claim(db)
        await db.write(jobs.wait, first, running.epoch, until=NOW + 30)
        assert await db.read(jobs.next_run_at, now=NOW, kinds=[KIND]) == NOW + 30
        assert ids(await claim(db, now=NOW + 30)) == [first]

    async def test_a_signal_sent_before_the_wait_is_not_slept_through(self, db: Database) -> None:
        """An answer that comes while the job is about to wait wakes it, once, even if it is never taken."""
        first = await enqueue(db, "a")
        (running,) = await claim(db)
        await db.write(signals.send, first, "answer", {}, NOW)
        await db.write(jobs.wait, first, running.epoch, until=None)
        (again,) = await claim(db)
        await db.write(jobs.wait, first, again.epoch, until=None)
        assert await claim(db, now=NOW + 10**9) == []

    async def test_the_dead_and_the_unknown_are_told_nothing(self, db: Database) -> None:
        """A signal to a job that has ended says so instead of disappearing."""
        first = await enqueue(db, "a")
        (running,) = await claim(db)
        await db.write(jobs.finish, first, running.epoch, now=NOW)
        assert not await db.write(signals.send, first, "answer", {}, NOW)
        assert not await db.write(signals.send, JobId(999), "answer", {}, NOW)

    async def test_the_jobs_of_a_dead_worker_are_taken_over(self, db: Database) -> None:
        """What a dead worker ran goes back to the head of its lane, counted as a crash; the living keep theirs."""
        first = await enqueue(db, "a")
        dead = await db.write(workers.register, name="dead", now=NOW, lease=100)
        (running,) = await claim(db, worker_id=dead)
        await enqueue(db, "a", priority=3)
        await self.let_lease_pass(db, dead)
        alive = await db.write(workers.register, name="alive", now=NOW, lease=100)
        assert await db.write(workers.reap, alive) == [first]
        assert await db.write(workers.reap, alive) == []
        with pytest.raises(Fenced):
            await db.write(jobs.fence, first, running.epoch)
        assert not await db.write(workers.beat, dead, now=NOW, lease=100)
        (again,) = await claim(db, worker_id=alive)
        assert (again.id, again.crashes, again.failures) == (first, 1, 0)
        assert await db.write(workers.beat, alive, now=NOW, lease=100)
        assert await db.read(workers.held, alive) == {first}
        assert await db.write(workers.reap, alive) == []

    async def test_a_retired_worker_leaves_its_jobs_in_order(self, db: Database) -> None:
        """A stop in good order counts as no crash."""
        first = await enqueue(db, "a")
        leaving = await db.write(workers.register, name="leaving", now=NOW, lease=100)
        await claim(db, worker_id=leaving)
        assert await db.write(workers.retire, leaving) == [first]
        (again,) = await claim(db)
        assert (again.id, again.crashes) == (first, 0)

    async def let_lease_pass(self, db: Database, worker_id: int) -> None:
        """Make a worker look dead."""
        await db.write(
            lambda c: c.execute(update(worker).where(worker.c.id == worker_id).values(lease_until=1)).close()
        )

    async def test_steps_are_kept_in_order(self, db: Database) -> None:
        """The journal of a job comes back as it was written, oldest first."""
        first = await enqueue(db, "a")
        for seq, key in enumerate(("z", "a", "m")):
            new = Step(first, key, "tool", StepState.STARTED, {"n": seq}, None, 1, NOW)
            await db.write(steps.start, new, seq=seq)
        await db.write(steps.finish, first, "z", output={"text": "ü\u2028\x00 done"}, now=NOW + 1)
        await db.write(steps.restart, first, "a", now=NOW + 2)
        await db.write(steps.mark_unknown, first, "m", now=NOW + 3)
        found = await db.read(steps.of_job, first)
        assert [(each.key, each.state, each.attempts) for each in found] == [
            ("z", StepState.DONE, 1),
            ("a", StepState.STARTED, 2),
            ("m", StepState.UNKNOWN, 1),
        ]
        assert (found[0].input, found[0].output) == ({"n": 0}, {"text": "ü\u2028\x00 done"})
        assert (found[1].started_at, found[2].ended_at) == (NOW + 2, NOW + 3)
        await db.write(steps.forget, first, "a")
        assert [each.key for each in await db.read(steps.of_job, first)] == ["z", "m"]

    async def test_old_jobs_are_pruned_with_what_belongs_to_them(self, db: Database) -> None:
        """Retention takes ended jobs with their steps and signals, and nothing that is open or young."""
        for lane in ("a", "b", "c"):
            await enqueue(db, lane)
        old, young, running = await claim(db)
        await db.write(steps.start, Step(old.id, "k", "tool", StepState.STARTED, {}, None, 1, NOW), seq=0)
        await db.write(signals.send, old.id, "answer", {}, NOW)
        await db.write(jobs.finish, old.id, 1, now=NOW)
        await db.write(jobs.finish, young.id, 1, now=NOW + 100)
        assert await db.write(jobs.prune, NOW + 50, limit=10) == 1
        assert await db.read(steps.of_job, old.id) == []
        assert [await state_of(db, each.id) for each in (old, young, running)] == [
            None,
            JobState.DONE,
            JobState.RUNNING,
        ]

    async def test_a_clock_that_was_set_back_delays_nothing_near(self, db: Database) -> None:
        """After a jump back, a short delay stays short, and a time of day stays that time."""
        soon, later = await enqueue(db, "a", run_at=NOW + 2), await enqueue(db, "b", run_at=NOW + 7200)
        back = NOW - 3600
        await db.write(jobs.set_back, 3600.0, back)
        assert [each.run_at for each in await db.read(lambda c: [jobs.get(c, soon), jobs.get(c, later)]) if each] == [
            back + 2,
            NOW + 7200,
        ]

    async def test_two_active_jobs_of_a_lane_cannot_exist(self, db: Database) -> None:
        """The database itself refuses what the claims should never do."""
        await enqueue(db, "a")
        second = await enqueue(db, "a")
        await claim(db)
        with pytest.raises(Exception, match=r"(?i)unique|uq_job_active_lane"):
            await db.write(lambda c: c.execute(update(job).where(job.c.id == second).values(state="running")).close())
