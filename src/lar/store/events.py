"""What happened that a heartbeat looks at: kept until a turn has taken it, once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, or_, select, update

from lar.domain.ids import PrincipalId, TurnId
from lar.domain.turn import TurnState
from lar.store.dialect import InsertNew
from lar.store.schema import event, turn
from lar.store.upkeep import prune as prune_some


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened. `principal_id` is whom it concerns, None: the owner.

    `source` says where its content came from if that is outside; `key` names what must not be told twice.
    """

    id: int
    kind: str
    text: str
    created_at: float
    principal_id: PrincipalId | None = None
    source: str = ""
    key: str | None = None


_add = InsertNew(event, "id")


def add(connection: Connection, new: Event) -> bool:
    """Keep an event; `new.id` is ignored. False if one with its key is known."""
    values = {name: getattr(new, name) for name in ("kind", "text", "created_at", "principal_id", "source", "key")}
    return _add(connection, values) is not None


def waiting(connection: Connection, principal_id: PrincipalId, *, owner: bool, limit: int) -> list[Event]:
    """What no turn has taken yet of this person, oldest first; to the owner belongs what names nobody."""
    theirs = event.c.principal_id == principal_id
    wanted = or_(theirs, event.c.principal_id.is_(None)) if owner else theirs
    rows = connection.execute(select(event).where(event.c.taken_at.is_(None), wanted).order_by(event.c.id).limit(limit))
    return [Event(row.id, row.kind, row.text, row.created_at, row.principal_id, row.source, row.key) for row in rows]


def take(connection: Connection, ids: Sequence[int], turn_id: TurnId, now: float) -> None:
    """A turn works on these."""
    connection.execute(update(event).where(event.c.id.in_(ids)).values(turn_id=turn_id, taken_at=now))


def give_back(connection: Connection) -> int:
    """What turns have taken that failed waits again; how many events."""
    lost = select(turn.c.id).where(turn.c.state == TurnState.FAILED)
    again = update(event).where(event.c.turn_id.in_(lost)).values(turn_id=None, taken_at=None)
    return connection.execute(again).rowcount


def count_waiting(connection: Connection) -> int:
    """How many no turn has taken yet."""
    return connection.execute(select(func.count()).select_from(event).where(event.c.taken_at.is_(None))).scalar_one()


def prune(connection: Connection, before: float) -> int:
    """Forget a batch of what was taken, or happened and was never taken, before a time; how many."""
    unwanted = and_(event.c.taken_at.is_(None), event.c.created_at < before)
    return prune_some(connection, event, or_(event.c.taken_at < before, unwanted))
