"""What the engine promises to a handler, and what a handler gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from lar.domain.job import Job
from lar.domain.values import JsonObject

P = ParamSpec("P")
T = TypeVar("T")


class Journal(Protocol):
    """The step table of one job."""

    def output(self, key: str) -> JsonObject | None:
        """What the step of this key gave, None where it is not done."""
        ...

    async def step(
        self,
        key: str,
        kind: str,
        input: JsonObject,  # noqa: A002  # the field's name in the journal
        act: Callable[[], Awaitable[JsonObject]],
        *,
        repeatable: bool,
    ) -> JsonObject:
        """Do `act` at most once for this job and `key`, and return its output.

        A step that is `done` is not acted again: its recorded output is returned. One that was started and never
        finished is acted again if `repeatable`; else it becomes `unknown`, and this call and every later one raises
        `OutcomeUnknown`. A failure worth remembering is an output of the caller's making; an exception that escapes
        `act` takes a repeatable step back to not started, and leaves any other one started.

        Raises:
            OutcomeUnknown: the effect was interrupted and is not repeatable.
            Fenced: the job is no longer ours.

        """
        ...


class JobContext(Journal, Protocol):
    """A claimed job, as its handler sees it."""

    @property
    def job(self) -> Job:
        """The job as it was claimed."""
        ...

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` in a transaction that only commits while the job is still ours.

        Raises:
            Fenced: it is not.

        """
        ...

    async def take_signals(self, name: str) -> list[JsonObject]:
        """The payloads of the signals with this name that were not taken before, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """The job is finished. `write` runs in the very transaction that ends it."""

    write: Callable[[Connection], None] | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Give the task up and keep the lane until a signal arrives, or until `until` (seconds since the epoch)."""

    until: float | None = None


Outcome = Done | Wait


class Handler(Protocol):
    """What does the work of one kind of job."""

    async def run(self, context: JobContext) -> Outcome:
        """Do the job, or go on with it: the journal knows what is done already."""
        ...

    def give_up(self, connection: Connection, job: Job, error: str, /) -> None:
        """Runs in the transaction that ends the job as failed, after its last permitted failure."""
        ...
