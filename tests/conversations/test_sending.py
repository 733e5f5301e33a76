"""Messages to other chats: to whom a person may write, and that a message goes where they were told it goes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lar.conversations.sending import Rules, sending_tools
from lar.domain.conversation import Address, Conversation, Place
from lar.domain.ids import MessageId, PrincipalId, TurnId
from lar.domain.message import Author, Message
from lar.domain.principal import Principal, Role
from lar.domain.risk import Deed
from lar.errors import ToolError
from lar.policy.access import AccessRules
from lar.policy.gate import Gate
from lar.store import conversations, messages, people
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.tools.contract import ToolContext, ToolResult

RULES: Rules = {
    ("fake", "main"): AccessRules(users=frozenset({"1", "2"}), admins=frozenset({"9"}), chats=frozenset({"-5", "-6"})),
    ("terminal", "local"): AccessRules(local=Role.ADMIN),
}


@dataclass
class House:
    """People and their chats."""

    db: Database

    async def person(self, user: str, name: str, role: Role = Role.USER, language: str = "en") -> Principal:
        """Somebody of the fake channel."""
        return await self.db.write(
            people.add, "fake", "main", user, Principal(PrincipalId(0), name, role, language), 1.0
        )

    async def chat(self, chat: str, place: Place = Place.PRIVATE, title: str = "") -> Conversation:
        """A conversation of the fake channel."""
        return await self.db.write(conversations.ensure, Address("fake", "main", chat), place, title, 1.0)

    async def wrote(self, who: Principal, where: Conversation) -> None:
        """A message of theirs."""
        said = Message(MessageId(0), where.id, Author.USER, "hello", 1.0, principal_id=who.id)
        await self.db.write(messages.add, said)

    async def listed(self, who: Principal, where: Conversation) -> str:
        """What list_chats says."""
        return (await sending_tools(self.db, RULES)[0].call(_context(who, where), {})).text

    async def send(self, who: Principal, where: Conversation, to: str, text: str = "dinner!") -> ToolResult:
        """What send_message gives."""
        send = sending_tools(self.db, RULES)[1]
        return await send.call(_context(who, where), send.parse({"to": to, "text": text}))


def _context(who: Principal, where: Conversation) -> ToolContext:
    return ToolContext(who, where.id, TurnId(1), where.place)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """An empty house."""
    db = Database(StoreSettings(url=f"sqlite:///{tmp_path}/lar.db"))
    await db.open()
    yield House(db)
    await db.close()


async def test_a_user_writes_to_their_own_and_to_groups_they_share(home: House) -> None:
    """R-TO-7: own chats and allowed groups one has written in, and nobody else's private chat, listed or not."""
    ann, bob = await home.person("1", "Ann"), await home.person("2", "Bob")
    here, theirs = await home.chat("1"), await home.chat("2")
    family = await home.chat("-5", Place.GROUP, "Family")
    other, foreign = await home.chat("-6", Place.GROUP, "Work"), await home.chat("-7", Place.GROUP, "Elsewhere")
    for place in (family, foreign):
        await home.wrote(ann, place)
    await home.wrote(bob, other)
    assert await home.listed(ann, here) == f"Family#{family.id} (fake, group)"
    assert await home.listed(ann, family) == f"Ann#{here.id} (fake, their own)"
    sent = await home.send(ann, here, f"Family#{family.id}")
    assert [(one.text, one.conversation) for one in sent.outgoing] == [("✉️ From Ann: dinner!", family.id)]
    sent = await home.send(ann, family, f"Ann#{here.id}")
    assert sent.outgoing[0].text == "dinner!"
    for wrong in (f"Bob#{theirs.id}", f"Work#{other.id}", f"Elsewhere#{foreign.id}", "Nobody#77"):
        with pytest.raises(ToolError, match="list_chats"):
            await home.send(ann, here, wrong)
    with pytest.raises(ToolError, match="this very chat"):
        await home.send(ann, here, f"Ann#{here.id}")
    assert await home.listed(bob, theirs) == f"Work#{other.id} (fake, group)"


async def test_an_admin_writes_to_everybody_admitted(home: House) -> None:
    """R-TO-7: an admin reaches all allowed groups and who is let in, in their language; no stranger is listed."""
    admin = await home.person("9", "Root", Role.ADMIN)
    await home.person("2", "Bea", language="es")
    stranger = await home.person("7", "Stranger")
    here, hers = await home.chat("9"), await home.chat("2")
    await home.wrote(stranger, await home.chat("7"))
    await home.chat("8")
    group = await home.chat("-6", Place.GROUP)
    assert (await home.listed(admin, here)).splitlines() == [
        f"Bea#{hers.id} (fake, private)",
        f"group -6#{group.id} (fake, group)",
    ]
    sent = await home.send(admin, here, f"Bea#{hers.id}")
    assert sent.outgoing[0].text == "✉️ De Root: dinner!"
    await home.db.write(conversations.set_gone, "fake", "main", "2", gone=True)
    with pytest.raises(ToolError):
        await home.send(admin, here, f"Bea#{hers.id}")


async def test_the_terminal_is_its_owners(home: House) -> None:
    """R-TO-7: the conversations of a terminal belong to the one person it has."""
    owner = Principal(PrincipalId(0), "owner", Role.ADMIN)
    owner = await home.db.write(people.add, "terminal", "local", "local", owner, 1.0)
    at = await home.db.write(conversations.ensure, Address("terminal", "local", "kitchen"), Place.PRIVATE, "", 1.0)
    here = await home.db.write(conversations.ensure, Address("terminal", "local", "desk"), Place.PRIVATE, "", 1.0)
    assert await home.listed(owner, here) == f"owner#{at.id} (terminal, their own)"
    assert (await home.send(owner, here, f"owner#{at.id}")).outgoing[0].text == "dinner!"


async def test_a_renamed_chat_is_not_written_to(home: House) -> None:
    """R-TO-7: what a person approved names the chat; if the name and the number no longer agree, nothing is sent."""
    ann, here = await home.person("1", "Ann"), await home.chat("1")
    group = await home.chat("-5", Place.GROUP, "Bea#2\nand more")
    await home.wrote(ann, group)
    assert await home.listed(ann, here) == f"Bea 2 and more#{group.id} (fake, group)"
    with pytest.raises(ToolError, match="list_chats"):
        await home.send(ann, here, f"Bea#{group.id}")


@pytest.mark.parametrize("to", ["Bea", "7", "#7", "Bea#x", "Bea#1#2", "Bea#1\n"])
async def test_a_chat_is_named_in_full(home: House, to: str) -> None:
    """R-TO-7: nobody is asked about a chat that is not named by its name and its number."""
    send = sending_tools(home.db, RULES)[1]
    with pytest.raises(ToolError, match="arguments of send_message are wrong: to"):
        send.parse({"to": to, "text": "x"})


def test_a_person_is_asked_with_the_whole_message(tmp_path: Path) -> None:
    """R-TO-7: the question shows to whom and every word; a standing permission covers that chat alone."""
    lists, send = sending_tools(Database(StoreSettings(url=f"sqlite:///{tmp_path}/lar.db")), RULES)
    effect = send.would({"to": "Family#3", "text": "dinner!"})
    assert (effect.deed, effect.target) == (Deed.SEND, "Family#3")
    assert effect.summary == "Write to Family#3:\ndinner!"
    assert not any(Gate().offers(tool.name, Place.GROUP, private=tool.private) for tool in (lists, send))
