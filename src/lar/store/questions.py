"""Questions to people, the messages that show them, and what was permitted for good."""

from collections.abc import Sequence

from sqlalchemy import Connection, Row, bindparam, or_, select, update

from lar.domain.ids import ConversationId, DeliveryId, JobId, MessageId, PrincipalId, QuestionId, TurnId
from lar.domain.question import Question, QuestionKind, QuestionState
from lar.store.dialect import InsertNew
from lar.store.schema import delivery, permission, question, question_delivery

_NEW = InsertNew(question, "id")
_OF_CALL = select(question).where(question.c.turn_id == bindparam("turn"), question.c.call == bindparam("key"))
_PERMITTED = (
    select(permission.c.id)
    .where(
        permission.c.principal_id == bindparam("principal"),
        permission.c.tool == bindparam("called"),
        permission.c.target == bindparam("at"),
        or_(permission.c.conversation_id.is_(None), permission.c.conversation_id == bindparam("here")),
    )
    .order_by(permission.c.id)
    .limit(1)
)


def _question(row: Row[*tuple[object, ...]]) -> Question:
    return Question(
        id=QuestionId(row.id),
        kind=QuestionKind(row.kind),
        state=QuestionState(row.state),
        turn_id=TurnId(row.turn_id),
        job_id=JobId(row.job_id),
        call=row.call,
        conversation_id=ConversationId(row.conversation_id),
        principal_id=PrincipalId(row.principal_id),
        admins_only=row.admins_only,
        about=row.about,
        created_at=row.created_at,
        expires_at=row.expires_at,
        answer=row.answer,
        reason=row.reason,
        decided_by=row.decided_by,
    )


def add(connection: Connection, new: Question) -> Question:
    """Store a question; `new.id` is ignored. A call asks once: the question it has already comes back."""
    values = {
        "kind": new.kind,
        "state": new.state,
        "turn_id": new.turn_id,
        "job_id": new.job_id,
        "call": new.call,
        "conversation_id": new.conversation_id,
        "principal_id": new.principal_id,
        "admins_only": new.admins_only,
        "about": dict(new.about),
        "created_at": new.created_at,
        "expires_at": new.expires_at,
    }
    _NEW(connection, values)
    return _question(connection.execute(_OF_CALL, {"turn": new.turn_id, "key": new.call}).one())


def get(connection: Connection, question_id: QuestionId) -> Question | None:
    """The question with this id, locked until the transaction ends."""
    row = connection.execute(select(question).where(question.c.id == question_id).with_for_update()).one_or_none()
    return None if row is None else _question(row)


def of_call(connection: Connection, turn_id: TurnId, call: str) -> Question | None:
    """What this call asked."""
    row = connection.execute(_OF_CALL, {"turn": turn_id, "key": call}).one_or_none()
    return None if row is None else _question(row)


def open_of(connection: Connection, conversation_id: ConversationId, principal_id: PrincipalId) -> list[Question]:
    """What this person was asked in this conversation and has not answered; not what only admins may answer."""
    return _open(
        connection,
        question.c.conversation_id == conversation_id,
        question.c.principal_id == principal_id,
        question.c.admins_only.is_(other=False),
    )


def open_of_turns(connection: Connection, turn_ids: Sequence[TurnId]) -> list[Question]:
    """What these turns still ask."""
    return _open(connection, question.c.turn_id.in_(turn_ids))


def all_open(connection: Connection) -> list[Question]:
    """Every question that waits for an answer, oldest first."""
    return _open(connection)


def overdue(connection: Connection, now: float) -> list[Question]:
    """Open questions whose time is over."""
    return _open(connection, question.c.expires_at <= now)


def _open(connection: Connection, *conditions: object) -> list[Question]:
    statement = select(question).where(question.c.state == QuestionState.OPEN, *conditions).order_by(question.c.id)  # pyright: ignore[reportArgumentType]  # column expressions
    return [_question(row) for row in connection.execute(statement)]


def close(  # what is decided about a question is decided at once
    connection: Connection,
    question_id: QuestionId,
    state: QuestionState,
    now: float,
    *,
    answer: str = "",
    reason: str = "",
    by: PrincipalId | None = None,
) -> bool:
    """Decide an open question. False if it was decided before."""
    values = {"state": state, "answer": answer, "reason": reason, "decided_by": by, "decided_at": now}
    closed = update(question).where(question.c.id == question_id, question.c.state == QuestionState.OPEN).values(values)
    return connection.execute(closed).rowcount > 0


def answered_by(connection: Connection, question_id: QuestionId, message_id: MessageId) -> None:
    """This message was written in answer to the question."""
    connection.execute(update(question).where(question.c.id == question_id).values(message_id=message_id))


def answers_to(connection: Connection, turn_id: TurnId) -> set[MessageId]:
    """The messages that were written in answer to what this turn asked."""
    rows = connection.execute(
        select(question.c.message_id).where(question.c.turn_id == turn_id, question.c.message_id.is_not(None))
    )
    return {MessageId(value) for value in rows.scalars()}


def shown_by(connection: Connection, question_id: QuestionId, delivery_id: DeliveryId) -> None:
    """This part shows the question."""
    values = {"question_id": question_id, "delivery_id": delivery_id}
    connection.execute(question_delivery.insert().values(values))


def shown(connection: Connection, question_id: QuestionId) -> list[tuple[DeliveryId, ConversationId]]:
    """The parts that show a question, and where."""
    rows = connection.execute(
        select(delivery.c.id, delivery.c.conversation_id)
        .join(question_delivery, question_delivery.c.delivery_id == delivery.c.id)
        .where(question_delivery.c.question_id == question_id)
        .order_by(delivery.c.id)
    )
    return [(DeliveryId(part), ConversationId(where)) for part, where in rows]


def permit(  # who, what and where are told apart
    connection: Connection,
    principal_id: PrincipalId,
    tool: str,
    target: str,
    conversation_id: ConversationId | None,
    by: PrincipalId,
    now: float,
) -> None:
    """Permit this person's calls of a tool at a target, in one conversation or (None) everywhere, until withdrawn."""
    values = {
        "principal_id": principal_id,
        "tool": tool,
        "target": target,
        "conversation_id": conversation_id,
        "granted_by": by,
        "created_at": now,
    }
    connection.execute(permission.insert().values(values))


def permitted(
    connection: Connection, principal_id: PrincipalId, tool: str, target: str, conversation_id: ConversationId
) -> int | None:
    """The number of a permission that covers this call; None: there is none."""
    values = {"principal": principal_id, "called": tool, "at": target, "here": conversation_id}
    return connection.execute(_PERMITTED, values).scalar()


def permissions(connection: Connection) -> list[dict[str, object]]:
    """Every permission: `id`, `principal_id`, `tool`, `target`, `conversation_id` (None: everywhere), `created_at`."""
    rows = connection.execute(select(permission).order_by(permission.c.id)).mappings()
    return [dict(row) for row in rows]


def withdraw(connection: Connection, permission_id: int) -> bool:
    """Take a permission back. False if there is none of this number."""
    return connection.execute(permission.delete().where(permission.c.id == permission_id)).rowcount > 0
