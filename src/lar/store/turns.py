"""Turns, and the prompts they were asked with."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Row, and_, bindparam, func, or_, select, update

from lar.domain.ids import ConversationId, JobId, PrincipalId, TurnId
from lar.domain.turn import Turn, TurnState, Usage
from lar.domain.values import JsonObject
from lar.store.dialect import InsertNew, among
from lar.store.schema import message, prompt, turn

_OPEN_STATES = (TurnState.QUEUED, TurnState.RUNNING)

_ADD = turn.insert().returning(turn.c.id)
_BY_JOB = select(turn).where(turn.c.job_id == bindparam("job"))
# Not ordered here: SQLite would walk through all turns of the conversation to have them in order.
_OPEN = select(turn).where(turn.c.conversation_id == bindparam("conversation_id"), among(turn.c.state, _OPEN_STATES))
_COUNT_OPEN = select(func.count()).select_from(turn).where(among(turn.c.state, _OPEN_STATES))
_BEGIN = (
    update(turn)
    .where(turn.c.id == bindparam("turn_id"))
    .values(state=TurnState.RUNNING, started_at=bindparam("now"), context=bindparam("pinned"))
)
_END = (
    update(turn)
    .where(turn.c.id == bindparam("turn_id"), among(turn.c.state, _OPEN_STATES))
    .values(
        state=bindparam("new_state"),
        ended_at=bindparam("now"),
        usage=bindparam("new_usage"),
        error=bindparam("new_error"),
        taint=bindparam("new_taint", type_=turn.c.taint.type),
    )
)
_TAINT = (
    select(turn.c.id, turn.c.taint, message.c.source)
    .outerjoin(message, and_(message.c.turn_id == turn.c.id, message.c.source != ""))
    .where(
        turn.c.id.in_(bindparam("turn_ids", expanding=True)),
        or_(turn.c.taint.is_not(None), message.c.source.is_not(None)),
    )
    .order_by(turn.c.id, message.c.id)
)
_KEEP_PROMPT = InsertNew(prompt, "digest")


def _turn(row: Row[*tuple[object, ...]]) -> Turn:
    return Turn(
        id=TurnId(row.id),
        conversation_id=ConversationId(row.conversation_id),
        principal_id=PrincipalId(row.principal_id),
        job_id=JobId(row.job_id),
        state=TurnState(row.state),
        agent=row.agent,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        usage=Usage(**row.usage),
        error=row.error,
    )


def add(connection: Connection, new: Turn) -> TurnId:
    """Add a queued turn; `new.id` is ignored. The id it got."""
    return TurnId(
        connection.execute(
            _ADD,
            {
                "conversation_id": new.conversation_id,
                "principal_id": new.principal_id,
                "job_id": new.job_id,
                "state": new.state,
                "agent": new.agent,
                "usage": asdict(new.usage),
                "created_at": new.created_at,
            },
        ).scalar_one()
    )


def by_job(connection: Connection, job_id: JobId) -> tuple[Turn, JsonObject | None]:
    """The turn a job does, and its pinned context (None before the first attempt).

    Raises:
        sqlalchemy.exc.NoResultFound: there is none.

    """
    row = connection.execute(_BY_JOB, {"job": job_id}).one()
    return _turn(row), row.context


def get(connection: Connection, turn_id: TurnId) -> Turn | None:
    """The turn with this id."""
    row = connection.execute(select(turn).where(turn.c.id == turn_id)).one_or_none()
    return None if row is None else _turn(row)


def open_in(connection: Connection, conversation_id: ConversationId) -> list[Turn]:
    """Queued and running turns of a conversation, oldest first."""
    found = connection.execute(_OPEN, {"conversation_id": conversation_id})
    return sorted((_turn(row) for row in found), key=lambda turn: turn.id)


def all_open(connection: Connection) -> list[Turn]:
    """Queued and running turns of every conversation, oldest first."""
    found = connection.execute(select(turn).where(among(turn.c.state, _OPEN_STATES)).order_by(turn.c.id))
    return [_turn(row) for row in found]


def newest(connection: Connection, conversation_id: ConversationId) -> Turn | None:
    """The last turn of a conversation."""
    row = connection.execute(
        select(turn).where(turn.c.conversation_id == conversation_id).order_by(turn.c.id.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _turn(row)


def count_open(connection: Connection) -> int:
    """How many turns are queued or running in all."""
    return connection.execute(_COUNT_OPEN).scalar_one()


def counts_since(connection: Connection, since: float) -> dict[TurnState, int]:
    """How many turns began since then, by their state now."""
    counted = select(turn.c.state, func.count()).where(turn.c.created_at >= since).group_by(turn.c.state)
    return {TurnState(state): count for state, count in connection.execute(counted)}


def begin(connection: Connection, turn_id: TurnId, pinned: JsonObject, now: float) -> None:
    """The first attempt starts, with this context."""
    connection.execute(_BEGIN, {"turn_id": turn_id, "pinned": dict(pinned), "now": now})


def end(  # how a turn ended is written at once
    connection: Connection,
    turn_id: TurnId,
    state: TurnState,
    usage: Usage,
    now: float,
    error: str = "",
    taint: Sequence[str] = (),
) -> None:
    """The turn is over. One that is over already is left alone. `taint` is what it saw from outside."""
    values = {
        "turn_id": turn_id,
        "new_state": state,
        "new_usage": asdict(usage),
        "now": now,
        "new_error": error,
        "new_taint": list(taint) or None,
    }
    connection.execute(_END, values)


def taints(connection: Connection, turn_ids: Collection[TurnId]) -> dict[TurnId, list[str]]:
    """Where content from outside came from that these turns saw; turns that saw none are missing.

    What was handed on in a message of theirs counts, even if the turn was stopped before it saw anything.
    """
    found: dict[TurnId, list[str]] = {}
    for identity, saw, handed_on in connection.execute(_TAINT, {"turn_ids": sorted(turn_ids)}) if turn_ids else ():
        found.setdefault(TurnId(identity), []).extend((*(saw or ()), *([handed_on] if handed_on else [])))
    return {number: list(dict.fromkeys(sources)) for number, sources in found.items() if sources}


def stop_jobs(connection: Connection, jobs: Sequence[JobId], now: float, error: str) -> int:
    """Mark the open turns of these jobs as stopped; how many."""
    return connection.execute(
        update(turn)
        .where(turn.c.job_id.in_(jobs), among(turn.c.state, _OPEN_STATES))
        .values(state=TurnState.STOPPED, ended_at=now, error=error)
    ).rowcount


def keep_prompt(connection: Connection, text: str) -> str:
    """Store a system prompt once; its digest (SHA-256, hexadecimal)."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    _KEEP_PROMPT(connection, {"digest": digest, "text": text})
    return digest


def prompt_text(connection: Connection, digest: str) -> str:
    """The system prompt with this digest.

    Raises:
        sqlalchemy.exc.NoResultFound: it was never stored.

    """
    return connection.execute(select(prompt.c.text).where(prompt.c.digest == digest)).scalar_one()
