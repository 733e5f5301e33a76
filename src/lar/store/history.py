"""The transcript of one conversation as a person looks at it and trims it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from lar.domain.ids import ConversationId, MessageId, TurnId
from lar.domain.message import Author
from lar.store import turns
from lar.store.schema import message


@dataclass(frozen=True, slots=True)
class Line:
    """One message. `created_at` is in seconds since the epoch."""

    id: MessageId
    author: Author
    text: str
    created_at: float


def latest(
    connection: Connection, conversation_id: ConversationId, before: MessageId | None, limit: int
) -> tuple[list[Line], int]:
    """The last `limit` messages older than `before` (None: of all), oldest first; and how many there are in all."""
    of_conversation = message.c.conversation_id == conversation_id
    wanted = select(message.c.id, message.c.author, message.c.text, message.c.created_at).where(of_conversation)
    if before is not None:
        wanted = wanted.where(message.c.id < before)
    rows = connection.execute(wanted.order_by(message.c.id.desc()).limit(limit)).all()
    total = connection.execute(select(func.count()).select_from(message).where(of_conversation)).scalar_one()
    return [Line(MessageId(row.id), Author(row.author), row.text, row.created_at) for row in reversed(rows)], total


def taint_of(connection: Connection, message_ids: Sequence[MessageId]) -> list[str]:
    """Where content from outside came from that the turns of these messages saw, each source once."""
    of_turns = select(message.c.turn_id).distinct().where(message.c.id.in_(message_ids), message.c.turn_id.is_not(None))
    seen = turns.taints(connection, [TurnId(number) for number in connection.execute(of_turns).scalars()])
    return list(dict.fromkeys(source for sources in seen.values() for source in sources))


def trim(connection: Connection, conversation_id: ConversationId, keep: int, turn_id: TurnId | None = None) -> int:
    """Delete all but the newest `keep` messages; those of `turn_id` and of later turns are neither counted nor deleted.

    Returns:
        How many messages were deleted.

    """
    older = message.c.conversation_id == conversation_id
    if turn_id is not None:
        older &= message.c.turn_id < turn_id
    newest = select(message.c.id).where(older).order_by(message.c.id.desc()).limit(keep)
    kept = connection.execute(newest).scalars().all()
    gone = delete(message).where(older)
    return connection.execute(gone.where(message.c.id < kept[-1]) if kept else gone).rowcount
