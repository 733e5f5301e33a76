"""Two people and a group: no tool and no command gives anything private of one to the other. New ones must be tried."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ground import Require
from lar.app import App
from lar.config import load
from lar.conversations.commands import COMMANDS
from lar.domain.conversation import Address, Conversation, Place
from lar.domain.ids import ConversationId, JobId, MemoryId, MessageId, PrincipalId, QuestionId, ScheduleId, TurnId
from lar.domain.inbound import Attachment, AttachmentKind, Inbound, Sender, Text
from lar.domain.memory import Kind, Memory, Owner
from lar.domain.message import Author, Message
from lar.domain.principal import Principal, Role
from lar.domain.question import Question, QuestionKind, QuestionState
from lar.domain.schedule import Once, Schedule, ScheduleKind, Timing
from lar.domain.spend import Payer, Spent
from lar.domain.turn import Turn, TurnState
from lar.errors import LarError
from lar.memory.files import WorkspaceFiles
from lar.memory.recall import Recall, recall
from lar.store import budgets, conversations, memories, messages, notes, people, questions, schedules, turns
from lar.store.database import Connection
from lar.store.schema import delivery
from lar.tools.contract import ToolContext
from lar.tools.workspace import Workspace
from media_samples import picture

PRIVATE = "ANNSECRET"
NOW = 1_700_000_000.0
SPENT = 77.77
ACCOUNT = "main"
Arguments = Mapping[str, object]

ARTIFACT = "sent/1/photo.png"
"""Where Lar keeps a photo that Ann sent, below `LAR_HOME/files`."""

OTHERS = (
    "../1/secret.txt",
    "people/1/secret.txt",
    "/people/1/secret.txt",
    "{home}/workspace/people/1/secret.txt",
    "secret.txt",
    "USER.md",
    "uploads/photo.png",
    f"../../../files/{ARTIFACT}",
)
FILES = [{"path": path, "scope": scope} for path in OTHERS for scope in ("own", "shared")]
SEARCHES: Sequence[Arguments] = [{"query": query} for query in ("annsecret", "ann", "a", "%", "*", "' OR 1=1 --")]
HAUL = ["../1/secret.txt", "../1/uploads/photo.png", "*"]
CODE = """\
import pathlib
for path in ("..", "{home}", "/work", "/tmp"):
    for found in pathlib.Path(path).rglob("*"):
        try:
            print(found, found.read_bytes()[:100_000])
        except OSError:
            pass
"""
REF = "e1"
TOOLS: Mapping[str, Sequence[Arguments]] = {
    "calculate_expression": [{"expression": "1+1"}],
    "current_datetime": [{}],
    "stay_silent": [],
    "ask_person": [],
    "save_note": [{"title": "t", "text": "mine"}],
    "get_note": [{"note": "1"}, {"note": PRIVATE.lower()}],
    "search_notes": SEARCHES,
    "list_notes": [{}],
    "delete_note": [{"note": "1"}, {"note": PRIVATE.lower()}],
    "chat_history": [{}, {"before": 100}, {"action": "trim", "keep": 1}],
    "search_memory": SEARCHES,
    "list_files": [{"recursive": True}, {"folder": "../1"}, {"folder": "people"}, {"scope": "shared"}],
    "read_file": FILES,
    "self_insert_artifact": FILES,
    "send_file": FILES,
    "create_file": [{"path": path, "content": "x"} for path in ("../1/secret.txt", "people/1/secret.txt")],
    "move_file": [{"path": path, "to": "stolen.txt", "replace": True} for path in OTHERS],
    "delete_file": [{"path": "../1/secret.txt"}, {"path": "people/1/secret.txt"}],
    "list_chats": [{}],
    "send_message": [],
    "http_request": [],
    "shell": [
        {"command": "cat ../1/* ../1/uploads/* {home}/workspace/people/1/* {home}/lar.db {home}/.env"},
        {"command": "grep -ras ANN[S]ECRET {home} /tmp /var /root /home; ls -la .."},
        {"command": "ln -s {home}/workspace/people/1/secret.txt stolen.txt; cat stolen.txt", "send_files": HAUL},
        {"command": "ln -s ../1/uploads/photo.png stolen.png", "show_images": HAUL, "save_artifacts": True},
    ],
    "python_execute": [{"code": CODE}, {"code": "print(1)", "send_files": HAUL, "show_images": HAUL}],
    "python_environment_info": [{}, {"contains": "a"}],
    "camera_capture_for_ai": [],
    "camera_capture_to_chat": [],
    "browser_navigate": [{"url": "file://{home}/workspace/people/1/secret.txt"}],
    "browser_click": [{"element": REF}],
    "browser_fill": [{"fields": {REF: "x"}}],
    "browser_close": [{}],
    "browser_info": [{}],
    "browser_get_data": [{}, {"raw": True}],
    "browser_query_selector": [{"selector": "*"}],
    "browser_wait_for": [{"text": "ANN", "seconds": 0.1}],
    "browser_screenshot": [{}, {"whole": True, "send": True}],
    "schedule_prompt": [],
    "list_scheduled_prompts": [{}, {"include_ended": True}],
    "cancel_scheduled_prompt": [{"schedule": "1"}, {"schedule": "annsecret"}],
    "delete_scheduled_prompt": [{"schedule": "1"}, {"schedule": "annsecret"}],
}
"""How each tool could be made to give something away. One without a try has no way to: it asks or tells whoever calls,
reaches outside, or looks at the house. Browsers with a page in them are tried with the browser's own tests."""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncGenerator[App]:
    """A Lar with Ann's secrets everywhere, Bob, and a group both are in."""
    variables = {
        "LAR_HOME": str(tmp_path),
        "TELEGRAM_BOT_TOKEN": "1:x",
        "LAR__CHANNELS__TELEGRAM__ALLOWED_USER_IDS": "11,12",
        "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": "13",
        "LAR__TOOLS__CAMERA__COMMAND": "true",
    }
    async with App(load(None, variables)) as lar:
        await lar.db.write(furnish)
        people = tmp_path / "workspace" / "people"
        for person in ("1", "2"):
            (people / person / "uploads").mkdir(parents=True)
        for kept in (people / "1" / "secret.txt", people / "1" / "USER.md", people / "1" / "uploads" / "a.txt"):
            kept.write_text(PRIVATE)
        for photo in (people / "1" / "uploads" / "photo.png", lar.config.home / "files" / ARTIFACT):
            photo.parent.mkdir(parents=True, exist_ok=True)
            photo.write_bytes(picture("PNG") + PRIVATE.encode())
        await lar.sandboxes.settled()
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
    sent = Attachment(
        AttachmentKind.PHOTO, "f1", "photo.png", "image/png", 10, path=ARTIFACT, saved="uploads/photo.png"
    )
    messages.add(connection, Message(MessageId(0), ConversationId(1), Author.USER, PRIVATE, NOW, attachments=(sent,)))
    budgets.record(connection, Payer(PrincipalId(1), "main"), f"openai:{PRIVATE}", Spent(1, 1, SPENT), "2023-11-14")
    about = {"tool": "shell", "summary": PRIVATE, "target": "", "deed": "run", "why": "", "standing": True}
    asked = Question(
        QuestionId(0),
        QuestionKind.APPROVAL,
        QuestionState.OPEN,
        TurnId(1),
        JobId(1),
        "1.1",
        ConversationId(1),
        PrincipalId(1),
        False,
        about,
        NOW,
        9e9,
    )
    questions.add(connection, asked)
    notes.save(connection, PrincipalId(1), PRIVATE, PRIVATE, NOW)
    schedules.add(
        connection,
        Schedule(
            ScheduleId(0),
            ScheduleKind.REMINDER,
            PRIVATE,
            Timing(Once(2 * NOW)),
            PrincipalId(1),
            ConversationId(1),
            next_due=2 * NOW,
        ),
    )
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


def written(arguments: Arguments, home: Path) -> Arguments:
    """The arguments, with the real home folder where they name it."""
    fill = {name: value.replace("{home}", str(home)) for name, value in arguments.items() if isinstance(value, str)}
    return {**arguments, **fill}


async def given(app: App, name: str, who: ToolContext, arguments: Arguments) -> str:
    """All that a call gives, with what is in the files that come with it; or why it gives nothing."""
    called = {tool.name: tool for tool in app.agents.of("main").registry.tools}[name]
    try:
        result = await called.call(who, called.parse(dict(written(arguments, app.config.home))))
    except LarError as error:
        return str(error)
    if isinstance(result, str):
        return result
    kept = [*result.shown, *(sent.artifact for sent in result.outgoing if sent.artifact)]
    files = [(app.config.home / "files" / artifact.path).read_bytes() for artifact in kept]
    return repr((result, files))


async def test_every_tool_is_tried(app: App) -> None:
    """R-ME-9: a tool that comes has to be tried here; only a browser may be missing, on a machine without one."""
    there = {tool.name for tool in app.agents.of("main").registry.tools}
    unknown = there - set(TOOLS)
    assert not unknown, "tools came: say how they could give away what is another's"
    assert {name for name in set(TOOLS) - there if not (app.browsers.missing and name.startswith("browser_"))} == set()


@pytest.mark.parametrize("who", [BOB, *IN_GROUP], ids=["Bob", "Ann in the group", "Bob there", "Bob as its admin"])
async def test_every_tool(app: App, who: ToolContext) -> None:
    """R-ME-9: whatever Bob, or anybody in the group, calls: nothing of Ann's comes back or changes."""
    tools = app.agents.of("main").registry.tools
    callable_here = {
        tool.name for tool in tools if not tool.private or who.place is Place.PRIVATE
    }  # as the gate has it
    tried = 0
    for name, arguments in ((name, each) for name, attempts in TOOLS.items() for each in attempts):
        if name not in callable_here:
            continue
        tried += 1
        said = await given(app, name, replace(who, call=f"{tried}"), arguments)
        said = said.replace(repr(written(arguments, app.config.home).get("query", "")), "")
        assert PRIVATE not in said, (name, arguments)
    assert tried > 60
    own = app.config.home / "workspace" / "people" / "1"
    assert {path.name: path.read_bytes()[-9:] for path in own.rglob("*") if path.is_file()} == dict.fromkeys(
        ("secret.txt", "USER.md", "a.txt", "photo.png"), PRIVATE.encode()
    )
    assert await app.db.read(notes.find, PrincipalId(1), PRIVATE)
    assert {message.text for message in await app.db.read(messages.of_turn, TurnId(1))} == {PRIVATE}


ANN = ToolContext(Principal(PrincipalId(1), "Ann", Role.USER), ConversationId(1), TurnId(100), call="1")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_note", {"note": "1"}),
        ("search_notes", {"query": "annsecret"}),
        ("search_memory", {"query": "annsecret"}),
        ("chat_history", {}),
        ("list_files", {"folder": "uploads"}),
        ("read_file", {"path": "secret.txt"}),
        ("self_insert_artifact", {"path": "uploads/photo.png"}),
        ("send_file", {"path": "secret.txt"}),
        ("list_scheduled_prompts", {}),
    ],
)
async def test_ann_finds_her_own(app: App, name: str, arguments: Arguments) -> None:
    """R-ME-9: the secrets are where the attempts look: Ann herself gets them."""
    wanted = "photo.png" if name == "list_files" else PRIVATE
    assert wanted in await given(app, name, ANN, arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("shell", {"command": "cat secret.txt"}),
        ("shell", {"command": "cp secret.txt mine.txt", "send_files": ["mine.txt"]}),
        ("python_execute", {"code": "print(open('secret.txt').read())"}),
    ],
)
async def test_ann_finds_her_own_by_commands(app: App, require: Require, name: str, arguments: Arguments) -> None:
    """R-ME-9: commands are tried for real: in Ann's own folder they find what is hers."""
    works = app.sandboxes.sandbox is not None
    require("a working sandbox", "apt install bubblewrap libseccomp2", found=works)
    assert PRIVATE in await given(app, name, ANN, arguments)


ARGUMENTS = ("", "1", "2", "3", "4", "5", "1 always", "delete 1", "replace 1 x", f"once {PRIVATE.lower()}")
COMMANDS_TRIED = """
    help start new stop cancel queue status whoami where synccommands mode model approvals approve deny emergency_stop
    resume usage problems solve setnotify memory compact voice reminders timezone runbooks login logout
"""
"""Each of them with every argument. A new one whose arguments are others gets them above."""


def test_every_command_is_tried() -> None:
    """R-ME-9: a command that comes has to be thought of here: which arguments could make it tell of another?"""
    assert set(COMMANDS) == set(COMMANDS_TRIED.split())


@pytest.mark.parametrize(("user", "chat"), [("12", "12"), ("12", "-5"), ("11", "-5"), ("13", "-5")])
async def test_every_command(app: App, user: str, chat: str) -> None:
    """R-ME-9: no command of Bob's, nor anybody's in the group, an admin's too, shows or changes what is Ann's alone."""
    place = Place.PRIVATE if chat == user else Place.GROUP
    where, who = Address("telegram", ACCOUNT, chat), Sender(user, "Somebody")
    updates = [
        Inbound("telegram", ACCOUNT, f"{name}{number}", {}, who, where, place, "", Text(f"/{name} {argument}", "v"))
        for name in COMMANDS
        for number, argument in enumerate(ARGUMENTS)
    ]
    await app.inbox.accept(updates)
    sent = await app.db.read(lambda c: [str(row.part) for row in c.execute(delivery.select())])
    assert len(sent) >= len(updates)
    told = [text for text in sent if "/usage" not in text or user != "11"]
    assert PRIVATE not in repr(told)
    assert f"{SPENT:.2f}" not in repr(told)
    kept = await app.db.read(memories.summaries, Owner(PrincipalId(1)))
    assert {memory.text for memory in kept} == {PRIVATE}
    asked = await app.db.read(questions.get, QuestionId(1))
    assert asked
    assert asked.state is QuestionState.OPEN


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
