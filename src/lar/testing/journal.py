"""A journal in memory that keeps the engine's promise, and can die at any of its points."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from lar.domain.job import StepState
from lar.domain.values import JsonObject
from lar.errors import OutcomeUnknown


class Killed(BaseException):
    """The process died here. Not an `Exception`: nothing may catch it."""


@dataclass(slots=True)
class Entry:
    """One step."""

    kind: str
    input: JsonObject
    state: StepState = StepState.STARTED
    output: JsonObject | None = None
    attempts: int = 0


@dataclass(slots=True)
class MemoryJournal:
    """A `Journal`. With `die_at=n` it raises `Killed` at its n-th point, counted from 0; `points` counts them.

    Each step has three points: before it is written as started, after that, and after the effect but before it is
    written as done. What goes through it goes through JSON, as in the database.
    """

    die_at: int | None = None
    points: int = 0
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])

    def output(self, key: str) -> JsonObject | None:
        """As the contract says."""
        entry = self.entries.get(key)
        return entry.output if entry and entry.state is StepState.DONE else None

    async def step(
        self,
        key: str,
        kind: str,
        input: JsonObject,  # noqa: A002  # the field's name in the journal
        act: Callable[[], Awaitable[JsonObject]],
        *,
        repeatable: bool,
    ) -> JsonObject:
        """As the contract says."""
        await asyncio.sleep(0)
        entry = self.entries.get(key)
        if entry and entry.state is StepState.DONE and entry.output is not None:
            return entry.output
        if entry and not repeatable:
            entry.state = StepState.UNKNOWN
            raise OutcomeUnknown(key)
        self._point()
        if entry is None:
            entry = self.entries[key] = Entry(kind, _through_json(input))
        entry.attempts += 1
        self._point()
        try:
            output = await act()
        except Exception:
            if repeatable:
                del self.entries[key]
            raise
        self._point()
        entry.output = _through_json(output)
        entry.state = StepState.DONE
        return entry.output

    def reborn(self) -> "MemoryJournal":
        """The journal as the next process finds it."""
        return MemoryJournal(entries=self.entries)

    def _point(self) -> None:
        self.points += 1
        if self.die_at is not None and self.points > self.die_at:
            raise Killed


def _through_json(value: JsonObject) -> JsonObject:
    return json.loads(json.dumps(value))
