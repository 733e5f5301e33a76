"""Two people and a group: no tool and no command gives anything private of one to the other. New ones must be tried."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import pytest

from lar.app import App
from lar.config import load
from lar.conversations.commands import COMMANDS
from lar.domain.conversation import Address, Conversation, Place
from lar.domain.ids import ConversationId, JobId, MemoryId, MessageId, PrincipalId, TurnId
from lar.domain.inbound import Inbound, Sender, Text
from lar.domain.memory import Kind, Memory, Owner
from lar.domain.message import Author, Message
from lar.domain.principal import Principal, Role
from lar.domain.turn import Turn, TurnState
from lar.errors import LarError
from lar.memory.files import WorkspaceFiles
from lar.memory.recall import Recall, recall
from lar.store import conversations, memories, messages, notes, people, turns
from lar.store.database import Connection
from lar.store.schema import delivery
from lar.tools.contract import ToolContext
from lar.tools.workspace import Workspace

PRIVATE = "ANNSECRET"
NOW = 1_700_000_000.0
ACCOUNT = "main"
Arguments = Mapping[str, object]

OTHERS = ("../1/secret.txt", "people/1/secret.txt", "/people/1/secret.txt", "secret.txt", "USER.md")
TOOLS: Mapping[str, Sequence[Arguments]] = {
    "calculate_expression": [{"expression": "1+1"}],
    "current_datetime": [{}],
    "stay_silent": [],
    "ask_person": [],
    "save_note": [{"title": "t", "text": "mine"}],
    "get_note": [{"note": "1"}, {"note": PRIVATE.lower()}],
    "search_notes": [{"query": "annsecret"}, {"query": "a"}],
    "list_notes": [{}],
    "delete_note": [{"note": "1"}],
    "chat_history": [{}, {"before": 100}],
    "search_memory": [{"query": "annsecret"}, {"query": "ann"}],
    "list_files": [{}, {"folder": "../1"}, {"folder": "people"}, {"scope": "shared"}],
    "read_file": [{"path": path, "scope": scope} for path in OTHERS for scope in ("own", "shared")],
    "self_insert_artifact": [{"path": path, "scope": scope} for path in OTHERS for scope in ("own", "shared")],
    "send_file": [{"path": path, "scope": scope} for path in OTHERS for scope in ("own", "shared")],
    "create_file": [{"path": "../1/new.txt", "content": "x"}],
    "move_file": [{"path": path, "to": "stolen.txt"} for path in OTHERS],
    "delete_file": [{"path": "../1/secret.txt"}],
    "list_chats": [{}],
    "send_message": [],
    "http_request": [],
}
"""How each tool could be made to give something away. One that only reaches outside or asks the caller has no way."""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncGenerator[App]:
    """A Lar with Ann's secrets everywhere, Bob, and a group both are in."""
    variables = {
        "LAR_HOME": str(tmp_path),
        "TELEGRAM_BOT_TOKEN": "1:x",
        "LAR__CHANNELS__TELEGRAM__ALLOWED_USER_IDS": "11,12",
    }
    async with App(load(None, variables)) as lar:
        await lar.db.write(furnish)
        for place, name in (("people/1", "secret.txt"), ("people/1", "USER.md"), ("people/1/uploads", "a.txt")):
            folder = tmp_path / "workspace" / place
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(PRIVATE)
        yield lar


def furnish(connection: Connection) -> None:
    """Ann is 1, Bob is 2; Ann's private chat is 1, Bob's 2, the group 3."""
    for name, user in (("Ann", "11"), ("Bob", "12")):
        people.add(connection, "telegram", ACCOUNT, user, Principal(PrincipalId(0), name, Role.USER), NOW)
        conversations.ensure(connection, Address("telegram", ACCOUNT, user), Place.PRIVATE, "", NOW)
    conversations.ensure(connection, Address("telegram", ACCOUNT, "-5"), Place.GROUP, "Family", NOW)
    for number, (here, who, text) in enumerate(((1, 1, PRIVATE), (2, 2, "hello"), (3, 1, "to all")), 1):
        turn = turns.add(
            connection,
            Turn(TurnId(0), ConversationId(here), PrincipalId(who), JobId(number), TurnState.DONE, "", NOW),
        )
        for author in Author:
            said = Message(MessageId(0), ConversationId(here), author, text, NOW, None, turn)
            messages.add(connection, said)
    notes.save(connection, PrincipalId(1), PRIVATE, PRIVATE, NOW)
    for kind in Kind:
        here = ConversationId(1) if kind is Kind.EXCHANGE else None
        turn = TurnId(1) if kind is Kind.EXCHANGE else None
        memory = Memory(MemoryId(0), kind, "person:1", PRIVATE, 1, "2023-11-14", turn, here, 2 * NOW, created_at=NOW)
        memories.add(connection, memory, str(kind), 1)


BOB = ToolContext(Principal(PrincipalId(2), "Bob", Role.USER), ConversationId(2), TurnId(100))
IN_GROUP = [
    ToolContext(Principal(PrincipalId(who), name, role), ConversationId(3), TurnId(100), Place.GROUP)
    for who, name, role in ((1, "Ann", Role.USER), (2, "Bob", Role.USER), (2, "Bob", Role.ADMIN))
]


async def test_every_tool(app: App) -> None:
    """R-ME-9: whatever Bob, or anybody in the group, calls: nothing of Ann's comes back or changes."""
    tools = {tool.name: tool for tool in app.agents.of("main").registry.tools}
    assert set(tools) == set(TOOLS), "a tool came or went: say how it could give away what is another's"
    tried = 0
    for name, attempts in TOOLS.items():
        for arguments in attempts:
            for who in (BOB, *IN_GROUP):
                if tools[name].private and who.place is Place.GROUP:  # the gate denies it whatever a rule says
                    continue
                tried += 1
                try:
                    result = repr(await tools[name].call(who, tools[name].parse(arguments)))
                except LarError as error:
                    result = str(error)
                said = result.replace(str(arguments), "")
                assert PRIVATE not in said.replace(PRIVATE.lower(), ""), (name, arguments)
    assert tried > 100
    assert (app.config.home / "workspace" / "people" / "1" / "secret.txt").read_text() == PRIVATE
    assert await app.db.read(notes.find, PrincipalId(1), PRIVATE)


async def test_ann_finds_her_own(app: App) -> None:
    """R-ME-9: the secrets are where the attempts look: Ann herself gets them."""
    ann = ToolContext(Principal(PrincipalId(1), "Ann", Role.USER), ConversationId(1), TurnId(100))
    tools = {tool.name: tool for tool in app.agents.of("main").registry.tools}
    for name, arguments in (
        ("get_note", {"note": "1"}),
        ("search_memory", {"query": "annsecret"}),
        ("chat_history", {}),
        ("read_file", {"path": "secret.txt"}),
    ):
        assert PRIVATE in repr(await tools[name].call(ann, tools[name].parse(arguments)))


ARGUMENTS = ("", "1", "2", "3", "4", "5", "delete 1", "replace 1 x", f"once {PRIVATE.lower()}")


@pytest.mark.parametrize("chat", ["12", "-5"])
async def test_every_command(app: App, chat: str) -> None:
    """R-ME-9: no command of Bob's, alone or in the group, shows or changes what is Ann's."""
    place = Place.PRIVATE if chat == "12" else Place.GROUP
    where, who = Address("telegram", ACCOUNT, chat), Sender("12", "Bob")
    updates = [
        Inbound("telegram", ACCOUNT, f"{name}{number}", {}, who, where, place, "", Text(f"/{name} {argument}", "v"))
        for name in COMMANDS
        for number, argument in enumerate(ARGUMENTS)
    ]
    await app.inbox.accept(updates)
    sent = await app.db.read(lambda c: [str(row.part) for row in c.execute(delivery.select())])
    assert len(sent) == len(updates)
    assert PRIVATE not in repr(sent)
    kept = await app.db.read(memories.summaries, Owner(PrincipalId(1)))
    assert {memory.text for memory in kept} == {PRIVATE}


async def test_every_prompt(app: App) -> None:
    """R-ME-9: neither Bob's turns nor the group's, not even Ann's in it, are reminded of what is Ann's alone."""
    files = WorkspaceFiles(Workspace(app.config.home / "workspace"), 1000)
    rules = Recall(32, 20, summaries=True)
    for here, who in ((2, 2), (3, 1), (3, 2)):
        conversation: Conversation = await app.db.read(conversations.get, ConversationId(here))
        owner = Owner.of(conversation.place, PrincipalId(who), conversation.id)
        found = await app.db.read(recall, rules, owner, conversation, TurnId(100), NOW)
        assert PRIVATE not in repr(found)
        assert PRIVATE not in repr(files.read(owner, heartbeat=True))
    mine: Conversation = await app.db.read(conversations.get, ConversationId(1))
    found = await app.db.read(recall, rules, Owner(PrincipalId(1)), mine, TurnId(100), NOW)
    assert repr(found).count(PRIVATE) >= 4
    assert PRIVATE in repr(files.read(Owner(PrincipalId(1))))
