"""What Lar does by itself: tasks as ordinary schedules, made and changed as the configuration says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from sqlalchemy import Connection

from lar.domain.ids import ScheduleId
from lar.domain.schedule import Missed, Schedule, ScheduleKind, ScheduleState, Timing
from lar.schedules.firing import Task
from lar.schedules.rules import next_due
from lar.store import schedules

PREFIX = "task:"


@dataclass(frozen=True, slots=True)
class Chore:
    """A task and when it is due. `timing` None: never. It begins up to `jitter` seconds later."""

    run: Task
    timing: Timing | None
    jitter: float = 0.0
    missed: Missed = Missed.ONCE


def schedules_of(chores: Mapping[str, Chore]) -> list[Schedule]:
    """The schedules of the tasks that are wanted, by their names."""
    return [
        Schedule(
            ScheduleId(0),
            ScheduleKind.TASK,
            name,
            chore.timing,
            key=f"{PREFIX}{name}",
            jitter=chore.jitter,
            missed=chore.missed,
        )
        for name, chore in chores.items()
        if chore.timing is not None
    ]


def keep_all(connection: Connection, prefix: str, wanted: Sequence[Schedule], zone: tzinfo, now: float) -> None:
    """Let there be these schedules of Lar's own with keys that begin so, and no other."""
    keys = {schedule.key for schedule in wanted}
    for known in schedules.with_prefix(connection, prefix):
        if known.key not in keys:
            schedules.cancel(connection, known.id)
    for schedule in wanted:
        _keep(connection, schedule, zone, now)


def _keep(connection: Connection, wanted: Schedule, zone: tzinfo, now: float) -> None:
    """Let there be this schedule. One that is so already keeps its next due; what is overdue still comes."""
    due = next_due(wanted.timing, zone, now)
    known = schedules.by_key(connection, wanted.key or "")
    if known is None:
        schedules.add(connection, replace(wanted, next_due=due, created_at=now))
    elif _what(known) != _what(wanted):
        overdue = known.next_due is not None and known.next_due <= now
        schedules.rewrite(connection, known.id, replace(wanted, next_due=known.next_due if overdue else due))


def _what(schedule: Schedule) -> tuple[str, Timing, float, Missed, ScheduleState]:
    """What a configuration decides of it."""
    return schedule.text, schedule.timing, schedule.jitter, schedule.missed, schedule.state
