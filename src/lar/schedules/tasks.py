"""What Lar does by itself: tasks as ordinary schedules, made and changed as the configuration says."""

from dataclasses import replace
from datetime import tzinfo

from sqlalchemy import Connection

from lar.domain.ids import ScheduleId
from lar.domain.schedule import Missed, Schedule, ScheduleKind, ScheduleState, Timing
from lar.schedules.rules import next_due
from lar.store import schedules

PREFIX = "task:"


def keep(connection: Connection, name: str, timing: Timing, zone: tzinfo, now: float) -> None:
    """Let a task be due by this timing; one that is so already keeps its next due."""
    key = f"{PREFIX}{name}"
    wanted = Schedule(ScheduleId(0), ScheduleKind.TASK, name, timing, key=key, missed=Missed.ONCE, created_at=now)
    due = next_due(timing, zone, now)
    known = schedules.by_key(connection, key)
    if known is None:
        schedules.add(connection, replace(wanted, next_due=due))
    elif known.timing != timing or known.state is not ScheduleState.ACTIVE:
        schedules.rewrite(connection, known.id, replace(wanted, next_due=due))


def drop(connection: Connection, name: str) -> None:
    """Let a task be due no more."""
    known = schedules.by_key(connection, f"{PREFIX}{name}")
    if known is not None:
        schedules.cancel(connection, known.id)
