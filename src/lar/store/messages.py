"""The transcript."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from sqlalchemy import Connection, Row, bindparam, func, select, update

from lar.domain.ids import ConversationId, MessageId, PrincipalId, TurnId
from lar.domain.inbound import Attachment, AttachmentKind
from lar.domain.message import Author, Message
from lar.store.schema import message

_ADD = message.insert().returning(message.c.id)

_WINDOW = (
    select(message)
    .where(
        message.c.conversation_id == bindparam("conversation_id"),
        message.c.id > bindparam("after"),
        message.c.turn_id < bindparam("before_turn"),
        message.c.turn_id > bindparam("after_turn"),
    )
    .order_by(message.c.turn_id.desc(), message.c.id.desc())
    .limit(bindparam("limit"))
)

_OF_TURN = (
    select(message)
    .where(message.c.turn_id == bindparam("turn_id"), message.c.author == Author.USER)
    .order_by(message.c.id)
)


def _message(row: Row[*tuple[object, ...]]) -> Message:
    return Message(
        id=MessageId(row.id),
        conversation_id=ConversationId(row.conversation_id),
        author=Author(row.author),
        text=row.text,
        created_at=row.created_at,
        principal_id=None if row.principal_id is None else PrincipalId(row.principal_id),
        turn_id=None if row.turn_id is None else TurnId(row.turn_id),
        vendor_id=row.vendor_id,
        source=row.source,
        attachments=tuple(
            replace(Attachment(**stored), kind=AttachmentKind(stored["kind"])) for stored in row.attachments
        ),
    )


def add(connection: Connection, new: Message, group_key: str = "") -> MessageId:
    """Append to the transcript; `new.id` is ignored. The id it got."""
    return MessageId(
        connection.execute(
            _ADD,
            {
                "conversation_id": new.conversation_id,
                "principal_id": new.principal_id,
                "turn_id": new.turn_id,
                "author": new.author,
                "text": new.text,
                "vendor_id": new.vendor_id,
                "group_key": group_key,
                "attachments": [asdict(attachment) for attachment in new.attachments],
                "created_at": new.created_at,
                "source": new.source,
            },
        ).scalar_one()
    )


def window(
    connection: Connection,
    conversation_id: ConversationId,
    after: int,
    before_turn: TurnId,
    limit: int,
    after_turn: int = 0,
) -> list[Message]:
    """The last `limit` messages of the turns between two, with an id above `after`; turn by turn, oldest first."""
    values = {
        "conversation_id": conversation_id,
        "after": after,
        "before_turn": before_turn,
        "after_turn": after_turn,
        "limit": limit,
    }
    return [_message(row) for row in reversed(connection.execute(_WINDOW, values).all())]


def by_ids(connection: Connection, ids: Sequence[int]) -> list[Message]:
    """These messages, turn by turn, oldest first; those that were trimmed meanwhile are missing."""
    rows = connection.execute(select(message).where(message.c.id.in_(ids)).order_by(message.c.turn_id, message.c.id))
    return [_message(row) for row in rows]


def of_turns(connection: Connection, turn_ids: Sequence[TurnId]) -> list[Message]:
    """All that was said in these turns, turn by turn, oldest first."""
    wanted = select(message).where(message.c.turn_id.in_(turn_ids)).order_by(message.c.turn_id, message.c.id)
    return [_message(row) for row in connection.execute(wanted)]


def by_turn(said: Sequence[Message]) -> dict[TurnId, list[Message]]:
    """These messages, by the turn they belong to."""
    found: dict[TurnId, list[Message]] = {}
    for each in said:
        found.setdefault(TurnId(each.turn_id or 0), []).append(each)
    return found


def of_turn(connection: Connection, turn_id: TurnId) -> list[Message]:
    """What people said in this turn, oldest first."""
    return [_message(row) for row in connection.execute(_OF_TURN, {"turn_id": turn_id})]


def newest_id(connection: Connection, conversation_id: ConversationId) -> int:
    """The id of the last message, 0 if there is none."""
    return (
        connection.execute(
            select(func.max(message.c.id)).where(message.c.conversation_id == conversation_id)
        ).scalar_one()
        or 0
    )


def has_written(connection: Connection, conversation_id: ConversationId, principal_id: PrincipalId) -> bool:
    """Whether there is a message of this person in the conversation."""
    theirs = select(message.c.id).where(
        message.c.conversation_id == conversation_id, message.c.principal_id == principal_id
    )
    return connection.execute(theirs.limit(1)).first() is not None


def by_vendor_id(connection: Connection, conversation_id: ConversationId, vendor_id: str) -> Message | None:
    """The message the vendor knows by this id."""
    row = connection.execute(
        select(message).where(message.c.conversation_id == conversation_id, message.c.vendor_id == vendor_id)
    ).first()
    return None if row is None else _message(row)


def rewrite(connection: Connection, message_id: MessageId, text: str) -> None:
    """Replace the text of a message that was edited before it was answered."""
    connection.execute(update(message).where(message.c.id == message_id).values(text=text))


def tell(connection: Connection, told: Sequence[Message]) -> None:
    """Write into messages what came with them: their text, and what became of their attachments."""
    for each in told:
        attachments = [asdict(attachment) for attachment in each.attachments]
        values = {"text": each.text, "attachments": attachments}
        connection.execute(update(message).where(message.c.id == each.id).values(values))


def move(connection: Connection, ids: Sequence[int], turn_id: TurnId) -> None:
    """Hand messages over to another turn."""
    connection.execute(update(message).where(message.c.id.in_(ids)).values(turn_id=turn_id))


def group_turn(connection: Connection, conversation_id: ConversationId, group_key: str) -> TurnId | None:
    """The turn that an earlier part of this album went to."""
    found = connection.execute(
        select(message.c.turn_id)
        .where(message.c.conversation_id == conversation_id, message.c.group_key == group_key)
        .limit(1)
    ).scalar_one_or_none()
    return None if found is None else TurnId(found)
