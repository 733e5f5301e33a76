"""Jobs: claimed by lane, fenced by epoch. Times are seconds since the epoch.

The jobs of a lane run in the order they were enqueued, higher priority first. Nothing overtakes the head of a lane, not
even while it waits for its `run_at`.
"""

import math
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import (
    Connection,
    Double,
    Row,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from lar.domain.ids import JobId
from lar.domain.job import Job, JobState
from lar.domain.values import JsonObject
from lar.errors import Fenced
from lar.store.database import notify
from lar.store.dialect import InsertNew, among
from lar.store.schema import job, setting, signal

_COLUMNS = (
    job.c.id,
    job.c.kind,
    job.c.lane,
    job.c.payload,
    job.c.state,
    job.c.epoch,
    job.c.failures,
    job.c.run_at,
    job.c.created_at,
    job.c.priority,
    job.c.dedup_key,
    job.c.error,
    job.c.crashes,
)

AT_ONCE = 0.0
"""The `run_at` of what is due whatever the clock says, also after it was set back."""

HALT = "halt"
"""While something is kept under this key of `store.lasting`, no job is claimed."""

_OPEN = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)


def _job(row: Row[*tuple[Any, ...]]) -> Job:
    identity, kind, lane, payload, state, *rest = row
    return Job(identity, kind, lane, payload, JobState(state), *rest)


# ---- coming in

_insert = insert(job).returning(job.c.id)
_insert_new = InsertNew(job, "id")
_by_dedup_key = select(job.c.id).where(job.c.dedup_key == bindparam("dedup_key"))


def enqueue(
    connection: Connection,
    *,
    kind: str,
    lane: str,
    payload: JsonObject,
    now: float,
    priority: int = 0,
    dedup_key: str | None = None,
    run_at: float | None = None,
) -> JobId:
    """Add a job due at `run_at` (None: at once). A known `dedup_key` changes nothing: the id of its job comes back."""
    values = {
        "kind": kind,
        "lane": lane,
        "payload": payload,
        "priority": priority,
        "dedup_key": dedup_key,
        "state": JobState.QUEUED.value,
        "run_at": AT_ONCE if run_at is None else run_at,
        "created_at": now,
    }
    if dedup_key is None:
        identity = connection.execute(_insert, values).scalar_one()
    else:
        identity = _insert_new(connection, values)
        if identity is None:
            return JobId(connection.execute(_by_dedup_key, {"dedup_key": dedup_key}).scalar_one())
    notify(connection, "jobs")
    return JobId(identity)


# ---- looking

_get = select(*_COLUMNS).where(job.c.id == bindparam("job_id"))
_open_in_lane = (
    select(*_COLUMNS)
    .where(job.c.lane == bindparam("lane"), job.c.state.in_(_OPEN))
    .order_by(job.c.started_at.is_(None), job.c.priority.desc(), job.c.id)
)
_count_open = select(func.count()).select_from(job).where(job.c.kind == bindparam("kind"), job.c.state.in_(_OPEN))
_next_run_at = select(func.min(job.c.run_at)).where(
    among(job.c.state, (JobState.QUEUED, JobState.WAITING)),
    job.c.run_at > bindparam("now"),
    job.c.kind.in_(bindparam("kinds", expanding=True)),
)


def get(connection: Connection, job_id: JobId) -> Job | None:
    """The job, or None if there is none (any more)."""
    row = connection.execute(_get, {"job_id": job_id}).one_or_none()
    return None if row is None else _job(row)


def locked(connection: Connection, job_id: JobId) -> Job | None:
    """The job, locked until the transaction ends; None if there is none (any more)."""
    row = connection.execute(select(*_COLUMNS).where(job.c.id == job_id).with_for_update()).one_or_none()
    return None if row is None else _job(row)


def open_in_lane(connection: Connection, lane: str) -> list[Job]:
    """The jobs of a lane that are not ended, in the order they run; the active one, if any, first."""
    return [_job(row) for row in connection.execute(_open_in_lane, {"lane": lane})]


def count_open(connection: Connection, kind: str) -> int:
    """How many jobs of a kind are not ended."""
    return connection.execute(_count_open, {"kind": kind}).scalar_one()


def next_run_at(connection: Connection, *, now: float, kinds: Sequence[str]) -> float | None:
    """When the next job becomes due that is not due yet; None if nothing waits for a time."""
    found = connection.execute(_next_run_at, {"now": now, "kinds": kinds}).scalar()
    return None if found is None or math.isinf(found) else found


# ---- being worked on

_other = job.alias("other")
_rank = tuple_(job.c.started_at.is_not(None), job.c.priority, -job.c.id)
_other_rank = tuple_(_other.c.started_at.is_not(None), _other.c.priority, -_other.c.id)
_lane_is_busy = exists().where(_other.c.lane == job.c.lane, among(_other.c.state, (JobState.RUNNING, JobState.WAITING)))
_lane_has_earlier = exists().where(_other.c.lane == job.c.lane, _other.c.state == JobState.QUEUED, _other_rank > _rank)
_due = (
    select(job.c.id)
    .where(
        among(job.c.state, (JobState.QUEUED, JobState.WAITING)),
        job.c.run_at <= bindparam("now"),
        job.c.kind.in_(bindparam("kinds", expanding=True)),
        or_(job.c.state == JobState.WAITING, and_(~_lane_is_busy, ~_lane_has_earlier)),
        ~exists().where(setting.c.key == HALT),
    )
    .order_by(job.c.priority.desc(), job.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_claim = (
    update(job)
    .where(job.c.id.in_(select(_due.c.id)))
    .values(
        state=JobState.RUNNING.value,
        epoch=job.c.epoch + 1,
        worker_id=bindparam("worker"),
        started_at=func.coalesce(job.c.started_at, bindparam("now")),
    )
    .returning(*_COLUMNS)
)
_mine = and_(job.c.id == bindparam("job_id"), job.c.epoch == bindparam("job_epoch"), job.c.state == JobState.RUNNING)
_fence = select(job.c.id).where(_mine).with_for_update(key_share=True)


def claim(connection: Connection, *, worker_id: int, limit: int, now: float, kinds: Sequence[str]) -> list[Job]:
    """Take up to `limit` due jobs, the head of each free lane, for a worker: higher priority first, then oldest."""
    rows = connection.execute(_claim, {"worker": worker_id, "limit": limit, "now": now, "kinds": kinds})
    return sorted((_job(row) for row in rows), key=lambda found: (-found.priority, found.id))


def fence(connection: Connection, job_id: JobId, epoch: int) -> None:
    """Make sure that the claim with this epoch still holds, and that it does until the transaction ends.

    Raises:
        Fenced: it does not.

    """
    if connection.execute(_fence, {"job_id": job_id, "job_epoch": epoch}).scalar() is None:
        raise _fenced(job_id)


def _fenced(job_id: JobId) -> Fenced:
    return Fenced(f"job {job_id} was cancelled or taken over: what this run still wanted to write is dropped")


# ---- ending a run. Each is fenced, and raises `Fenced` if the claim does not hold any more.

_unseen_signal = exists().where(
    signal.c.job_id == bindparam("job_id"),
    signal.c.epoch == bindparam("job_epoch"),
    signal.c.taken_at.is_(None),
)
_finish = (
    update(job)
    .where(_mine)
    .values(state=JobState.DONE.value, ended_at=bindparam("now"), worker_id=None, error="")
    .returning(job.c.lane)
)
_wait = (
    update(job)
    .where(_mine)
    .values(
        state=JobState.WAITING.value,
        worker_id=None,
        run_at=case((_unseen_signal, AT_ONCE), else_=bindparam("until", type_=Double)),
    )
)
_fail = (
    update(job)
    .where(_mine)
    .values(
        state=JobState.QUEUED.value,
        worker_id=None,
        failures=job.c.failures + 1,
        run_at=bindparam("next"),
        error=bindparam("reason"),
    )
    .returning(job.c.lane)
)
_give_up = (
    update(job)
    .where(_mine)
    .values(
        state=JobState.FAILED.value,
        worker_id=None,
        failures=job.c.failures + 1,
        ended_at=bindparam("now"),
        error=bindparam("reason"),
    )
    .returning(job.c.lane)
)
_queued_in_lane = select(job.c.id).where(job.c.lane == bindparam("lane"), job.c.state == JobState.QUEUED).limit(1)


def finish(connection: Connection, job_id: JobId, epoch: int, *, now: float) -> None:
    """End a job well."""
    _end_run(connection, _finish, {"job_id": job_id, "job_epoch": epoch, "now": now})


def wait(connection: Connection, job_id: JobId, epoch: int, *, until: float | None) -> None:
    """Let a job wait in its lane for a signal, or until a time.

    A signal that came during this run and was not taken makes it due at once.
    """
    fence(connection, job_id, epoch)  # a signal on its way is waited for, and seen by the statement that follows
    values = {"job_id": job_id, "job_epoch": epoch, "until": math.inf if until is None else until}
    connection.execute(_wait, values)
    notify(connection, "jobs")


def fail(connection: Connection, job_id: JobId, epoch: int, *, error: str, run_at: float) -> None:
    """Put a job back because its handler failed; it runs again at `run_at`, before the rest of its lane."""
    if (
        connection.execute(_fail, {"job_id": job_id, "job_epoch": epoch, "reason": error, "next": run_at}).scalar()
        is None
    ):
        raise _fenced(job_id)
    notify(connection, "jobs")


def give_up(connection: Connection, job_id: JobId, epoch: int, *, error: str, now: float) -> None:
    """End a job as failed."""
    _end_run(connection, _give_up, {"job_id": job_id, "job_epoch": epoch, "reason": error, "now": now})


def _end_run(connection: Connection, statement: ReturningUpdate[tuple[str]], values: dict[str, object]) -> None:
    lane = connection.execute(statement, values).scalar()
    if lane is None:
        raise _fenced(JobId(cast("int", values["job_id"])))
    if connection.execute(_queued_in_lane, {"lane": lane}).scalar() is not None:
        notify(connection, "jobs")


# ---- from outside

_cancel_values: dict[str, Any] = {
    "state": JobState.CANCELLED.value,
    "epoch": job.c.epoch + 1,
    "ended_at": bindparam("now"),
}
_cancel = (
    update(job)
    .where(job.c.id.in_(bindparam("job_ids", expanding=True)), job.c.state.in_(_OPEN))
    .values(_cancel_values)
    .returning(job.c.id, job.c.worker_id)
)
_cancel_active = (
    update(job)
    .where(among(job.c.state, (JobState.RUNNING, JobState.WAITING)))
    .values(_cancel_values)
    .returning(job.c.id, job.c.worker_id)
)
_cancel_lane = (
    update(job)
    .where(job.c.lane == bindparam("in_lane"), job.c.state.in_(_OPEN))
    .values(_cancel_values)
    .returning(job.c.id, job.c.worker_id)
)
_postpone = (
    update(job)
    .where(job.c.id == bindparam("job_id"), job.c.state == JobState.QUEUED)
    .values(run_at=bindparam("next"))
    .returning(job.c.id)
)
_set_back = (
    update(job)
    .where(
        among(job.c.state, (JobState.QUEUED, JobState.WAITING)),
        job.c.run_at > bindparam("now"),
        job.c.run_at <= bindparam("near"),
    )
    .values(run_at=job.c.run_at - bindparam("seconds"))
)
_ended_before = select(job.c.id).where(job.c.ended_at < bindparam("before")).limit(bindparam("limit"))
_prune = delete(job).where(job.c.id.in_(_ended_before))


def cancel(connection: Connection, job_ids: Sequence[JobId], now: float) -> list[JobId]:
    """Cancel jobs. Their lanes are free at once, whatever their workers are still doing.

    Returns the ids of those that were open. The owner of a running one is told.
    """
    return _cancelled(connection, connection.execute(_cancel, {"job_ids": job_ids, "now": now}).all())


def cancel_lane(connection: Connection, lane: str, now: float) -> list[JobId]:
    """Cancel every open job of a lane; returns their ids."""
    return _cancelled(connection, connection.execute(_cancel_lane, {"in_lane": lane, "now": now}).all())


def cancel_active(connection: Connection, now: float) -> list[JobId]:
    """Cancel every job that runs or waits, whatever it is; returns their ids."""
    return _cancelled(connection, connection.execute(_cancel_active, {"now": now}).all())


def _cancelled(connection: Connection, rows: Sequence[Row[int, int | None]]) -> list[JobId]:
    for identity, worker_id in rows:
        if worker_id is not None:
            notify(connection, "cancel", str(identity))
    if rows:
        notify(connection, "jobs")
    return sorted(JobId(identity) for identity, _ in rows)


def postpone(connection: Connection, job_id: JobId, run_at: float) -> bool:
    """Move the time a queued job becomes due. False if it is not queued (any more)."""
    moved = connection.execute(_postpone, {"job_id": job_id, "next": run_at}).scalar() is not None
    if moved:
        notify(connection, "jobs")
    return moved


def set_back(connection: Connection, seconds: float, now: float) -> None:
    """The clock was set back: what was to come within five minutes comes after the same time as before.

    `now` is the new time. What lies further ahead was meant for a time of day, and keeps it.
    """
    connection.execute(_set_back, {"seconds": seconds, "now": now, "near": now + seconds + 300})


def prune(connection: Connection, before: float, *, limit: int = 500) -> int:
    """Delete up to `limit` jobs that ended before a time, with their steps and signals; returns how many."""
    return connection.execute(_prune, {"before": before, "limit": limit}).rowcount
