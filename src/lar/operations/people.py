"""Who may talk to Lar: what the operator can see and change."""

from dataclasses import asdict

from sqlalchemy import Connection

from lar.conversations import pairing
from lar.domain.ids import PrincipalId
from lar.domain.principal import Principal, Role
from lar.domain.values import JsonObject
from lar.errors import LarError
from lar.store import people

OPERATOR = Principal(PrincipalId(0), "the operator", Role.ADMIN)
"""Who decides at the command line."""


def listing(connection: Connection, now: float) -> JsonObject:
    """Everybody who was ever met, and who asks to be let in.

    `people`: `id`, `name`, `role`, `channel`, `account`, `user`, `granted` (by pairing or by hand; what the
    configuration allows is not repeated here). `requests`: `code`, `channel`, `user`, `name`, `expires_at`.
    """
    return {
        "people": [
            {
                "id": entry.principal.id,
                "name": entry.principal.name,
                "role": entry.principal.role.value,
                "channel": entry.channel,
                "account": entry.account,
                "user": entry.user,
                "granted": entry.granted,
            }
            for entry in people.everyone(connection)
        ],
        "requests": [asdict(request) for request in people.open_pairings(connection, now)],
    }


def add(connection: Connection, arguments: JsonObject, now: float) -> JsonObject:
    """Let `user` of `channel` and `account` in, as `name`; as an admin if `admin` is true."""
    channel, account, user = (_text(arguments, name) for name in ("channel", "account", "user"))
    role = Role.ADMIN if arguments.get("admin") is True else Role.USER
    who = pairing.admit(connection, channel, account, user, str(arguments.get("name", "")), role, now)
    return {"id": who.id, "said": f"{who.name} ({channel}:{user}) may talk to Lar, as {who.role}."}


def remove(connection: Connection, arguments: JsonObject) -> JsonObject:
    """Withdraw what was granted to person `id`. What the configuration allows is not touched."""
    mine = _identities(connection, arguments)
    for entry in mine:
        people.grant(connection, entry.channel, entry.account, entry.user, granted=False)
    who = mine[0].principal
    people.change(connection, Principal(who.id, who.name, Role.USER, who.language))
    return {"id": who.id, "said": f"{who.name} is removed. A user id in the configuration must be removed there."}


def make_admin(connection: Connection, arguments: JsonObject) -> JsonObject:
    """Let person `id` in on every channel they are known on, as an admin."""
    mine = _identities(connection, arguments)
    who = mine[0].principal
    people.change(connection, Principal(who.id, who.name, Role.ADMIN, who.language))
    for entry in mine:
        people.grant(connection, entry.channel, entry.account, entry.user, granted=True)
    return {"id": who.id, "said": f"{who.name} is an admin."}


def approve(connection: Connection, arguments: JsonObject, now: float) -> JsonObject:
    """Let in whoever was given pairing code `code`."""
    said = pairing.decide(connection, _text(arguments, "code").upper(), OPERATOR, now, approve=True)
    if said is None:
        raise LarError("that code is unknown or too old: `lar people list` shows the open ones")
    return {"said": said}


def _identities(connection: Connection, arguments: JsonObject) -> list[people.Identity]:
    wanted = arguments.get("id")
    mine = [entry for entry in people.everyone(connection) if entry.principal.id == wanted]
    if not mine:
        raise LarError(f"there is no person {wanted}: `lar people list` shows the ids")
    return mine


def _text(arguments: JsonObject, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise LarError(f"{name} is missing")
    return value
