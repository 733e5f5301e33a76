"""Schedules and their firings. What is due is found by an index, however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, Row, and_, bindparam, delete, func, or_, select, update

from lar.domain.ids import ConversationId, FiringId, JobId, PrincipalId, ScheduleId, TurnId
from lar.domain.schedule import Firing, FiringState, Missed, Schedule, ScheduleKind, ScheduleState, Timing
from lar.domain.turn import TurnState
from lar.store.database import notify
from lar.store.dialect import InsertNew
from lar.store.schema import firing, principal, schedule, turn
from lar.store.upkeep import prune as prune_some

TOPIC = "schedules"
"""Whose subscribers hear that something may be due earlier than it was."""

_MOST_OF_A_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule that is due. `zone` is that of its person, empty where it is the house's."""

    schedule: Schedule
    zone: str


@dataclass(frozen=True, slots=True)
class Absence:
    """What did not come in time lately: how many came late, how many were left out or made up for by another."""

    late: int
    left_out: int


@dataclass(frozen=True, slots=True)
class LastTurn:
    """A turn that a schedule began, and when it fired."""

    state: TurnState
    at: float


_add = InsertNew(schedule, "id")
_DUE = (
    select(schedule, principal.c.zone)
    .outerjoin(principal, principal.c.id == schedule.c.principal_id)
    .where(schedule.c.next_due <= bindparam("now"))
    .order_by(schedule.c.next_due, schedule.c.id)
    .limit(bindparam("limit"))
    .with_for_update(of=schedule, skip_locked=True)
)
_NEXT = select(func.min(schedule.c.next_due))
_ADVANCE = (
    update(schedule)
    .where(schedule.c.id == bindparam("schedule_id"))
    .values(
        {
            "next_due": bindparam("due"),
            "state": bindparam("to_state"),
            "left": bindparam("still"),
            "fired": schedule.c.fired + bindparam("fires"),
            "missed_count": schedule.c.missed_count + bindparam("misses"),
            "missed_at": func.coalesce(bindparam("missed_when", type_=Double), schedule.c.missed_at),
        }
    )
)
_FIRE = firing.insert()
_SETTLE = (
    update(firing)
    .where(firing.c.id == bindparam("firing_id"), firing.c.state == FiringState.QUEUED)
    .values(state=bindparam("to_state"), turn_id=bindparam("turn"), note=bindparam("noted"), ended_at=bindparam("now"))
)
_ANSWER = (
    update(firing)
    .where(firing.c.id == bindparam("firing_id"), firing.c.answered == "")
    .values(answered=bindparam("answer"))
    .returning(firing.c.id)
)


def _schedule(row: Row[*tuple[Any, ...]]) -> Schedule:
    return Schedule(
        id=ScheduleId(row.id),
        kind=ScheduleKind(row.kind),
        text=row.text,
        timing=Timing.from_json(row.timing),
        principal_id=None if row.principal_id is None else PrincipalId(row.principal_id),
        conversation_id=None if row.conversation_id is None else ConversationId(row.conversation_id),
        key=row.key,
        state=ScheduleState(row.state),
        next_due=row.next_due,
        left=row.left,
        jitter=row.jitter,
        missed=Missed(row.missed),
        missed_count=row.missed_count,
        missed_at=row.missed_at,
        fired=row.fired,
        taint=tuple(row.taint or ()),
        options=row.options,
        created_at=row.created_at,
    )


def _firing(row: Row[*tuple[Any, ...]]) -> Firing:
    return Firing(
        id=FiringId(row.id),
        schedule_id=ScheduleId(row.schedule_id),
        due_at=row.due_at,
        state=FiringState(row.state),
        late=row.late,
        missed=row.missed,
        job_id=None if row.job_id is None else JobId(row.job_id),
        turn_id=None if row.turn_id is None else TurnId(row.turn_id),
        note=row.note,
        answered=row.answered,
        fired_at=row.fired_at,
        ended_at=row.ended_at,
    )


# ---- making and changing


def add(connection: Connection, new: Schedule) -> Schedule:
    """Keep a schedule; `new.id` is ignored. One with the same key is there already: it comes back as it is."""
    values = {
        "kind": new.kind,
        "text": new.text,
        "timing": new.timing.to_json(),
        "principal_id": new.principal_id,
        "conversation_id": new.conversation_id,
        "key": new.key,
        "state": new.state,
        "next_due": new.next_due,
        "left": new.left,
        "jitter": new.jitter,
        "missed": new.missed,
        "taint": list(new.taint) or None,
        "options": dict(new.options),
        "created_at": new.created_at,
    }
    identity = _add(connection, values)
    notify(connection, TOPIC)
    wanted = schedule.c.key == new.key if identity is None else schedule.c.id == identity
    return _schedule(connection.execute(select(schedule).where(wanted)).one())


def retime(
    connection: Connection, schedule_id: ScheduleId, timing: Timing, next_due: float | None, left: int | None = None
) -> None:
    """Give an active schedule another timing; None: it is due no more, and done."""
    state = ScheduleState.ACTIVE if next_due is not None else ScheduleState.DONE
    values = {"timing": timing.to_json(), "next_due": next_due, "left": left, "state": state}
    connection.execute(update(schedule).where(schedule.c.id == schedule_id).values(values))
    notify(connection, TOPIC)


def rewrite(connection: Connection, schedule_id: ScheduleId, changed: Schedule) -> None:
    """Store what a schedule does and when, as it was written anew; what it did so far stays."""
    values = {
        "text": changed.text,
        "timing": changed.timing.to_json(),
        "principal_id": changed.principal_id,
        "conversation_id": changed.conversation_id,
        "state": changed.state,
        "next_due": changed.next_due,
        "left": changed.left,
        "jitter": changed.jitter,
        "missed": changed.missed,
        "options": dict(changed.options),
    }
    connection.execute(update(schedule).where(schedule.c.id == schedule_id).values(values))
    notify(connection, TOPIC)


def cancel(connection: Connection, schedule_id: ScheduleId) -> bool:
    """Let it never fire again; also what is queued is dropped. False if it was not active."""
    values = {"state": ScheduleState.CANCELLED, "next_due": None}
    active = and_(schedule.c.id == schedule_id, schedule.c.state == ScheduleState.ACTIVE)
    return connection.execute(update(schedule).where(active).values(values)).rowcount > 0


def remove(connection: Connection, schedule_id: ScheduleId) -> bool:
    """Forget it with all its firings. False if it is not there."""
    return connection.execute(delete(schedule).where(schedule.c.id == schedule_id)).rowcount > 0


# ---- looking


def get(connection: Connection, schedule_id: ScheduleId) -> Schedule | None:
    """The schedule, or None if there is none."""
    row = connection.execute(select(schedule).where(schedule.c.id == schedule_id)).one_or_none()
    return None if row is None else _schedule(row)


def by_key(connection: Connection, key: str) -> Schedule | None:
    """The schedule with this key, or None if there is none."""
    row = connection.execute(select(schedule).where(schedule.c.key == key)).one_or_none()
    return None if row is None else _schedule(row)


def with_prefix(connection: Connection, prefix: str) -> list[Schedule]:
    """The schedules whose key begins so, by key."""
    found = select(schedule).where(schedule.c.key.startswith(prefix, autoescape=True)).order_by(schedule.c.key)
    return [_schedule(row) for row in connection.execute(found)]


def of_person(connection: Connection, principal_id: PrincipalId, *, active: bool = True) -> list[Schedule]:
    """A person's schedules, the next due first; with those that are over, if wanted."""
    wanted = _theirs(principal_id, active=active)
    order = (schedule.c.next_due.is_(None), schedule.c.next_due, schedule.c.id)
    return [_schedule(row) for row in connection.execute(select(schedule).where(wanted).order_by(*order))]


def count_active(connection: Connection, principal_id: PrincipalId) -> int:
    """How many active schedules a person has."""
    wanted = _theirs(principal_id, active=True)
    return connection.execute(select(func.count()).select_from(schedule).where(wanted)).scalar_one()


def find(
    connection: Connection, principal_id: PrincipalId, reference: str, *, active: bool = True
) -> Sequence[Schedule]:
    """A person's schedules that this means: the one of a number (`3`, `#3`), else those whose text holds the words."""
    number = reference.strip().removeprefix("#")
    theirs = _theirs(principal_id, active=active)
    if number.isascii() and number.isdigit():
        if len(number) > _MOST_OF_A_NUMBER:
            return ()
        rows = connection.execute(select(schedule).where(theirs, schedule.c.id == int(number)))
    else:
        words = [func.lower(schedule.c.text).contains(word, autoescape=True) for word in number.lower().split()]
        rows = connection.execute(select(schedule).where(theirs, *words).order_by(schedule.c.id).limit(10))
    return [_schedule(row) for row in rows]


def _theirs(principal_id: PrincipalId, *, active: bool) -> ColumnElement[bool]:
    """What they asked for themselves: no tasks, no runbooks."""
    asked_for = schedule.c.kind.in_((ScheduleKind.REMINDER, ScheduleKind.PROMPT))
    mine = and_(schedule.c.principal_id == principal_id, asked_for)
    return and_(mine, schedule.c.state == ScheduleState.ACTIVE) if active else mine


# ---- firing


def due(connection: Connection, now: float, limit: int) -> list[Due]:
    """Up to `limit` schedules that are due, the one due first first; no other worker sees them until we commit."""
    rows = connection.execute(_DUE, {"now": now, "limit": limit})
    return [Due(_schedule(row), row.zone or "") for row in rows]


def next_due(connection: Connection) -> float | None:
    """When the next schedule is due; None: none is."""
    return connection.execute(_NEXT).scalar()


def advance(  # what a firing changes
    connection: Connection,
    fired: Schedule,
    next_due: float | None,
    *,
    left: int | None,
    fires: int,
    misses: int,
    now: float,
) -> None:
    """Move a schedule to its next due, None: it is done."""
    connection.execute(
        _ADVANCE,
        {
            "schedule_id": fired.id,
            "due": next_due,
            "to_state": ScheduleState.DONE if next_due is None else ScheduleState.ACTIVE,
            "still": left,
            "fires": fires,
            "misses": misses,
            "missed_when": now if misses else None,
        },
    )


def add_firing(connection: Connection, new: Firing) -> None:
    """Record that a schedule fires; `new.id` is ignored. A second firing of the same due is refused by the database."""
    connection.execute(
        _FIRE,
        {
            "schedule_id": new.schedule_id,
            "due_at": new.due_at,
            "state": new.state,
            "late": new.late,
            "missed": new.missed,
            "job_id": new.job_id,
            "note": new.note,
            "fired_at": new.fired_at,
            "ended_at": new.ended_at,
        },
    )


def firing_at(connection: Connection, schedule_id: ScheduleId, due_at: float) -> tuple[Schedule, Firing] | None:
    """A firing with its schedule; None if the schedule is gone."""
    of = and_(firing.c.schedule_id == schedule_id, firing.c.due_at == due_at)
    row = connection.execute(select(firing).where(of)).one_or_none()
    found = get(connection, schedule_id)
    return None if row is None or found is None else (found, _firing(row))


def get_firing(connection: Connection, firing_id: FiringId) -> Firing | None:
    """The firing, or None if there is none."""
    row = connection.execute(select(firing).where(firing.c.id == firing_id)).one_or_none()
    return None if row is None else _firing(row)


def settle(  # what became of it
    connection: Connection,
    firing_id: FiringId,
    state: FiringState,
    now: float,
    *,
    turn_id: TurnId | None = None,
    note: str = "",
) -> bool:
    """Say what became of a queued firing. False if that was said already."""
    values = {"firing_id": firing_id, "to_state": state, "turn": turn_id, "noted": note, "now": now}
    return connection.execute(_SETTLE, values).rowcount > 0


def answer(connection: Connection, firing_id: FiringId, how: str) -> bool:
    """A person pressed a button below it. False if one was pressed before."""
    return connection.execute(_ANSWER, {"firing_id": firing_id, "answer": how}).scalar() is not None


def firings(connection: Connection, schedule_id: ScheduleId, limit: int = 20) -> list[Firing]:
    """The last firings of a schedule, the newest first."""
    found = select(firing).where(firing.c.schedule_id == schedule_id).order_by(firing.c.id.desc()).limit(limit)
    return [_firing(row) for row in connection.execute(found)]


def overview(connection: Connection, limit: int) -> list[tuple[Schedule, Firing | None]]:
    """Active schedules with their last firing, the next due first."""
    found = (
        select(schedule).where(schedule.c.state == ScheduleState.ACTIVE).order_by(schedule.c.next_due, schedule.c.id)
    )
    known = [_schedule(row) for row in connection.execute(found.limit(limit))]
    return [(each, next(iter(firings(connection, each.id, 1)), None)) for each in known]


def last_turns(connection: Connection, schedule_id: ScheduleId, limit: int) -> list[LastTurn]:
    """How the last turns of a schedule went, the newest first."""
    found = (
        select(turn.c.state, firing.c.fired_at)
        .join(firing, firing.c.turn_id == turn.c.id)
        .where(firing.c.schedule_id == schedule_id)
        .order_by(firing.c.id.desc())
        .limit(limit)
    )
    return [LastTurn(TurnState(state), at) for state, at in connection.execute(found)]


_OWN = (ScheduleKind.TASK, ScheduleKind.EVENT)


def absence(connection: Connection, since: float) -> Absence:
    """What people and files wanted, and what did not come in time since then; Lar's own tasks do not count."""
    left_out = func.coalesce(func.sum(firing.c.missed), 0)
    skipped = firing.c.state == FiringState.SKIPPED
    counted = select(func.count().filter(firing.c.late, ~skipped), func.count().filter(skipped), left_out).where(
        firing.c.fired_at >= since,
        or_(firing.c.late, firing.c.missed > 0),
        firing.c.schedule_id.in_(select(schedule.c.id).where(schedule.c.kind.not_in(_OWN))),
    )
    late, skips, missed = connection.execute(counted).one()
    return Absence(late, skips + missed)


def fired_since(connection: Connection, since: float) -> int:
    """How many firings were carried out since then."""
    wanted = (firing.c.fired_at >= since, firing.c.state == FiringState.DONE)
    return connection.execute(select(func.count()).select_from(firing).where(*wanted)).scalar_one()


def prune(connection: Connection, before: float) -> int:
    """Forget a batch of firings that ended before a time, and of schedules without any that are over; how many rows.

    A firing without an end is one whose job was cancelled.
    """
    lost = and_(firing.c.ended_at.is_(None), firing.c.fired_at < before)
    gone = prune_some(connection, firing, or_(firing.c.ended_at < before, lost))
    over = and_(schedule.c.state != ScheduleState.ACTIVE, schedule.c.created_at < before)
    fired = select(firing.c.id).where(firing.c.schedule_id == schedule.c.id).exists()
    return gone + prune_some(connection, schedule, over, ~fired)
