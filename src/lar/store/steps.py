"""Steps: what a job did, in order. Callers fence."""

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from lar.domain.ids import JobId
from lar.domain.job import Step, StepState
from lar.domain.values import JsonObject
from lar.store.schema import step

_of_job = (
    select(
        step.c.job_id,
        step.c.key,
        step.c.kind,
        step.c.state,
        step.c.input,
        step.c.output,
        step.c.attempts,
        step.c.started_at,
        step.c.ended_at,
    )
    .where(step.c.job_id == bindparam("job"))
    .order_by(step.c.seq)
)
_this = (step.c.job_id == bindparam("job"), step.c.key == bindparam("name"))
_start = insert(step)
_restart = update(step).where(*_this).values(attempts=step.c.attempts + 1, started_at=bindparam("now"))
_finish = (
    update(step)
    .where(*_this)
    .values(state=StepState.DONE.value, output=bindparam("result", type_=step.c.output.type), ended_at=bindparam("now"))
)
_mark_unknown = update(step).where(*_this).values(state=StepState.UNKNOWN.value, ended_at=bindparam("now"))
_forget = delete(step).where(*_this)


def of_job(connection: Connection, job_id: JobId) -> list[Step]:
    """The steps of a job in the order they were first started."""
    return [
        Step(JobId(job), key, kind, StepState(state), *rest)
        for job, key, kind, state, *rest in connection.execute(_of_job, {"job": job_id})
    ]


def start(connection: Connection, new: Step, *, seq: int) -> None:
    """Record that a step is about to be acted."""
    values = {
        "job_id": new.job_id,
        "key": new.key,
        "seq": seq,
        "kind": new.kind,
        "state": StepState.STARTED.value,
        "input": new.input,
        "attempts": new.attempts,
        "started_at": new.started_at,
    }
    connection.execute(_start, values)


def restart(connection: Connection, job_id: JobId, key: str, *, now: float) -> None:
    """Record that an interrupted step is about to be acted again."""
    connection.execute(_restart, {"job": job_id, "name": key, "now": now})


def finish(connection: Connection, job_id: JobId, key: str, *, output: JsonObject, now: float) -> None:
    """Record what a step gave."""
    connection.execute(_finish, {"job": job_id, "name": key, "result": output, "now": now})


def mark_unknown(connection: Connection, job_id: JobId, key: str, *, now: float) -> None:
    """Record that nobody knows whether an interrupted step happened."""
    connection.execute(_mark_unknown, {"job": job_id, "name": key, "now": now})


def forget(connection: Connection, job_id: JobId, key: str) -> None:
    """Take a step back to not started."""
    connection.execute(_forget, {"job": job_id, "name": key})
