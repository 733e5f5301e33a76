"""Conversations: find, make, change."""

from sqlalchemy import Connection, Row, bindparam, select, union, update

from lar.domain.conversation import Address, Conversation, Mode, Place
from lar.domain.ids import ConversationId, PrincipalId
from lar.domain.principal import Role
from lar.store.dialect import InsertNew
from lar.store.schema import conversation, identity, message, principal

_FIND = (
    select(conversation)
    .where(
        conversation.c.channel == bindparam("channel"),
        conversation.c.account == bindparam("account"),
        conversation.c.chat == bindparam("chat"),
        conversation.c.thread == bindparam("thread"),
    )
    .with_for_update()
)

_GET = select(conversation).where(conversation.c.id == bindparam("conversation_id"))
_ADD = InsertNew(conversation, "id")


def _conversation(row: Row[*tuple[object, ...]]) -> Conversation:
    return Conversation(
        id=ConversationId(row.id),
        address=Address(row.channel, row.account, row.chat, row.thread),
        place=Place(row.place),
        title=row.title,
        agent=row.agent,
        history_after=row.history_after,
        thread_number=row.thread_number,
        gone=row.gone,
        mode=Mode(row.mode) if row.mode else None,
        model=row.model,
        voice=row.voice,
    )


def get(connection: Connection, conversation_id: ConversationId) -> Conversation:
    """The conversation with this id.

    Raises:
        sqlalchemy.exc.NoResultFound: there is none.

    """
    return _conversation(connection.execute(_GET, {"conversation_id": conversation_id}).one())


def reachable(connection: Connection) -> list[Conversation]:
    """Every conversation that is not closed to us, by id."""
    rows = connection.execute(select(conversation).where(~conversation.c.gone).order_by(conversation.c.id))
    return [_conversation(row) for row in rows]


def lock(connection: Connection, conversation_id: ConversationId) -> None:
    """Hold the conversation until the transaction ends, so that what is decided about its lane stays true."""
    connection.execute(select(conversation.c.id).where(conversation.c.id == conversation_id).with_for_update()).one()


def ensure(connection: Connection, address: Address, place: Place, title: str, now: float) -> Conversation:
    """The conversation at this address, locked until the transaction ends; made if it is new."""
    key = {"channel": address.channel, "account": address.account, "chat": address.chat, "thread": address.thread}
    row = connection.execute(_FIND, key).one_or_none()
    if row is None:
        _ADD(connection, {**key, "place": place, "title": title, "created_at": now})
        row = connection.execute(_FIND, key).one()
    found = _conversation(row)
    if found.gone:
        set_gone(connection, address.channel, address.account, address.chat, gone=False)
    return found


def of_admins(connection: Connection) -> list[tuple[Conversation, PrincipalId]]:
    """The private conversations of people who were admins when they last wrote, with whose they are."""
    named = select(conversation.c.id.label("here"), identity.c.principal_id.label("who")).join(
        identity,
        (identity.c.channel == conversation.c.channel)
        & (identity.c.account == conversation.c.account)
        & (identity.c.user == conversation.c.chat),
    )
    wrote = select(message.c.conversation_id, message.c.principal_id).where(message.c.principal_id.is_not(None))
    theirs = union(named, wrote).subquery()
    rows = connection.execute(
        select(conversation, principal.c.id.label("admin"))
        .join(theirs, theirs.c.here == conversation.c.id)
        .join(principal, principal.c.id == theirs.c.who)
        .where(
            principal.c.role == Role.ADMIN,
            conversation.c.place == Place.PRIVATE,
            conversation.c.gone.is_(other=False),
        )
        .order_by(conversation.c.id)
    )
    return [(_conversation(row), PrincipalId(row.admin)) for row in rows]


def set_gone(connection: Connection, channel: str, account: str, chat: str, *, gone: bool) -> list[ConversationId]:
    """Mark every conversation of a chat as closed to us, or open again; their ids."""
    rows = connection.execute(
        update(conversation)
        .where(conversation.c.channel == channel, conversation.c.account == account, conversation.c.chat == chat)
        .values(gone=gone)
        .returning(conversation.c.id)
    )
    return [ConversationId(value) for value in rows.scalars()]


def start_thread(connection: Connection, conversation_id: ConversationId, history_after: int) -> int:
    """Begin a new thread: the prompt starts after this message. The new thread's number."""
    return connection.execute(
        update(conversation)
        .where(conversation.c.id == conversation_id)
        .values(history_after=history_after, thread_number=conversation.c.thread_number + 1)
        .returning(conversation.c.thread_number)
    ).scalar_one()


def set_model(connection: Connection, conversation_id: ConversationId, model: str) -> None:
    """Which model answers here from the next turn on; empty: that of the agent."""
    connection.execute(update(conversation).where(conversation.c.id == conversation_id).values(model=model))


def set_mode(connection: Connection, conversation_id: ConversationId, mode: Mode) -> None:
    """How much may be done here without asking, from the next turn on."""
    connection.execute(update(conversation).where(conversation.c.id == conversation_id).values(mode=mode))


def set_voice(connection: Connection, conversation_id: ConversationId, *, voice: bool) -> None:
    """Whether answers are spoken here from now on."""
    connection.execute(update(conversation).where(conversation.c.id == conversation_id).values(voice=voice))
