"""Workers: who runs jobs, and what becomes of the jobs of a dead one.

On PostgreSQL a worker lives while its lease, by the server's clock, has not passed. On SQLite the file belongs to one
process, so that every other worker is dead.
"""

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from lar.domain.ids import JobId
from lar.domain.job import JobState
from lar.store.database import notify
from lar.store.dialect import server_time
from lar.store.schema import job, worker

_register = insert(worker).returning(worker.c.id)
_beat = (
    update(worker)
    .where(worker.c.id == bindparam("worker"))
    .values(lease_until=bindparam("until"))
    .returning(worker.c.id)
)
_bury_late = delete(worker).where(worker.c.id != bindparam("me"), worker.c.lease_until < bindparam("clock"))
_bury_others = delete(worker).where(worker.c.id != bindparam("me"))
_bury = delete(worker).where(worker.c.id == bindparam("me"))
_take_back = (
    update(job)
    .where(job.c.state == JobState.RUNNING, ~exists().where(worker.c.id == job.c.worker_id))
    .values(state=JobState.QUEUED.value, worker_id=None, crashes=job.c.crashes + bindparam("crash"))
    .returning(job.c.id)
)
_held = select(job.c.id).where(job.c.worker_id == bindparam("worker"), job.c.state == JobState.RUNNING)


def register(connection: Connection, *, name: str, now: float, lease: float) -> int:
    """Add a worker that lives for `lease` seconds unless it beats; returns its id."""
    clock = server_time(connection)
    until = (now if clock is None else clock) + lease
    return connection.execute(_register, {"name": name, "started_at": now, "lease_until": until}).scalar_one()


def beat(connection: Connection, worker_id: int, *, now: float, lease: float) -> bool:
    """Renew a worker's lease. False if it was declared dead: its jobs are somebody else's."""
    clock = server_time(connection)
    until = (now if clock is None else clock) + lease
    return connection.execute(_beat, {"worker": worker_id, "until": until}).scalar() is not None


def reap(connection: Connection, worker_id: int) -> list[JobId]:
    """Put the running jobs of dead workers back into their lanes, counted as crashes; returns their ids."""
    clock = server_time(connection)
    if clock is None:
        connection.execute(_bury_others, {"me": worker_id})
    else:
        connection.execute(_bury_late, {"me": worker_id, "clock": clock})
    return _free(connection, crash=1)


def retire(connection: Connection, worker_id: int) -> list[JobId]:
    """Take a worker out of service: its running jobs go back into their lanes; returns their ids."""
    connection.execute(_bury, {"me": worker_id})
    return _free(connection, crash=0)


def held(connection: Connection, worker_id: int) -> set[JobId]:
    """The jobs a worker is running, as far as the database knows."""
    return {JobId(found) for found in connection.execute(_held, {"worker": worker_id}).scalars()}


def _free(connection: Connection, *, crash: int) -> list[JobId]:
    """Queue the running jobs that have no worker."""
    freed = connection.execute(_take_back, {"crash": crash}).scalars().all()
    if freed:
        notify(connection, "jobs")
    return sorted(JobId(found) for found in freed)
