"""Letting people in: a stranger gets a code, an admin says yes or no."""

import secrets

from sqlalchemy import Connection

from lar.conversations import admins
from lar.conversations.strings import say
from lar.domain.conversation import Address, Place
from lar.domain.delivery import Button, Part
from lar.domain.ids import PrincipalId
from lar.domain.inbound import Inbound, Sender
from lar.domain.principal import Principal, Role
from lar.policy.access import AccessRules
from lar.store import conversations, deliveries, people

CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8
LIFETIME = 3600.0
"""Seconds a code is valid."""
MAX_PENDING = 3

APPROVE, DENY = "pair:yes:", "pair:no:"
"""What the two buttons of a request carry, before its code."""


def request(
    connection: Connection, update: Inbound, sender: Sender, rules: AccessRules, language: str, now: float
) -> str:
    """Give a stranger a code (the same one while it is valid), and ask the admins. What to tell the stranger."""
    people.drop_expired_pairings(connection, now)
    waiting = people.open_pairings(connection, now)
    for old in waiting:
        if (old.channel, old.account, old.user) == (update.channel, update.account, sender.user):
            return say(language, "pairing", code=old.code)
    if len(waiting) >= MAX_PENDING:
        return say(language, "pairing_full")
    code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    chat = update.address.chat if update.address else sender.user
    asked = people.Pairing(code, update.channel, update.account, sender.user, chat, sender.name, now + LIFETIME)
    people.ask_pairing(connection, asked)
    _ask_admins(connection, asked, rules, now)
    return say(language, "pairing", code=code)


def _ask_admins(connection: Connection, asked: people.Pairing, rules: AccessRules, now: float) -> None:
    """Send the request to the private chat of every admin who ever wrote."""
    for chat, admin in admins.private_chats(connection, asked.channel, asked.account, rules, now):
        language = admin.language
        buttons = (
            Button(say(language, "pairing_approve"), APPROVE + asked.code),
            Button(say(language, "pairing_deny"), DENY + asked.code),
        )
        text = say(language, "pairing_ask", name=asked.name, user=asked.user, channel=asked.channel, code=asked.code)
        deliveries.add(connection, chat.id, [Part(text, buttons=(buttons,))], now)


def decide(connection: Connection, code: str, by: Principal, now: float, *, approve: bool) -> str | None:
    """Let in or refuse whoever holds this code. What to tell the admin; None if the code is not open any more."""
    asked = people.take_pairing(connection, code, now)
    if asked is None:
        return None
    if not approve:
        return say(by.language, "pairing_denied", name=asked.name, by=by.name)
    admit(connection, asked.channel, asked.account, asked.user, asked.name, Role.USER, now)
    chat = conversations.ensure(connection, Address(asked.channel, asked.account, asked.chat), Place.PRIVATE, "", now)
    deliveries.add(connection, chat.id, [Part(say("", "pairing_welcome"))], now)
    return say(by.language, "pairing_approved", name=asked.name, by=by.name)


def admit(  # an identity has three parts, a person two
    connection: Connection, channel: str, account: str, user: str, name: str, role: Role, now: float
) -> Principal:
    """Give this user access, whether known or not; the person as stored."""
    known = people.find(connection, channel, account, user)
    if known is None:
        newcomer = Principal(PrincipalId(0), name or user, role)
        return people.add(connection, channel, account, user, newcomer, now, granted=True)
    stored = Principal(known.principal.id, name or known.principal.name, role, known.principal.language)
    people.change(connection, stored)
    people.grant(connection, channel, account, user, granted=True)
    return stored
