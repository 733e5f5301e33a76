"""What model calls cost: reserved before they are made, settled after. Amounts are US dollars."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, case, delete, func, insert, select

from lar.domain.ids import PrincipalId
from lar.domain.spend import Payer, Spent
from lar.store.dialect import Accumulate, one_at_a_time
from lar.store.schema import reservation, spend

_LOCK = 0x6C61725F_73706E64
"""The advisory lock under which sums are read and reservations made."""

_add = Accumulate(spend)


def _sum(table: Table, *conditions: ColumnElement[bool]) -> ColumnElement[float]:
    amount = case((and_(*conditions), table.c.usd), else_=0.0) if conditions else table.c.usd
    return func.coalesce(func.sum(amount), 0.0)


def _sums(table: Table) -> Any:
    today = table.c.day == bindparam("day")
    person = table.c.principal_id == bindparam("principal_id")
    agent = table.c.agent == bindparam("agent")
    schedule = table.c.schedule == bindparam("schedule")
    return select(
        _sum(table, today),
        _sum(table),
        _sum(table, person, today),
        _sum(table, person),
        _sum(table, agent, today),
        _sum(table, agent),
        _sum(table, schedule, today),
        _sum(table, schedule),
    ).where(table.c.day.between(bindparam("first"), bindparam("last")))


_SPENT, _RESERVED = _sums(spend), _sums(reservation)
_RESERVE = insert(reservation).returning(reservation.c.id)
_RELEASE = (
    delete(reservation)
    .where(reservation.c.id == bindparam("number"))
    .returning(
        reservation.c.day,
        reservation.c.principal_id,
        reservation.c.agent,
        reservation.c.schedule,
        reservation.c.model,
        reservation.c.input_tokens,
        reservation.c.output_tokens,
        reservation.c.usd,
    )
)


def sums(connection: Connection, payer: Payer, day: str) -> tuple[float, ...]:
    """What is spent or reserved: in all, by the person, by the agent, by the schedule, of each today and this month.

    Until the transaction ends nobody else is told sums.
    """
    one_at_a_time(connection, _LOCK)
    month = day[:7]
    values = {
        "day": day,
        "first": f"{month}-01",
        "last": f"{month}-31",
        "principal_id": payer.principal_id,
        "agent": payer.agent,
        "schedule": payer.schedule,
    }
    spent, reserved = connection.execute(_SPENT, values).one(), connection.execute(_RESERVED, values).one()
    return tuple(float(one) + float(other) for one, other in zip(spent, reserved, strict=True))


def reserve(connection: Connection, payer: Payer, model: str, most: Spent, day: str, now: float) -> int:
    """Put aside what a call may cost at most; the number of the reservation."""
    values = {
        "day": day,
        "principal_id": payer.principal_id,
        "agent": payer.agent,
        "schedule": payer.schedule,
        "model": model,
        "input_tokens": most.input_tokens,
        "output_tokens": most.output_tokens,
        "usd": most.usd,
        "created_at": now,
    }
    return connection.execute(_RESERVE, values).scalar_one()


def settle(connection: Connection, number: int, spent: Spent) -> None:
    """Replace a reservation by what its call cost. One that is settled already is left alone."""
    held = connection.execute(_RELEASE, {"number": number}).one_or_none()
    if held is not None and (spent.usd or spent.input_tokens or spent.output_tokens):
        payer = Payer(PrincipalId(held.principal_id), held.agent, held.schedule)
        record(connection, payer, held.model, spent, held.day)


def record(connection: Connection, payer: Payer, model: str, spent: Spent, day: str) -> None:
    """Add a call to what was spent."""
    values = {
        "day": day,
        "principal_id": payer.principal_id,
        "agent": payer.agent,
        "schedule": payer.schedule,
        "model": model,
        "calls": 1,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "usd": spent.usd,
        "estimated_usd": spent.usd if spent.estimated else 0.0,
    }
    _add(connection, values)


def settle_orphans(connection: Connection, before: float) -> int:
    """Settle in full what was reserved before this time and never settled, marked as estimated; how many."""
    found = select(reservation.c.id, reservation.c.usd, reservation.c.input_tokens, reservation.c.output_tokens)
    orphans = connection.execute(found.where(reservation.c.created_at < before)).all()
    for number, usd, tokens_in, tokens_out in orphans:
        settle(connection, number, Spent(tokens_in, tokens_out, usd, estimated=True))
    return len(orphans)


@dataclass(frozen=True, slots=True)
class Line:
    """What was spent with one model by one payer on one day."""

    day: str
    principal_id: int
    agent: str
    schedule: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    usd: float
    estimated_usd: float


def lines(connection: Connection, first: str, last: str, principal_id: PrincipalId | None = None) -> list[Line]:
    """What was spent from one day to another, both included; only by one person, where one is named."""
    wanted = select(spend).where(spend.c.day.between(first, last)).order_by(spend.c.day, spend.c.principal_id)
    if principal_id is not None:
        wanted = wanted.where(spend.c.principal_id == principal_id)
    return [Line(*row) for row in connection.execute(wanted.order_by(spend.c.agent, spend.c.schedule, spend.c.model))]


def prune(connection: Connection, first: str) -> int:
    """Forget what was spent before this day (YYYY-MM-DD); how many rows."""
    return connection.execute(delete(spend).where(spend.c.day < first)).rowcount
