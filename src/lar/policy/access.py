"""Who may talk to Lar. Pure: the rules of an account, and who asks."""

from dataclasses import dataclass, field
from typing import Literal

from lar.domain.principal import Role

Unknown = Literal["reply", "silent", "pairing"]
"""What an unknown sender gets: their ids, nothing, or a pairing code."""


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Who may use one account of a channel. Ids are the vendor's, as strings.

    `aliases` puts a name on a user id. `local` is the role of everybody who reaches the account at all (the terminal:
    holding the token file is the proof), None where nobody gets in unasked. `password` turns `/login` on where it is
    set: a session then lasts `login_seconds`.
    """

    users: frozenset[str] = frozenset()
    chats: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()
    unknown: Unknown = "reply"
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    local: Role | None = None
    password: str = ""
    login_seconds: float = 12 * 3600.0


def admit(rules: AccessRules, user: str, chat: str, granted: Role | None) -> Role | None:
    """The role this user has in this chat, None: not admitted.

    `granted` is the role of somebody let in by pairing or by an admin, None for the rest.
    """
    if user in rules.admins or granted is Role.ADMIN:
        return Role.ADMIN
    if rules.local is not None:
        return rules.local
    if granted is not None or user in rules.users or chat in rules.chats:
        return Role.USER
    return None
