"""Vendor updates, as they came in: the ledger that makes the same update one message."""

from enum import StrEnum

from sqlalchemy import Connection, bindparam, func, null, select, update

from lar.domain.inbound import Inbound
from lar.store.dialect import InsertNew
from lar.store.schema import inbound
from lar.store.upkeep import BATCH
from lar.store.upkeep import prune as prune_some


class InboundState(StrEnum):
    """What became of an update."""

    TAKEN = "taken"
    IGNORED = "ignored"
    POISON = "poison"
    REFUSED = "refused"
    ANSWERED = "answered"
    """Refused, and told so."""
    FULL = "full"


_ADD = InsertNew(inbound, "id")

_RAW = select(inbound.c.id).where(inbound.c.received_at < bindparam("before"), inbound.c.raw.is_not(None)).limit(BATCH)
_FORGET_RAW = update(inbound).where(inbound.c.id.in_(_RAW)).values(raw=null())


def record(connection: Connection, update_in: Inbound, state: InboundState, now: float) -> int | None:
    """Write the update down; its row's id, or None if it is known already."""
    return _ADD(
        connection,
        {
            "channel": update_in.channel,
            "account": update_in.account,
            "update_id": update_in.update_id,
            "raw": dict(update_in.raw),
            "state": state,
            "problem": update_in.problem,
            "received_at": now,
        },
    )


def settle(connection: Connection, row: int, state: InboundState) -> None:
    """Say what became of an update that was not taken; its text is not kept."""
    connection.execute(update(inbound).where(inbound.c.id == row).values(state=state, raw=null()))


def forget_raw(connection: Connection, before: float) -> int:
    """Drop the raw text of a batch of updates received before this time (seconds since the epoch); how many."""
    return connection.execute(_FORGET_RAW, {"before": before}).rowcount


def prune(connection: Connection, before: float) -> int:
    """Forget a batch of updates received before this time (seconds since the epoch); how many."""
    return prune_some(connection, inbound, inbound.c.received_at < before)


def count_since(connection: Connection, state: InboundState, since: float) -> int:
    """How many updates ended in this state since this time (seconds since the epoch)."""
    return connection.execute(
        select(func.count()).select_from(inbound).where(inbound.c.received_at > since, inbound.c.state == state)
    ).scalar_one()
