"""The tool `chat_history`: shows this conversation and trims it, and nothing else; on both databases."""

import pytest

from lar.domain.conversation import Address, Place
from lar.domain.ids import ConversationId, MessageId, PrincipalId, TurnId
from lar.domain.message import Author, Message
from lar.domain.principal import Principal, Role
from lar.domain.risk import Deed
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.memory.history import history_tool
from lar.store import conversations, history, messages
from lar.store.database import Database
from lar.testing.tool_contract import ToolContract
from lar.testing.turns import ANN
from lar.tools.contract import Tool, ToolContext

NOW = 1_700_000_000.0
THIS_TURN = TurnId(100)


async def talk(db: Database, chat: str, lines: int) -> ConversationId:
    """A conversation of so many messages, two a turn, and one of the running turn."""
    place = await db.write(conversations.ensure, Address("telegram", "main", chat), Place.PRIVATE, "", NOW)
    for number in range(lines):
        author = Author.ASSISTANT if number % 2 else Author.USER
        said = Message(MessageId(0), place.id, author, f"line {number}", NOW + number, turn_id=TurnId(1 + number // 2))
        await db.write(messages.add, said)
    await db.write(messages.add, Message(MessageId(0), place.id, Author.USER, "now", NOW, turn_id=THIS_TURN))
    return place.id


async def left(db: Database, conversation_id: ConversationId) -> list[str]:
    """The texts that are still there."""
    lines, _ = await db.read(history.latest, conversation_id, None, 100)
    return [line.text for line in lines]


class HistoryContract:
    """What the store promises about a transcript that is looked at and trimmed. Give the fixture `db`."""

    async def test_shows_the_latest_and_goes_back(self, db: Database) -> None:
        """The latest page first, then what is older than its first message."""
        here = await talk(db, "1", 6)
        await talk(db, "2", 4)
        lines, total = await db.read(history.latest, here, None, 3)
        assert ([line.text for line in lines], total) == (["line 4", "line 5", "now"], 7)
        older, _ = await db.read(history.latest, here, lines[0].id, 3)
        assert [line.text for line in older] == ["line 1", "line 2", "line 3"]

    @pytest.mark.parametrize(("keep", "deleted"), [(0, 6), (1, 5), (4, 2), (6, 0), (99, 0)])
    async def test_trims_the_oldest_of_this_conversation(self, db: Database, keep: int, deleted: int) -> None:
        """The newest stay, the running turn is not touched, and no other conversation is."""
        here, elsewhere = await talk(db, "1", 6), await talk(db, "2", 4)
        assert await db.write(history.trim, here, keep, THIS_TURN) == deleted
        assert await left(db, here) == [f"line {number}" for number in range(deleted, 6)] + ["now"]
        assert len(await left(db, elsewhere)) == 5
        assert await db.write(history.trim, here, keep, THIS_TURN) == 0

    async def test_trims_all_turns(self, db: Database) -> None:
        """Without a running turn, every message counts."""
        here = await talk(db, "1", 6)
        await db.write(history.trim, here, 2)
        assert await left(db, here) == ["line 5", "now"]


class TestHistoryOnSqlite(HistoryContract):
    """SQLite keeps the contract."""

    @pytest.fixture
    def db(self, sqlite_db: Database) -> Database:
        """The database."""
        return sqlite_db


@pytest.mark.postgres
class TestHistoryOnPostgres(HistoryContract):
    """PostgreSQL keeps the contract."""

    @pytest.fixture
    def db(self, postgres_db: Database) -> Database:
        """The database."""
        return postgres_db


class TestChatHistory(ToolContract):
    """The tool keeps the tool contract."""

    @pytest.fixture
    def tool(self, sqlite_db: Database) -> Tool:
        """The tool."""
        return history_tool(sqlite_db)

    @pytest.fixture
    def arguments(self) -> JsonObject:
        """A look."""
        return {"action": "show"}


def caller(where: ConversationId, role: Role, place: Place) -> ToolContext:
    """Somebody in this conversation."""
    return ToolContext(Principal(PrincipalId(1), "Ann", role), where, THIS_TURN, place)


async def test_shows_text_with_numbers_to_go_on_from(sqlite_db: Database) -> None:
    """The model can page back by the number of the oldest message it was shown."""
    here = await talk(sqlite_db, "1", 6)
    tool = history_tool(sqlite_db, page_size=3)
    shown = (await tool.call(caller(here, Role.USER, Place.PRIVATE), tool.parse({}))).text
    number = int(shown.splitlines()[1].split()[0].removeprefix("#"))
    older = (await tool.call(caller(here, Role.USER, Place.PRIVATE), tool.parse({"before": number}))).text
    assert "line 3" in older
    assert "line 4" not in older
    assert "user: line 2" in older
    first = (await tool.call(caller(here, Role.USER, Place.PRIVATE), tool.parse({"before": 1}))).text
    assert first == "There are no earlier messages."


@pytest.mark.parametrize(
    ("role", "place", "may"),
    [
        (Role.USER, Place.PRIVATE, True),
        (Role.ADMIN, Place.GROUP, True),
        (Role.USER, Place.GROUP, False),
    ],
)
async def test_who_may_trim(sqlite_db: Database, role: Role, place: Place, may: bool) -> None:
    """In a group, one member does not delete what all of them said."""
    here = await talk(sqlite_db, "1", 6)
    tool = history_tool(sqlite_db)
    trim = tool.call(caller(here, role, place), tool.parse({"action": "trim", "keep": 2}))
    if may:
        assert (await trim).text == "Deleted 4 messages."
    else:
        with pytest.raises(ToolError, match="admin"):
            await trim
        assert len(await left(sqlite_db, here)) == 7


async def test_long_messages_are_cut(sqlite_db: Database) -> None:
    """A look at the history does not fill the model's context."""
    place = await sqlite_db.write(conversations.ensure, Address("t", "m", "1"), Place.PRIVATE, "", NOW)
    said = Message(MessageId(0), place.id, Author.USER, "x" * 50_000, NOW, turn_id=TurnId(1))
    await sqlite_db.write(messages.add, said)
    tool = history_tool(sqlite_db)
    shown = (await tool.call(ToolContext(ANN, place.id, THIS_TURN), tool.parse({}))).text
    assert len(shown) < 3000


@pytest.mark.parametrize(
    ("arguments", "deed", "said"),
    [
        ({}, Deed.LOOK, "look at earlier"),
        ({"action": "trim"}, Deed.REMEMBER, "delete all earlier messages"),
        ({"action": "trim", "keep": 2}, Deed.REMEMBER, "all but the newest 2"),
    ],
)
def test_the_gate_is_told_what_it_would_do(
    sqlite_db: Database, arguments: dict[str, object], deed: Deed, said: str
) -> None:
    """R-PO-3: looking is looking; trimming changes what is remembered, and says how much."""
    tool = history_tool(sqlite_db)
    effect = tool.would(tool.parse(arguments))
    assert (effect.deed, said in effect.summary) == (deed, True)
