"""Durable work, as the engine knows it."""

from dataclasses import dataclass
from enum import StrEnum

from lar.domain.ids import JobId
from lar.domain.values import JsonObject


class JobState(StrEnum):
    """A job's life.

    queued ──claim──▶ running ──▶ done | failed | cancelled
                       │  ▲
                       ▼  │ signal or deadline
                      waiting        (keeps its lane, holds no task)
    """

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of durable work.

    At most one job of a lane is running or waiting. `epoch` rises with every claim and cancellation: a write carrying
    an older one is refused. `failures` counts exceptions of the handler, `crashes` how often its process died running
    it. `run_at` is in seconds since the epoch; it is infinite while the job waits for a signal without a deadline.
    """

    id: JobId
    kind: str
    lane: str
    payload: JsonObject
    state: JobState
    epoch: int
    failures: int
    run_at: float
    created_at: float
    priority: int = 0
    dedup_key: str | None = None
    error: str = ""
    crashes: int = 0


class StepState(StrEnum):
    """`started` before the effect, `done` after it; `unknown` if it was interrupted and must not be repeated."""

    STARTED = "started"
    DONE = "done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """One journalled effect of a job. `attempts` counts how often it was started. Times: seconds since the epoch."""

    job_id: JobId
    key: str
    kind: str
    state: StepState
    input: JsonObject
    output: JsonObject | None
    attempts: int
    started_at: float
    ended_at: float | None = None
