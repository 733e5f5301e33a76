"""Read everything that is recorded about a turn."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

from lar.domain.conversation import Address
from lar.domain.delivery import DeliveryState
from lar.domain.ids import TurnId
from lar.domain.turn import TurnState
from lar.store.schema import conversation, delivery, job, memory, message, principal, prompt, step, turn

Plain = dict[str, Any]

_OPEN_TURNS = (TurnState.QUEUED, TurnState.RUNNING)
_OPEN_PARTS = (DeliveryState.PENDING, DeliveryState.SENDING)


def turn_record(connection: Connection, turn_id: TurnId) -> Plain | None:
    """A turn with all that belongs to it, as plain values named like the columns; None if there is no such turn.

    `messages` are those of the turn, `history` and `memories` those its prompt was given, `files` the names and texts
    of the workspace files, `system` the system prompt ("" before the first attempt), `steps` in the order they were
    started.
    """
    found = _first(connection, turn, turn.c.id == turn_id)
    if found is None:
        return None
    pinned: Plain = found["context"] or {}
    return {
        "turn": found,
        "job": _first(connection, job, job.c.id == found["job_id"]),
        "conversation": _first(connection, conversation, conversation.c.id == found["conversation_id"]),
        "principal": _first(connection, principal, principal.c.id == found["principal_id"]),
        "system": _system(connection, pinned.get("system", "")),
        "history": _all(connection, message, message.c.id.in_(pinned.get("history", [])), message.c.id),
        "memories": _in_order(connection, pinned.get("memories", [])),
        "files": [{"name": name, "text": _system(connection, digest)} for name, digest in pinned.get("files", [])],
        "messages": _all(connection, message, message.c.turn_id == turn_id, message.c.id),
        "steps": _all(connection, step, step.c.job_id == found["job_id"], step.c.seq),
        "deliveries": _all(connection, delivery, delivery.c.turn_id == turn_id, delivery.c.id),
    }


def newest_turns(connection: Connection, limit: int) -> list[Plain]:
    """The last turns, newest first: `id`, `state`, `agent`, `created_at`, `ended_at`, `chat`, `channel`, `usage`."""
    rows = connection.execute(
        select(
            turn.c.id,
            turn.c.state,
            turn.c.agent,
            turn.c.created_at,
            turn.c.ended_at,
            turn.c.usage,
            conversation.c.channel,
            conversation.c.chat,
        )
        .join(conversation, conversation.c.id == turn.c.conversation_id)
        .order_by(turn.c.id.desc())
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def is_idle(connection: Connection, where: Address) -> bool:
    """Whether this conversation has no turn that waits or runs and nothing left to deliver."""
    here = select(conversation.c.id).where(
        conversation.c.channel == where.channel,
        conversation.c.account == where.account,
        conversation.c.chat == where.chat,
        conversation.c.thread == where.thread,
    )
    turns = select(turn.c.id).where(turn.c.conversation_id.in_(here), turn.c.state.in_(_OPEN_TURNS))
    parts = select(delivery.c.id).where(delivery.c.conversation_id.in_(here), delivery.c.state.in_(_OPEN_PARTS))
    return not connection.execute(select(turns.exists() | parts.exists())).scalar_one()


def _system(connection: Connection, digest: str) -> str:
    return connection.execute(select(prompt.c.text).where(prompt.c.digest == digest)).scalar_one_or_none() or ""


def _in_order(connection: Connection, ids: list[int]) -> list[Plain]:
    found = {row["id"]: row for row in _all(connection, memory, memory.c.id.in_(ids), memory.c.id)}
    return [found[number] for number in ids if number in found]


def _first(connection: Connection, table: Table, condition: ColumnElement[bool]) -> Plain | None:
    row = connection.execute(select(table).where(condition)).mappings().one_or_none()
    return None if row is None else dict(row)


def _all(
    connection: Connection, table: Table, condition: ColumnElement[bool], order: ColumnElement[Any]
) -> list[Plain]:
    return [dict(row) for row in connection.execute(select(table).where(condition).order_by(order)).mappings()]
