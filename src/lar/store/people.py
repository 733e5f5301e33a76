"""People: principals, the identities they have on channels, pairing codes and login sessions."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from lar.domain.ids import ConversationId, PrincipalId
from lar.domain.principal import Principal, Role
from lar.store.dialect import Upsert
from lar.store.schema import identity, login, pairing, principal

_FIND = (
    select(
        principal.c.id,
        principal.c.name,
        principal.c.role,
        principal.c.language,
        principal.c.zone,
        identity.c.granted.label("granted"),
    )
    .join(identity, identity.c.principal_id == principal.c.id)
    .where(
        identity.c.channel == bindparam("channel"),
        identity.c.account == bindparam("account"),
        identity.c.user == bindparam("user"),
    )
)

_GET = select(principal).where(principal.c.id == bindparam("principal_id"))
_LOG_IN = Upsert(login)


@dataclass(frozen=True, slots=True)
class Known:
    """A principal as an identity leads to it. `granted`: access was given here, not by the configuration."""

    principal: Principal
    granted: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """One login of a person."""

    principal: Principal
    channel: str
    account: str
    user: str
    granted: bool


@dataclass(frozen=True, slots=True)
class Pairing:
    """Somebody asks to be let in. `expires_at` is in seconds since the epoch."""

    code: str
    channel: str
    account: str
    user: str
    chat: str
    name: str
    expires_at: float


def _principal(row: Row[*tuple[object, ...]]) -> Principal:
    return Principal(PrincipalId(row.id), row.name, Role(row.role), row.language, row.zone)


def find(connection: Connection, channel: str, account: str, user: str) -> Known | None:
    """Who this user of a channel is."""
    row = connection.execute(_FIND, {"channel": channel, "account": account, "user": user}).one_or_none()
    return None if row is None else Known(_principal(row), row.granted)


def get(connection: Connection, principal_id: PrincipalId) -> Principal:
    """The principal with this id.

    Raises:
        sqlalchemy.exc.NoResultFound: there is none.

    """
    return _principal(connection.execute(_GET, {"principal_id": principal_id}).one())


def add(  # the identity's key has three parts
    connection: Connection, channel: str, account: str, user: str, who: Principal, now: float, *, granted: bool = False
) -> Principal:
    """Add a person with one identity; `who.id` is ignored. The person as stored."""
    new_id = connection.execute(
        principal.insert().returning(principal.c.id),
        {"name": who.name, "role": who.role, "language": who.language, "created_at": now},
    ).scalar_one()
    connection.execute(
        identity.insert(),
        {"channel": channel, "account": account, "user": user, "principal_id": new_id, "granted": granted},
    )
    return Principal(PrincipalId(new_id), who.name, who.role, who.language)


def change(connection: Connection, who: Principal) -> None:
    """Store the name, role and language of a person who exists."""
    connection.execute(
        update(principal).where(principal.c.id == who.id).values(name=who.name, role=who.role, language=who.language)
    )


def set_zone(connection: Connection, principal_id: PrincipalId, zone: str) -> None:
    """Let a person live in this time zone (an IANA name); empty: in that of the house."""
    connection.execute(update(principal).where(principal.c.id == principal_id).values(zone=zone))


def grant(connection: Connection, channel: str, account: str, user: str, *, granted: bool) -> bool:
    """Give or withdraw access of one identity; False if it is unknown."""
    statement = (
        update(identity)
        .where(identity.c.channel == channel, identity.c.account == account, identity.c.user == user)
        .values(granted=granted)
    )
    return connection.execute(statement).rowcount == 1


def everyone(connection: Connection) -> list[Identity]:
    """All identities, by person."""
    rows = connection.execute(
        select(principal, identity.c.channel, identity.c.account, identity.c.user, identity.c.granted)
        .join(identity, identity.c.principal_id == principal.c.id)
        .order_by(principal.c.id, identity.c.channel, identity.c.user)
    )
    return [Identity(_principal(row), row.channel, row.account, row.user, row.granted) for row in rows]


def logins(connection: Connection, who: PrincipalId, channel: str, account: str) -> list[tuple[str, Known]]:
    """The users of this channel account that are this person."""
    rows = connection.execute(
        select(principal, identity.c.user, identity.c.granted)
        .join(identity, identity.c.principal_id == principal.c.id)
        .where(principal.c.id == who, identity.c.channel == channel, identity.c.account == account)
    )
    return [(row.user, Known(_principal(row), row.granted)) for row in rows]


def admins_of(connection: Connection, channel: str, account: str) -> list[tuple[str, Known]]:
    """The users of this channel account who were admins when they last wrote."""
    rows = connection.execute(
        select(principal, identity.c.user, identity.c.granted)
        .join(identity, identity.c.principal_id == principal.c.id)
        .where(identity.c.channel == channel, identity.c.account == account, principal.c.role == Role.ADMIN)
        .order_by(principal.c.id)
    )
    return [(row.user, Known(_principal(row), row.granted)) for row in rows]


# ---- pairing


def open_pairings(connection: Connection, now: float) -> list[Pairing]:
    """Requests that have not expired, oldest first."""
    rows = connection.execute(select(pairing).where(pairing.c.expires_at > now).order_by(pairing.c.expires_at))
    return [Pairing(*row) for row in rows]


def ask_pairing(connection: Connection, request: Pairing) -> None:
    """Store a request."""
    connection.execute(pairing.insert(), [{name: getattr(request, name) for name in request.__slots__}])


def drop_expired_pairings(connection: Connection, now: float) -> None:
    """Forget requests whose time is over."""
    connection.execute(delete(pairing).where(pairing.c.expires_at <= now))


def take_pairing(connection: Connection, code: str, now: float) -> Pairing | None:
    """Remove and return the request with this code, if it is still open."""
    row = connection.execute(
        delete(pairing).where(pairing.c.code == code.upper(), pairing.c.expires_at > now).returning(pairing)
    ).one_or_none()
    return None if row is None else Pairing(*row)


# ---- login sessions


def log_in(connection: Connection, conversation_id: ConversationId, principal_id: PrincipalId, until: float) -> None:
    """Open a session that lasts until this time (seconds since the epoch)."""
    values = {"conversation_id": conversation_id, "principal_id": principal_id, "expires_at": until}
    _LOG_IN(connection, values)


def log_out(connection: Connection, conversation_id: ConversationId, principal_id: PrincipalId) -> bool:
    """End the session; False if there was none."""
    return (
        connection.execute(
            delete(login).where(login.c.conversation_id == conversation_id, login.c.principal_id == principal_id)
        ).rowcount
        == 1
    )


def logged_in(connection: Connection, conversation_id: ConversationId, principal_id: PrincipalId, now: float) -> bool:
    """Whether a session is open."""
    return (
        connection.execute(
            select(func.count())
            .select_from(login)
            .where(
                login.c.conversation_id == conversation_id,
                login.c.principal_id == principal_id,
                login.c.expires_at > now,
            )
        ).scalar_one()
        > 0
    )
