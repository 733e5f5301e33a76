"""The outbox: parts on their way, in order per conversation; and previews, which are not deliveries."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from lar.domain.conversation import Address
from lar.domain.delivery import Delivery, DeliveryState, Part
from lar.domain.ids import ConversationId, DeliveryId, TurnId
from lar.store.database import notify
from lar.store.dialect import InsertNew, among
from lar.store.schema import conversation, delivery, preview

_OPEN = (DeliveryState.PENDING, DeliveryState.SENDING)

_ADD = delivery.insert()

_NEXT = (
    select(
        delivery,
        conversation.c.channel,
        conversation.c.account,
        conversation.c.chat,
        conversation.c.thread,
    )
    .join(conversation, conversation.c.id == delivery.c.conversation_id)
    .where(
        delivery.c.conversation_id == bindparam("conversation_id"),
        among(delivery.c.state, _OPEN),
    )
    .order_by(delivery.c.id)
    .limit(1)
)

_SENDING = (
    update(delivery)
    .where(delivery.c.id == bindparam("delivery_id"), delivery.c.state == DeliveryState.PENDING)
    .values(state=DeliveryState.SENDING, attempts=delivery.c.attempts + 1)
)

_SENT = (
    update(delivery)
    .where(delivery.c.id == bindparam("delivery_id"))
    .values(state=DeliveryState.SENT, vendor_id=bindparam("receipt"), sent_at=bindparam("now"), error="")
)

_UNCERTAIN = (
    update(delivery)
    .where(delivery.c.state == DeliveryState.SENDING)
    .values(state=DeliveryState.PENDING, resent=True, not_before=0.0)
)

_KEEP_PREVIEW = InsertNew(preview, "vendor_id")


def _delivery(row: Row[*tuple[object, ...]]) -> Delivery:
    return Delivery(
        id=DeliveryId(row.id),
        conversation_id=ConversationId(row.conversation_id),
        address=Address(row.channel, row.account, row.chat, row.thread),
        turn_id=None if row.turn_id is None else TurnId(row.turn_id),
        part=Part.from_json(row.part),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        resent=row.resent,
        vendor_id=row.vendor_id,
        error=row.error,
    )


def add(
    connection: Connection,
    conversation_id: ConversationId,
    parts: Sequence[Part],
    now: float,
    turn_id: TurnId | None = None,
) -> None:
    """Put parts at the end of the conversation's outbox; they leave after the commit."""
    if not parts:
        return
    connection.execute(
        _ADD,
        [
            {
                "conversation_id": conversation_id,
                "turn_id": turn_id,
                "part": part.to_json(),
                "state": DeliveryState.PENDING,
                "not_before": 0.0,
                "created_at": now,
            }
            for part in parts
        ],
    )
    notify(connection, "deliveries", str(conversation_id))


def take(
    connection: Connection, conversation_id: ConversationId, accounts: Collection[tuple[str, str]], now: float
) -> tuple[Delivery | None, float]:
    """Mark the first open part of a conversation as being sent, and return it.

    Where it may not leave yet, None and the time (seconds since the epoch) at which it may; 0.0 if nothing is left, or
    the conversation belongs to none of these accounts (each a channel and an account of it).
    """
    row = connection.execute(_NEXT, {"conversation_id": conversation_id}).one_or_none()
    if row is None or row.state == DeliveryState.SENDING or (row.channel, row.account) not in accounts:
        return None, 0.0
    if row.not_before > now:
        return None, row.not_before
    if connection.execute(_SENDING, {"delivery_id": row.id}).rowcount == 0:  # somebody else was quicker
        return None, 0.0
    taken = _delivery(row)
    if taken.part.edits:
        taken = replace(taken, part=_as_edit(connection, taken.part))
    return replace(taken, state=DeliveryState.SENDING, attempts=taken.attempts + 1), 0.0


def _as_edit(connection: Connection, part: Part) -> Part:
    """The part as an edit of the message it names, or as a message of its own if that never arrived."""
    vendor_id = connection.execute(select(delivery.c.vendor_id).where(delivery.c.id == part.edits)).scalar()
    return replace(part, edit_of=vendor_id or "", edits=0)


def add_one(
    connection: Connection, conversation_id: ConversationId, part: Part, now: float, turn_id: TurnId | None = None
) -> DeliveryId:
    """Put a part at the end of the conversation's outbox, and return the id it got there."""
    values = {
        "conversation_id": conversation_id,
        "turn_id": turn_id,
        "part": part.to_json(),
        "state": DeliveryState.PENDING,
        "not_before": 0.0,
        "created_at": now,
    }
    new = connection.execute(_ADD.returning(delivery.c.id), values).scalar_one()
    notify(connection, "deliveries", str(conversation_id))
    return DeliveryId(new)


def sent(connection: Connection, delivery_id: DeliveryId, vendor_id: str, now: float) -> None:
    """The vendor took it."""
    connection.execute(_SENT, {"delivery_id": delivery_id, "receipt": vendor_id, "now": now})


def put_back(
    connection: Connection, delivery_id: DeliveryId, not_before: float, error: str, *, uncertain: bool
) -> None:
    """Not sent, or not known to be: it is tried again from `not_before` (seconds since the epoch) on."""
    values: dict[str, object] = {"state": DeliveryState.PENDING, "not_before": not_before, "error": error}
    if uncertain:
        values["resent"] = True
    connection.execute(
        update(delivery).where(delivery.c.id == delivery_id, delivery.c.state == DeliveryState.SENDING).values(values)
    )


def close(connection: Connection, delivery_id: DeliveryId, state: DeliveryState, error: str) -> None:
    """It will not be sent."""
    connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.state == DeliveryState.SENDING)
        .values(state=state, error=error)
    )


def replace_part(connection: Connection, delivery_id: DeliveryId, part: Part, error: str) -> None:
    """It cannot be sent; another part goes in its place."""
    values = {"part": part.to_json(), "state": DeliveryState.PENDING, "not_before": 0.0, "error": error}
    connection.execute(
        update(delivery).where(delivery.c.id == delivery_id, delivery.c.state == DeliveryState.SENDING).values(values)
    )


def close_open(
    connection: Connection, conversations: Sequence[ConversationId], state: DeliveryState, *, turns_only: bool
) -> int:
    """Close what was not sent in these conversations (`turns_only`: parts of turns alone); how many.

    A part that is on its way may still arrive, and is sent then; it is not tried again.
    """
    statement = update(delivery).where(delivery.c.conversation_id.in_(conversations), among(delivery.c.state, _OPEN))
    if turns_only:
        statement = statement.where(delivery.c.turn_id.is_not(None))
    return connection.execute(statement.values(state=state)).rowcount


def close_turns(connection: Connection, turn_ids: Sequence[TurnId], state: DeliveryState) -> None:
    """Close what was not sent of these turns."""
    connection.execute(
        update(delivery).where(delivery.c.turn_id.in_(turn_ids), among(delivery.c.state, _OPEN)).values(state=state)
    )


def recover(connection: Connection, channel: str, account: str) -> int:
    """At start: parts that were being sent are uncertain, and go back marked as resent; how many."""
    ours = select(conversation.c.id).where(conversation.c.channel == channel, conversation.c.account == account)
    return connection.execute(_UNCERTAIN.where(delivery.c.conversation_id.in_(ours))).rowcount


def recover_in(connection: Connection, conversation_id: ConversationId) -> None:
    """As `recover`, for one conversation whose sender lost track of what it had taken."""
    connection.execute(_UNCERTAIN.where(delivery.c.conversation_id == conversation_id))


def waiting(connection: Connection, channel: str, account: str) -> list[ConversationId]:
    """The conversations of an account that have something to send."""
    rows = connection.execute(
        select(delivery.c.conversation_id)
        .join(conversation, conversation.c.id == delivery.c.conversation_id)
        .where(
            among(delivery.c.state, _OPEN),
            conversation.c.channel == channel,
            conversation.c.account == account,
        )
        .distinct()
    )
    return [ConversationId(value) for value in rows.scalars()]


def counts(connection: Connection) -> dict[str, int]:
    """How many parts are in each state, and under `resent` how many were ever uncertain."""
    rows = connection.execute(select(delivery.c.state, func.count()).group_by(delivery.c.state))
    found = {str(state): int(number) for state, number in rows}
    found["resent"] = connection.execute(
        select(func.count()).select_from(delivery).where(delivery.c.resent.is_(other=True))
    ).scalar_one()
    return found


def added_since(connection: Connection, since: float, conversation_id: ConversationId) -> int:
    """How many parts were added to a conversation's outbox since this time (seconds since the epoch)."""
    return connection.execute(
        select(func.count())
        .select_from(delivery)
        .where(delivery.c.conversation_id == conversation_id, delivery.c.created_at > since)
    ).scalar_one()


# ---- previews


def keep_preview(connection: Connection, conversation_id: ConversationId, vendor_id: str, turn_id: TurnId) -> None:
    """Remember that a preview message is on the person's screen."""
    values = {"conversation_id": conversation_id, "vendor_id": vendor_id, "turn_id": turn_id}
    _KEEP_PREVIEW(connection, values)


def previews(connection: Connection) -> list[tuple[ConversationId, Address, str]]:
    """Preview messages that are still there: where, and their vendor ids."""
    statement = select(
        preview.c.conversation_id,
        preview.c.vendor_id,
        conversation.c.channel,
        conversation.c.account,
        conversation.c.chat,
        conversation.c.thread,
    ).join(conversation, conversation.c.id == preview.c.conversation_id)
    return [
        (ConversationId(row.conversation_id), Address(row.channel, row.account, row.chat, row.thread), row.vendor_id)
        for row in connection.execute(statement)
    ]


def drop_preview(connection: Connection, conversation_id: ConversationId, vendor_id: str) -> None:
    """The preview message is gone."""
    connection.execute(
        delete(preview).where(preview.c.conversation_id == conversation_id, preview.c.vendor_id == vendor_id)
    )
