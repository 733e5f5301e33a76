"""A claimed job in the hands of its handler: fenced writes, and the journal of its effects."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Concatenate, NoReturn, ParamSpec, Protocol, TypeVar

import structlog
from sqlalchemy import Connection

from lar.domain.job import Job, Step, StepState
from lar.domain.values import Clock, JsonObject
from lar.errors import OutcomeUnknown, StoreError
from lar.store import jobs, signals, steps
from lar.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Writer(Protocol):
    """`Database.write`, or the fenced one of a job."""

    async def __call__(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` in a transaction."""
        ...


_log = structlog.get_logger(__name__)


class Context:
    """A job claimed by this process. Implements `engine.contract.JobContext`."""

    def __init__(self, db: Database, job: Job, clock: Clock) -> None:
        self._db = db
        self._job = job
        self._clock = clock
        self._journal: dict[str, Step] = {}
        self._tried: dict[str, int] = {}
        self._seq = 0

    async def open(self) -> None:
        """Read what earlier runs journalled. From here on only this claim writes it."""
        if self._job.epoch > 1:
            found = await self._db.read(steps.of_job, self._job.id)
            self._journal = {step.key: step for step in found}
            self._seq = len(found)

    @property
    def job(self) -> Job:
        """The job as it was claimed."""
        return self._job

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` in a transaction that only commits while the job is still ours."""

        @wraps(fn)
        def fenced(connection: Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
            jobs.fence(connection, self._job.id, self._job.epoch)
            return fn(connection, *args, **kwargs)

        return await self._db.write(fenced, *args, **kwargs)

    def output(self, key: str) -> JsonObject | None:
        """What the step of this key gave, None where it is not done."""
        known = self._journal.get(key)
        return known.output if known is not None and known.state is StepState.DONE else None

    async def take_signals(self, name: str) -> list[JsonObject]:
        """The payloads of the signals with this name that were not taken before, oldest first."""
        return await self.write(signals.take, self._job.id, name, now=self._clock())

    async def step(
        self,
        key: str,
        kind: str,
        input: JsonObject,  # noqa: A002  # the field's name in the journal
        act: Callable[[], Awaitable[JsonObject]],
        *,
        repeatable: bool,
    ) -> JsonObject:
        """Do `act` at most once for this job and `key`, and return its output: see `engine.contract.Journal`."""
        known = self._journal.get(key)
        if known is not None and known.state is StepState.DONE:
            return known.output or {}
        if known is None:
            await self._start(key, kind, input)
        elif repeatable:
            await self.write(steps.restart, self._job.id, key, now=self._clock())
        else:
            await self._refuse(known)
        try:
            output = await act()
        except Exception:
            if repeatable:
                await self.write(steps.forget, self._job.id, key)
                del self._journal[key]
            raise
        now = self._clock()
        await surely(self.write, steps.finish, self._job.id, key, output=output, now=now)
        self._journal[key] = replace(self._journal[key], state=StepState.DONE, output=output, ended_at=now)
        return output

    async def _start(self, key: str, kind: str, input: JsonObject) -> None:  # noqa: A002  # as in the contract
        attempts = self._tried[key] = self._tried.get(key, 0) + 1
        new = Step(self._job.id, key, kind, StepState.STARTED, input, None, attempts, self._clock())
        self._seq += 1
        await self.write(steps.start, new, seq=self._seq)
        self._journal[key] = new

    async def _refuse(self, known: Step) -> NoReturn:
        """Raise `OutcomeUnknown` for a step that was interrupted, and remember it."""
        if known.state is StepState.STARTED:
            now = self._clock()
            await self.write(steps.mark_unknown, self._job.id, known.key, now=now)
            self._journal[known.key] = replace(known, state=StepState.UNKNOWN, ended_at=now)
        raise OutcomeUnknown(known.key)


async def surely(write: Writer, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Write what must not be forgotten: while the database cannot commit, try again, until cancelled."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return await write(fn, *args, **kwargs)
        except StoreError as error:
            _log.warning("cannot write, trying again", error=str(error), seconds=pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
