"""Search finds what was said and noted, however long ago, for whoever it belongs to; alike on both databases."""

import pytest

from lar.domain.conversation import Address, Place
from lar.domain.ids import ConversationId, JobId, MessageId, PrincipalId, TurnId
from lar.domain.memory import Owner
from lar.domain.message import Author, Message
from lar.domain.principal import Principal, Role
from lar.domain.turn import Turn, TurnState, Usage
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.memory.search import search_tool
from lar.store import conversations, messages, notes, people, search, turns
from lar.store.database import Database
from lar.store.schema import message
from lar.testing.tool_contract import ToolContract
from lar.tools.contract import Tool, ToolContext

NOW = 1_700_000_000.0


async def somebody(db: Database, name: str) -> Principal:
    """A person."""
    return await db.write(people.add, "t", "m", name, Principal(PrincipalId(0), name, Role.USER), NOW)


async def say(db: Database, who: Principal, text: str, answer: str = "fine", *, chat: str = "", taint: str = "") -> int:
    """An exchange in somebody's private chat, or in a group; the number of the conversation."""
    place = Place.GROUP if chat else Place.PRIVATE
    here = (await db.write(conversations.ensure, Address("t", "m", chat or who.name), place, "", NOW)).id
    job = JobId(len(await db.read(lambda c: c.execute(message.select()).all())) + 1)
    new = Turn(TurnId(0), here, who.id, job, TurnState.RUNNING, "", NOW)
    turn = await db.write(turns.add, new)
    await db.write(messages.add, Message(MessageId(0), here, Author.USER, text, NOW, who.id, turn))
    await db.write(messages.add, Message(MessageId(0), here, Author.ASSISTANT, answer, NOW, None, turn))
    await db.write(turns.end, turn, TurnState.DONE, Usage(), NOW, "", (taint,) if taint else ())
    return here


def caller(who: Principal, here: int = 1, place: Place = Place.PRIVATE) -> ToolContext:
    """This person in a later turn."""
    return ToolContext(who, ConversationId(here), TurnId(1000), place)


async def found(db: Database, who: ToolContext, query: str) -> str:
    """What the tool finds."""
    tool = search_tool(db)
    return (await tool.call(who, tool.parse({"query": query}))).text


class SearchContract:
    """What search promises. Give the fixture `db`."""

    async def test_finds_words_by_their_beginnings(self, db: Database) -> None:
        """R-ME-8: case, accents and endings do not matter; all words, or else any; the best comes first."""
        ann = await somebody(db, "ann")
        await say(db, ann, "My café is at example.org/Menu_Lunch", "Noted: 50% off, isn't it?")
        await say(db, ann, "The dentist said number 4711", "ok")
        for query in ("CAFE", "caf", "menu", "lunch", "isn", "50"):
            assert "fé" in await found(db, caller(ann), query) or "50%" in await found(db, caller(ann), query)
        assert "4711" in await found(db, caller(ann), "dentist number")
        assert "4711" in await found(db, caller(ann), "dentist unicorn")
        assert "Nothing was found" in await found(db, caller(ann), "unicorn")
        for odd in ('"quoted" dentist', "dentist AND", "dentist*", "NEAR(dentist)", "dentist:number & | !"):
            assert "4711" in await found(db, caller(ann), odd)
        with pytest.raises(ToolError, match="word"):
            await found(db, caller(ann), "?!")

    async def test_finds_notes_and_what_changes(self, db: Database) -> None:
        """R-ME-8: the index follows notes and messages as they are changed and deleted."""
        ann = await somebody(db, "ann")
        note = await db.write(notes.save, ann.id, "Wifi", "The password is zebra", NOW)
        assert f"note #{note.id} Wifi" in await found(db, caller(ann), "zebra")
        await db.write(notes.save, ann.id, "Wifi", "The password is lion", NOW)
        assert "Nothing" in await found(db, caller(ann), "zebra")
        assert "lion" in await found(db, caller(ann), "wifi lion")
        await db.write(notes.remove, ann.id, note.id)
        assert "Nothing" in await found(db, caller(ann), "lion")
        await say(db, ann, "an elephant")
        await db.write(lambda c: c.execute(message.update().values(text="a giraffe")).close())
        assert "giraffe" in await found(db, caller(ann), "giraffe")
        assert "Nothing" in await found(db, caller(ann), "elephant")
        await db.write(lambda c: c.execute(message.delete()).close())
        assert "Nothing" in await found(db, caller(ann), "giraffe")

    async def test_finds_nothing_of_others(self, db: Database) -> None:
        """R-ME-9: a person finds their private talks and notes; a group what was said in it; nobody anything else."""
        ann, bob = await somebody(db, "ann"), await somebody(db, "bob")
        private = await say(db, ann, "secret of ann", "secret answer")
        group = await say(db, ann, "secret of the group", chat="g")
        other = await say(db, bob, "secret elsewhere", chat="h")
        await db.write(notes.save, ann.id, "secret note", "x", NOW)
        mine = await found(db, caller(ann, private), "secret")
        assert "secret of ann" in mine
        assert "secret answer" in mine
        assert "secret note" in mine
        assert "group" not in mine
        assert "Nothing" in await found(db, caller(bob), "secret")
        here = await found(db, caller(bob, group, Place.GROUP), "secret")
        assert here.count("secret") == 1
        assert "of the group" in here
        assert "elsewhere" in await found(db, caller(ann, other, Place.GROUP), "secret")

    async def test_says_where_it_comes_from(self, db: Database) -> None:
        """R-PO-3: what was said in sight of content from outside taints again where it is found."""
        ann = await somebody(db, "ann")
        await say(db, ann, "read the page about whales", taint="web: evil.example")
        tool = search_tool(db)
        result = await tool.call(caller(ann), tool.parse({"query": "whales"}))
        assert result.source == "earlier messages (web: evil.example)"

    async def test_long_texts_are_kept_and_cut(self, db: Database) -> None:
        """R-ME-8: a message of any length is stored; what is shown of it is short and is around the word."""
        ann = await somebody(db, "ann")
        await say(db, ann, " ".join(f"w{number}" for number in range(300_000)))
        await say(db, ann, "x " * 500 + "needle" + " y" * 500)
        shown = await found(db, caller(ann), "needle")
        assert len(shown) < 700
        assert "needle" in shown

    async def test_the_turn_that_asks_finds_only_what_was_before(self, db: Database) -> None:
        """R-CV-7: a search that is repeated after a crash does not find the question itself."""
        ann = await somebody(db, "ann")
        await say(db, ann, "a yak")
        assert await db.read(search.messages, Owner(ann.id), ["yak"], 5, every=True, before=1) == []


class TestSearchOnSqlite(SearchContract):
    """SQLite keeps the contract."""

    @pytest.fixture
    def db(self, sqlite_db: Database) -> Database:
        """The database."""
        return sqlite_db


@pytest.mark.postgres
class TestSearchOnPostgres(SearchContract):
    """PostgreSQL keeps the contract."""

    @pytest.fixture
    def db(self, postgres_db: Database) -> Database:
        """The database."""
        return postgres_db


class TestSearchMemory(ToolContract):
    """The tool keeps the tool contract."""

    @pytest.fixture
    def tool(self, sqlite_db: Database) -> Tool:
        """The tool."""
        return search_tool(sqlite_db)

    @pytest.fixture
    def arguments(self) -> JsonObject:
        """A look."""
        return {"query": "dog"}


def test_words() -> None:
    """R-ME-8: words are looked for once, in small letters, without accents."""
    assert search.words_of("Él, el ÉL! x_y") == ["el", "x", "y"]
