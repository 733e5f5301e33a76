"""What is remembered of what was said. Every function is about one owner or one conversation, never about two."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, select, update

from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, MemoryId, PrincipalId, TurnId
from lar.domain.memory import Kind, Memory, Owner
from lar.domain.message import Author
from lar.store.dialect import InsertNew, among
from lar.store.schema import conversation, memory, message, turn
from lar.store.upkeep import prune as prune_some

_SUMMARIES = (Kind.MAJOR, Kind.DAY, Kind.TODAY)

_ADD = InsertNew(memory, "id")
_TOLD = (
    memory.c.id,
    memory.c.kind,
    memory.c.owner,
    memory.c.text,
    memory.c.number,
    memory.c.day,
    memory.c.turn_id,
    memory.c.conversation_id,
    memory.c.until,
    memory.c.taint,
    memory.c.corrected,
)
"""What a turn has to know of a sentence, and `/memory` at first."""
_RECALL = (
    select(*_TOLD)
    .where(memory.c.owner == bindparam("whose"), among(memory.c.kind, _SUMMARIES), memory.c.ended_at.is_(None))
    .order_by(memory.c.kind, memory.c.day, memory.c.number, memory.c.id)
)
_SENTENCES = (
    select(*_TOLD)
    .where(
        memory.c.conversation_id == bindparam("here"),
        memory.c.kind == Kind.EXCHANGE,
        memory.c.message_id > bindparam("after"),
        memory.c.turn_id < bindparam("before_turn"),
        memory.c.ended_at.is_(None),
    )
    .order_by(memory.c.turn_id.desc())
    .limit(bindparam("limit"))
)
_NEWEST_TURN = select(func.max(memory.c.turn_id)).where(
    memory.c.conversation_id == bindparam("here"), memory.c.kind == Kind.EXCHANGE
)
_EVER = 2**62


def _told(row: Row[*tuple[Any, ...]]) -> Memory:
    """A sentence without what it was made from. Every turn reads dozens."""
    identity, kind, owner, text, number, day, turn_id, conversation_id, until, taint, corrected = row
    return Memory(
        identity,
        Kind(kind),
        owner,
        text,
        number,
        day,
        turn_id,
        conversation_id,
        until,
        taint=tuple(taint or ()),
        corrected=corrected,
    )


def _memory(row: Row[*tuple[object, ...]]) -> Memory:
    return Memory(
        id=MemoryId(row.id),
        kind=Kind(row.kind),
        owner=row.owner,
        text=row.text,
        number=row.number,
        day=row.day,
        turn_id=None if row.turn_id is None else TurnId(row.turn_id),
        conversation_id=None if row.conversation_id is None else ConversationId(row.conversation_id),
        until=row.until,
        made_from=row.made_from,
        taint=tuple(row.taint or ()),
        corrected=row.corrected,
        created_at=row.created_at,
    )


# ---- reading


def summaries(connection: Connection, owner: Owner) -> list[Memory]:
    """What the owner's days came to, as far as nothing took its place, by kind, day and number; without `made_from`."""
    return [_told(row) for row in connection.execute(_RECALL, {"whose": owner.key})]


def sentences(
    connection: Connection, conversation_id: ConversationId, after: int, before_turn: TurnId | None, limit: int
) -> list[Memory]:
    """The newest sentences of exchanges that began after a message here, oldest first; without `made_from`."""
    values = {"here": conversation_id, "after": after, "before_turn": before_turn or _EVER, "limit": limit}
    return [_told(row) for row in reversed(connection.execute(_SENTENCES, values).all())]


def newest_turn(connection: Connection, conversation_id: ConversationId) -> int:
    """The last turn of a conversation that has become a sentence, 0 if none has. All before it are done with."""
    return connection.execute(_NEWEST_TURN, {"here": conversation_id}).scalar_one() or 0


def by_ids(connection: Connection, ids: Sequence[int]) -> list[Memory]:
    """These, in this order; those that were forgotten meanwhile are without text."""
    found = {row.id: _memory(row) for row in connection.execute(select(memory).where(memory.c.id.in_(ids)))}
    return [found[number] for number in ids if number in found]


def find(connection: Connection, owner: Owner, memory_id: int) -> Memory | None:
    """The owner's sentence with this number, if it still says something."""
    row = connection.execute(
        select(memory).where(
            memory.c.id == memory_id, memory.c.owner == owner.key, memory.c.text != "", memory.c.ended_at.is_(None)
        )
    ).one_or_none()
    return None if row is None else _memory(row)


# ---- writing


def add(connection: Connection, new: Memory, key: str | None, first_message: int = 0) -> bool:
    """Keep a sentence; `new.id` is ignored. False: what it stands for has one already, and nothing changes."""
    owner = Owner.parse(new.owner)
    values = {
        "owner": new.owner,
        "kind": new.kind,
        "key": key,
        "principal_id": owner.principal_id,
        "conversation_id": new.conversation_id or owner.conversation_id,
        "turn_id": new.turn_id,
        "message_id": first_message,
        "number": new.number,
        "day": new.day,
        "text": new.text,
        "made_from": dict(new.made_from),
        "taint": list(new.taint) or None,
        "until": new.until,
        "corrected": new.corrected,
        "created_at": new.created_at,
    }
    return _ADD(connection, values) is not None


def next_number(connection: Connection, conversation_id: ConversationId) -> int:
    """The number of the next sentence of a conversation."""
    last = select(func.max(memory.c.number)).where(
        memory.c.conversation_id == conversation_id, memory.c.kind == Kind.EXCHANGE
    )
    return (connection.execute(last).scalar_one() or 0) + 1


def retire(connection: Connection, owner: Owner, kind: Kind, now: float, *, up_to_day: str = "") -> None:
    """Others take the place of the owner's sentences of this kind; with `up_to_day`, of those up to that day."""
    wanted = (memory.c.owner == owner.key) & (memory.c.kind == kind) & memory.c.ended_at.is_(None)
    if up_to_day:
        wanted &= memory.c.day <= up_to_day
    connection.execute(update(memory).where(wanted).values(ended_at=now))


KEPT = 90 * 86400.0
"""Seconds for which sentences are kept that others took the place of."""


def prune(connection: Connection, before: float) -> int:
    """Delete a batch of what others took the place of before a time, but for days, which tell what happened. Count."""
    return prune_some(connection, memory, memory.c.ended_at < before, memory.c.kind != Kind.DAY)


def forget(connection: Connection, memory_id: MemoryId) -> None:
    """Take away what a sentence says. That there was one stays, so that it is not made again."""
    connection.execute(update(memory).where(memory.c.id == memory_id).values(text="", made_from={}, taint=None))


def correct(connection: Connection, old: Memory, text: str, now: float) -> None:
    """Let a person's own words take the place of a sentence."""
    forget(connection, old.id)
    first = connection.execute(select(memory.c.message_id).where(memory.c.id == old.id)).scalar_one()
    new = replace(old, text=text, made_from={}, taint=(), corrected=True, created_at=now)
    add(connection, new, None, first)


def forget_trimmed(connection: Connection, conversation_id: ConversationId) -> int:
    """Forget the sentences of exchanges that are no longer in the transcript; how many said something."""
    there = select(message.c.id).where(message.c.turn_id == memory.c.turn_id).correlate(memory)
    gone = (memory.c.conversation_id == conversation_id) & (memory.c.kind == Kind.EXCHANGE) & (memory.c.text != "")
    return connection.execute(
        update(memory).where(gone, ~there.exists()).values(text="", made_from={}, taint=None)
    ).rowcount


# ---- who said something when


def owners(connection: Connection, start: float, end: float) -> list[Owner]:
    """Whose memory something was said for from a time on and before another (seconds since the epoch)."""
    rows = connection.execute(
        select(turn.c.principal_id, conversation.c.place, conversation.c.id)
        .distinct()
        .select_from(message)
        .join(turn, turn.c.id == message.c.turn_id)
        .join(conversation, conversation.c.id == message.c.conversation_id)
        .where(message.c.created_at >= start, message.c.created_at < end, message.c.text != "")
    )
    found = {Owner.of(Place(place), PrincipalId(who), ConversationId(here)) for who, place, here in rows}
    return sorted(found, key=lambda owner: owner.key)


def turns_of(connection: Connection, owner: Owner, start: float, end: float, limit: int) -> list[TurnId]:
    """The owner's last turns in which something was said in this time; oldest first."""
    mine = (
        conversation.c.id == owner.conversation_id
        if owner.conversation_id is not None
        else and_(turn.c.principal_id == owner.principal_id, conversation.c.place == Place.PRIVATE)
    )
    rows = connection.execute(
        select(turn.c.id)
        .distinct()
        .select_from(message)
        .join(turn, turn.c.id == message.c.turn_id)
        .join(conversation, conversation.c.id == message.c.conversation_id)
        .where(mine, message.c.created_at >= start, message.c.created_at < end, message.c.author == Author.USER)
        .order_by(turn.c.id.desc())
        .limit(limit)
    ).scalars()
    return sorted(TurnId(number) for number in rows)


def exchanges_since(connection: Connection, owner: Owner, since: float, limit: int) -> list[Memory]:
    """The owner's last exchanges from a time on that became sentences, oldest first; also what was forgotten."""
    wanted = select(memory).where(
        memory.c.owner == owner.key,
        memory.c.kind == Kind.EXCHANGE,
        memory.c.ended_at.is_(None),
        memory.c.until >= since,
        memory.c.key.is_not(None),
    )
    return [
        _memory(row) for row in reversed(connection.execute(wanted.order_by(memory.c.id.desc()).limit(limit)).all())
    ]


def of_turns(connection: Connection, turn_ids: Sequence[TurnId]) -> dict[TurnId, Memory]:
    """The sentences that these turns became; without text where that was forgotten, as a person put it if one did."""
    wanted = select(memory).where(memory.c.turn_id.in_(turn_ids)).order_by(memory.c.id)
    return {TurnId(row.turn_id): _memory(row) for row in connection.execute(wanted)}


def owners_of(connection: Connection, kind: Kind) -> list[Owner]:
    """Who has sentences of this kind that nothing took the place of."""
    wanted = select(memory.c.owner).distinct().where(memory.c.kind == kind, memory.c.ended_at.is_(None))
    return [Owner.parse(key) for key in sorted(connection.execute(wanted).scalars())]
