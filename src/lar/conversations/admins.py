"""Where admins are told: the notification chat, else the private chat of every admin who ever wrote.

Runs inside the transaction of whoever calls.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from lar.domain.conversation import Address, Conversation, Place
from lar.domain.delivery import Button, Part
from lar.domain.principal import Principal
from lar.policy.access import AccessRules
from lar.store import conversations, deliveries, lasting, people

NOTIFY_CHAT = "notify_chat"
"""Under which the notification chat is kept."""


def notify_chat(connection: Connection) -> Address | None:
    """The chat that `/setnotify` named."""
    kept = lasting.load(connection, NOTIFY_CHAT)
    return None if kept is None else Address(**kept)


def set_notify_chat(connection: Connection, where: Address) -> None:
    """Let this be the notification chat."""
    lasting.save(connection, NOTIFY_CHAT, asdict(where))


def drop_notify_chat(connection: Connection) -> bool:
    """Have none. False if there was none."""
    return lasting.drop(connection, NOTIFY_CHAT)


def private_chats(
    connection: Connection, channel: str, account: str, rules: AccessRules, now: float
) -> Iterator[tuple[Conversation, Principal]]:
    """The private chats of an account's admins who ever wrote; there the chat's id is the user's."""
    for user, known in people.admins_of(connection, channel, account):
        if known.granted or user in rules.admins:  # else they were an admin once
            place = Address(channel, account, user)
            yield conversations.ensure(connection, place, Place.PRIVATE, "", now), known.principal


@dataclass(frozen=True, slots=True)
class Telling:
    """How to reach the admins of all accounts. `configured` is the notification chat if `/setnotify` named none."""

    accounts: Mapping[tuple[str, str], AccessRules]
    configured: Address | None = None
    language: str = "en"

    def chats(self, connection: Connection, now: float) -> list[tuple[Conversation, str]]:
        """Where to tell, each with its language. A notification chat that is closed to us does not count."""
        chosen = notify_chat(connection) or self.configured
        if chosen is not None and (chosen.channel, chosen.account) in self.accounts:
            chat = conversations.ensure(connection, chosen, Place.GROUP, "", now)
            if not chat.gone:
                return [(chat, self.language)]
            conversations.set_gone(connection, chosen.channel, chosen.account, chosen.chat, gone=True)
        return [
            (chat, admin.language or self.language)
            for (channel, account), rules in self.accounts.items()
            for chat, admin in private_chats(connection, channel, account, rules, now)
        ]

    def tell(
        self,
        connection: Connection,
        worded: Callable[[str], str],
        now: float,
        button: Callable[[str], Button] | None = None,
    ) -> int:
        """Tell them; `worded` and the `button` below it are given a language. How many chats are told."""
        chats = self.chats(connection, now)
        for chat, language in chats:
            buttons = ((button(language),),) if button else ()
            deliveries.add(connection, chat.id, [Part(worded(language), buttons=buttons)], now)
        return len(chats)
