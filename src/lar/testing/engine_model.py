"""The engine's store functions against a model that fits on a screen: hypothesis looks for a way they differ."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import Connection, delete, select, update

from lar.domain.ids import JobId
from lar.domain.job import JobState
from lar.errors import Fenced
from lar.store import jobs, signals, workers
from lar.store.schema import job, signal, worker

KIND = "work"
OPEN = {JobState.QUEUED, JobState.RUNNING, JobState.WAITING}
ACTIVE = {JobState.RUNNING, JobState.WAITING}
LANES = st.sampled_from(("a", "b", "c"))
RECENT = st.integers(0, 4)
"""Which claim: 0 the newest, 1 the one before ... Old ones are the zombies."""
DELAYS = st.sampled_from((0.0, 5.0, 50.0))


@dataclass
class ModelJob:
    """What the model knows about a job. `told` holds its untaken signals with the epoch they were sent in."""

    id: JobId
    lane: str
    priority: int
    run_at: float
    state: JobState = JobState.QUEUED
    epoch: int = 0
    failures: int = 0
    crashes: int = 0
    started: bool = False
    ended_at: float | None = None
    told: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The highest of a lane is its head."""
        return self.started, self.priority, -self.id


class JobsMachine(RuleBasedStateMachine):
    """Enqueue, claim, finish, fail, wait, signal, cancel, crash, and let time pass. Subclasses say where: `connect`."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.connect()
        for table in (signal, job, worker):
            self.connection.execute(delete(table))
        self.now = 1000.0
        self.model: dict[JobId, ModelJob] = {}
        self.by_key: dict[str, JobId] = {}
        self.count = 0
        self.last_id = 0
        self.claims: list[tuple[JobId, int]] = [(JobId(0), 0)]
        self.worker = workers.register(self.connection, name="w", now=self.now, lease=10**9)

    def connect(self) -> Connection:
        """A connection to a database that has our schema, in autocommit."""
        raise NotImplementedError

    # ---- what happens

    @rule(lane=LANES, priority=st.integers(0, 1), delay=DELAYS, key=st.sampled_from((None, None, "k1", "k2")))
    def enqueue(self, lane: str, priority: int, delay: float, key: str | None) -> None:
        """A known key changes nothing."""
        run_at = self.now + delay if delay else None
        job_id = jobs.enqueue(
            self.connection,
            kind=KIND,
            lane=lane,
            payload={},
            now=self.now,
            priority=priority,
            dedup_key=key,
            run_at=run_at,
        )
        if key in self.by_key:
            assert job_id == self.by_key[key]
            return
        assert job_id > self.last_id, "the id of a forgotten job was given to another"
        self.last_id = job_id
        self.model[job_id] = ModelJob(job_id, lane, priority, run_at or jobs.AT_ONCE)
        if key:
            self.by_key[key] = job_id

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        """The due heads of the free lanes and the due waiting, no more than the limit."""
        expected = sorted((each for each in self.model.values() if self.is_due(each)), key=_claim_order)[:limit]
        found = jobs.claim(self.connection, worker_id=self.worker, limit=limit, now=self.now, kinds=[KIND])
        assert [each.id for each in found] == [each.id for each in expected]
        for each in expected:
            each.state, each.started, each.epoch = JobState.RUNNING, True, each.epoch + 1
            self.claims.append((each.id, each.epoch))

    def is_due(self, each: ModelJob) -> bool:
        """Whether a claim may take it."""
        if each.run_at > self.now or each.state not in {JobState.QUEUED, JobState.WAITING}:
            return False
        others = [other for other in self.model.values() if other.lane == each.lane and other is not each]
        waits_behind = any(o.state in ACTIVE or (o.state is JobState.QUEUED and o.rank > each.rank) for o in others)
        return each.state is JobState.WAITING or not waits_behind

    @rule(recent=RECENT)
    def finish(self, recent: int) -> None:
        """Only the owner ends its job."""
        with self.fenced(recent) as mine:
            jobs.finish(self.connection, *self.which(recent), now=self.now)
        if mine:
            mine.state, mine.ended_at = JobState.DONE, self.now

    @rule(recent=RECENT, delay=DELAYS)
    def fail(self, recent: int, delay: float) -> None:
        """A failed job goes back to the head of its lane."""
        with self.fenced(recent) as mine:
            jobs.fail(self.connection, *self.which(recent), error="e", run_at=self.now + delay)
        if mine:
            mine.state, mine.run_at, mine.failures = JobState.QUEUED, self.now + delay, mine.failures + 1

    @rule(recent=RECENT)
    def give_up(self, recent: int) -> None:
        """The last failure ends the job."""
        with self.fenced(recent) as mine:
            jobs.give_up(self.connection, *self.which(recent), error="e", now=self.now)
        if mine:
            mine.state, mine.ended_at, mine.failures = JobState.FAILED, self.now, mine.failures + 1

    @rule(recent=RECENT, delay=st.sampled_from((None, 5.0)))
    def wait(self, recent: int, delay: float | None) -> None:
        """A signal of this run that nobody took makes the job due at once."""
        until = None if delay is None else self.now + delay
        with self.fenced(recent) as mine:
            jobs.wait(self.connection, *self.which(recent), until=until)
        if mine:
            unseen = any(epoch == mine.epoch for epoch, _ in mine.told)
            mine.state = JobState.WAITING
            mine.run_at = jobs.AT_ONCE if unseen else math.inf if until is None else until

    @rule(recent=RECENT)
    def send(self, recent: int) -> None:
        """The ended are told nothing; the waiting wake."""
        job_id, _ = self.which(recent)
        target = self.model.get(job_id)
        self.count += 1
        is_open = target is not None and target.state in OPEN
        assert signals.send(self.connection, job_id, "s", {"n": self.count}, self.now) == is_open
        if target and is_open:
            target.told.append((target.epoch, self.count))
            if target.state is JobState.WAITING:
                target.run_at = jobs.AT_ONCE

    @rule(recent=RECENT)
    def take(self, recent: int) -> None:
        """Each signal is taken once, in order."""
        job_id, _ = self.which(recent)
        target = self.model.get(job_id)
        found = signals.take(self.connection, job_id, "s", now=self.now)
        assert [each["n"] for each in found] == ([number for _, number in target.told] if target else [])
        if target:
            target.told.clear()

    @rule(recent=RECENT)
    def cancel(self, recent: int) -> None:
        """Any open job can be cancelled."""
        job_id, _ = self.which(recent)
        target = self.model.get(job_id)
        found = jobs.cancel(self.connection, [job_id], self.now)
        assert found == ([job_id] if target and target.state in OPEN else [])
        self.cancelled(found)

    @rule(lane=LANES)
    def cancel_lane(self, lane: str) -> None:
        """So can a lane."""
        found = jobs.cancel_lane(self.connection, lane, self.now)
        assert found == [each.id for each in self.model.values() if each.lane == lane and each.state in OPEN]
        self.cancelled(found)

    def cancelled(self, found: list[JobId]) -> None:
        """Note it in the model."""
        for job_id in found:
            each = self.model[job_id]
            each.state, each.epoch, each.ended_at = JobState.CANCELLED, each.epoch + 1, self.now

    @rule(recent=RECENT, delay=DELAYS)
    def postpone(self, recent: int, delay: float) -> None:
        """Only what is queued can be put off."""
        job_id, _ = self.which(recent)
        target = self.model.get(job_id)
        moved = jobs.postpone(self.connection, job_id, self.now + delay)
        assert moved == (target is not None and target.state is JobState.QUEUED)
        if target and moved:
            target.run_at = self.now + delay

    @rule(in_order=st.booleans())
    def restart(self, in_order: bool) -> None:
        """The process stops, or dies, and another takes over: what ran is queued again."""
        if in_order:
            workers.retire(self.connection, self.worker)
        self.connection.execute(update(worker).values(lease_until=1))
        self.worker = workers.register(self.connection, name="w", now=self.now, lease=10**9)
        freed = workers.reap(self.connection, self.worker)
        running = [each for each in self.model.values() if each.state is JobState.RUNNING]
        assert freed == ([] if in_order else [each.id for each in running])
        for each in running:
            each.state, each.crashes = JobState.QUEUED, each.crashes + (not in_order)

    @rule(seconds=st.sampled_from((1.0, 10.0, 100.0)))
    def let_time_pass(self, seconds: float) -> None:
        """The next time anything becomes due is known."""
        times = [e.run_at for e in self.model.values() if e.state in OPEN - {JobState.RUNNING} and e.run_at > self.now]
        due = min(times, default=math.inf)
        found = jobs.next_run_at(self.connection, now=self.now, kinds=[KIND])
        assert found == (None if math.isinf(due) else due)
        self.now += seconds

    @rule()
    def prune(self) -> None:
        """The ended can be forgotten; their keys are free again."""
        old = [each.id for each in self.model.values() if each.ended_at is not None and each.ended_at < self.now - 50]
        assert jobs.prune(self.connection, self.now - 50) == len(old)
        for job_id in old:
            del self.model[job_id]
        self.by_key = {key: job_id for key, job_id in self.by_key.items() if job_id in self.model}

    # ---- what always holds

    @invariant()
    def agrees(self) -> None:
        """The database and the model tell the same story."""
        columns = (job.c.id, job.c.state, job.c.epoch, job.c.failures, job.c.crashes, job.c.run_at)
        rows = self.connection.execute(select(*columns).order_by(job.c.id)).all()
        assert [tuple(row) for row in rows] == [
            (e.id, e.state, e.epoch, e.failures, e.crashes, e.run_at) for e in self.model.values()
        ]
        held = workers.held(self.connection, self.worker)
        assert held == {each.id for each in self.model.values() if each.state is JobState.RUNNING}

    @invariant()
    def lanes_are_exclusive(self) -> None:
        """At most one job of a lane is running or waiting."""
        active = [each.lane for each in self.model.values() if each.state in ACTIVE]
        assert len(active) == len(set(active))

    def which(self, recent: int) -> tuple[JobId, int]:
        """The job and the epoch of a claim."""
        return self.claims[-1 - recent % len(self.claims)]

    def fenced(self, recent: int) -> "_Fence":
        """Expects `Fenced` unless the claim holds."""
        job_id, epoch = self.which(recent)
        found = self.model.get(job_id)
        holds = found is not None and found.epoch == epoch and found.state is JobState.RUNNING
        return _Fence(found if holds else None)

    def teardown(self) -> None:
        """Give the connection back."""
        self.connection.close()


class _Fence:
    def __init__(self, mine: ModelJob | None) -> None:
        self._mine = mine
        self._raises = pytest.raises(Fenced)

    def __enter__(self) -> ModelJob | None:
        if self._mine is None:
            self._raises.__enter__()
        return self._mine

    def __exit__(self, *exc_info: object) -> bool:
        if self._mine is None:
            return self._raises.__exit__(*exc_info)  # pyright: ignore[reportArgumentType]  # passed through
        return False


def _claim_order(each: ModelJob) -> tuple[int, int]:
    return -each.priority, each.id
