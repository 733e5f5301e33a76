"""Signals: what a job is told from outside."""

from sqlalchemy import Connection, bindparam, insert, select, update

from lar.domain.ids import JobId
from lar.domain.job import JobState
from lar.domain.values import JsonObject
from lar.store import jobs
from lar.store.database import notify
from lar.store.schema import job, signal

_target = select(job.c.state, job.c.epoch).where(job.c.id == bindparam("job")).with_for_update(key_share=True)
_send = insert(signal)
_wake = update(job).where(job.c.id == bindparam("job")).values(run_at=jobs.AT_ONCE)
_untaken = (
    select(signal.c.id, signal.c.payload)
    .where(signal.c.job_id == bindparam("job"), signal.c.name == bindparam("called"), signal.c.taken_at.is_(None))
    .order_by(signal.c.id)
)
_take = update(signal).where(signal.c.id.in_(bindparam("ids", expanding=True))).values(taken_at=bindparam("now"))

_ENDED = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


def send(connection: Connection, job_id: JobId, name: str, payload: JsonObject, now: float) -> bool:
    """Tell a job something: a waiting one becomes due, a running one may ask. False if it has ended, or is unknown.

    Subscribers of "signals" are told the id of a running job.
    """
    found = connection.execute(_target, {"job": job_id}).one_or_none()
    if found is None or found.state in _ENDED:
        return False
    values = {"job_id": job_id, "name": name, "payload": payload, "epoch": found.epoch, "created_at": now}
    connection.execute(_send, values)
    if found.state == JobState.WAITING:
        connection.execute(_wake, {"job": job_id})
        notify(connection, "jobs")
    elif found.state == JobState.RUNNING:
        notify(connection, "signals", str(job_id))
    return True


def take(connection: Connection, job_id: JobId, name: str, *, now: float) -> list[JsonObject]:
    """The payloads of this name that were not taken before, oldest first. Callers fence."""
    rows = connection.execute(_untaken, {"job": job_id, "called": name}).all()
    if rows:
        connection.execute(_take, {"ids": [row.id for row in rows], "now": now})
    return [row.payload for row in rows]
