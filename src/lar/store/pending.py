"""Messages that belong to no turn yet: files that wait for a word of their sender."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select

from lar.domain.ids import ConversationId, MessageId, PrincipalId
from lar.store.schema import message
from lar.store.upkeep import prune as prune_some

_OF = (
    select(message.c.id, message.c.created_at)
    .where(
        message.c.conversation_id == bindparam("conversation_id"),
        message.c.turn_id.is_(None),
        message.c.principal_id == bindparam("principal_id"),
    )
    .order_by(message.c.id)
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One of them. `created_at` is in seconds since the epoch."""

    id: MessageId
    created_at: float


def of(connection: Connection, conversation_id: ConversationId, principal_id: PrincipalId) -> list[Waiting]:
    """Those of this person here, oldest first."""
    values = {"conversation_id": conversation_id, "principal_id": principal_id}
    return [Waiting(MessageId(row.id), row.created_at) for row in connection.execute(_OF, values)]


def drop(connection: Connection, message_id: MessageId) -> None:
    """Forget one."""
    connection.execute(delete(message).where(message.c.id == message_id, message.c.turn_id.is_(None)))


def prune(connection: Connection, before: float) -> int:
    """Forget a batch of those kept before this time (seconds since the epoch); how many."""
    return prune_some(connection, message, message.c.turn_id.is_(None), message.c.created_at < before)
