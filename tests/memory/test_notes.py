"""Notes: private to one person, found again, paged; on both databases."""

import pytest

from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.principal import Principal, Role
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.memory.notes import NOTHING, note_tools, title_of
from lar.policy.gate import Gate
from lar.store import notes, people
from lar.store.database import Database
from lar.testing.clock import FakeClock
from lar.testing.journal import MemoryJournal
from lar.testing.tool_contract import ToolContract
from lar.tools.contract import Tool, ToolCall, ToolContext, ToolStatus
from lar.tools.execute import Registry, TurnTools

NOW = 1_700_000_000.0


async def person(db: Database, name: str) -> Principal:
    """Somebody new."""
    who = Principal(PrincipalId(0), name, Role.USER)
    return await db.write(people.add, "telegram", "main", name, who, NOW)


class NotesContract:
    """What the store promises about notes. Subclass, and give the fixture `db`."""

    async def test_a_title_is_unique_to_a_person(self, db: Database) -> None:
        """Saving under a title again replaces the text and keeps the number; another person's note is not touched."""
        ann, bob = await person(db, "ann"), await person(db, "bob")
        first = await db.write(notes.save, ann.id, "wifi", "old", NOW)
        of_bob = await db.write(notes.save, bob.id, "wifi", "bob's", NOW)
        second = await db.write(notes.save, ann.id, "wifi", "new", NOW + 1)
        assert (second.id, second.text, second.created_at, second.updated_at) == (first.id, "new", NOW, NOW + 1)
        assert await db.read(notes.find, bob.id, "wifi") == of_bob

    async def test_keeping_replaces_nothing(self, db: Database) -> None:
        """Notes that begin alike are all kept; the very same note is kept once."""
        ann = await person(db, "ann")
        one = await db.write(notes.keep, ann.id, "shopping", "bread", NOW)
        two = await db.write(notes.keep, ann.id, "shopping", "milk", NOW)
        same = await db.write(notes.keep, ann.id, "shopping", "bread", NOW + 5)
        assert (one.title, two.title) == ("shopping", "shopping (2)")
        assert same == one

    async def test_is_found_by_number_and_title(self, db: Database) -> None:
        """A person names a note as it was shown to them; nobody else's note is found so."""
        ann, bob = await person(db, "ann"), await person(db, "bob")
        note = await db.write(notes.save, ann.id, "Boiler", "4411", NOW)
        for reference in (str(note.id), f"#{note.id}", "boiler", " BOILER "):
            assert await db.read(notes.find, ann.id, reference) == note
            assert await db.read(notes.find, bob.id, reference) is None
        for reference in ("", "#", "9" * 40, "²", "boil"):
            assert await db.read(notes.find, ann.id, reference) is None

    async def test_search_wants_every_word_and_takes_them_literally(self, db: Database) -> None:
        """Words may stand anywhere in title or text; what the database takes for a pattern is just text."""
        ann = await person(db, "ann")
        await db.write(notes.save, ann.id, "Boiler code", "it is 4411", NOW)
        await db.write(notes.save, ann.id, "discount", "100% off_season", NOW + 1)

        async def titles(words: str) -> list[str]:
            return [note.title for note in (await db.read(notes.search, ann.id, words, 10)).notes]

        assert await titles("BOILER 4411") == ["Boiler code"]
        assert await titles("boiler discount") == []
        assert await titles("100%") == ["discount"]
        assert await titles("off_season") == ["discount"]
        assert await titles("_off") == []
        assert await titles("") == ["discount", "Boiler code"]

    async def test_pages(self, db: Database) -> None:
        """A page holds what it should, and the total is told."""
        ann = await person(db, "ann")
        for number in range(5):
            await db.write(notes.save, ann.id, f"n{number}", "x", NOW + number)
        page = await db.read(notes.search, ann.id, "", 2, 2)
        assert ([note.title for note in page.notes], page.total) == (["n2", "n1"], 5)

    async def test_only_its_owner_deletes_it(self, db: Database) -> None:
        """Nobody deletes another person's note by guessing its number."""
        ann, bob = await person(db, "ann"), await person(db, "bob")
        note = await db.write(notes.save, ann.id, "mine", "x", NOW)
        assert not await db.write(notes.remove, bob.id, note.id)
        assert await db.write(notes.remove, ann.id, note.id)
        assert not await db.write(notes.remove, ann.id, note.id)


class TestNotesOnSqlite(NotesContract):
    """SQLite keeps the contract."""

    @pytest.fixture
    def db(self, sqlite_db: Database) -> Database:
        """The database."""
        return sqlite_db


@pytest.mark.postgres
class TestNotesOnPostgres(NotesContract):
    """PostgreSQL keeps the contract."""

    @pytest.fixture
    def db(self, postgres_db: Database) -> Database:
        """The database."""
        return postgres_db


@pytest.fixture
async def ann(sqlite_db: Database) -> Principal:
    """Who asks."""
    return await person(sqlite_db, "ann")


@pytest.fixture
def tools(sqlite_db: Database) -> dict[str, Tool]:
    """The tools by name, two notes a page."""
    return {tool.name: tool for tool in note_tools(sqlite_db, FakeClock(NOW), page_size=2)}


CALLS: list[tuple[str, JsonObject]] = [
    ("save_note", {"text": "the boiler code is 4411"}),
    ("save_note", {"title": "boiler", "text": "4411"}),
    ("get_note", {"note": "known"}),
    ("search_notes", {"query": "known"}),
    ("list_notes", {}),
    ("delete_note", {"note": "known"}),
]


class TestNoteTools(ToolContract):
    """Each of the note tools keeps the tool contract."""

    @pytest.fixture(params=CALLS)
    def wanted(self, request: pytest.FixtureRequest) -> tuple[str, JsonObject]:
        """A tool's name and arguments it takes."""
        return request.param

    @pytest.fixture
    def tool(self, tools: dict[str, Tool], wanted: tuple[str, JsonObject]) -> Tool:
        """The tool."""
        return tools[wanted[0]]

    @pytest.fixture
    def arguments(self, wanted: tuple[str, JsonObject]) -> JsonObject:
        """Its arguments."""
        return wanted[1]

    @pytest.fixture
    async def caller(self, sqlite_db: Database, ann: Principal) -> ToolContext:
        """Ann, who has a note."""
        await sqlite_db.write(notes.save, ann.id, "known", "a known note", NOW)
        return ToolContext(ann, ConversationId(1), TurnId(1))


async def run(tools: dict[str, Tool], who: Principal, name: str, **arguments: object) -> str:
    """The text one tool gives."""
    tool = tools[name]
    return (await tool.call(ToolContext(who, ConversationId(1), TurnId(1)), tool.parse(arguments))).text


async def test_a_life_of_notes(tools: dict[str, Tool], ann: Principal) -> None:
    """Saved, listed in pages, found, read and deleted, as a person would."""
    for text in ("the boiler code is 4411", "bread", "milk"):
        await run(tools, ann, "save_note", text=text)
    listed = await run(tools, ann, "list_notes")
    assert "Page 1 of 2, 3 notes." in listed
    assert "boiler" in await run(tools, ann, "list_notes", page=2)
    assert await run(tools, ann, "list_notes", page=9) == NOTHING
    found = await run(tools, ann, "search_notes", query="boiler")
    number = found.split()[1]
    assert "the boiler code is 4411" in await run(tools, ann, "get_note", note=number)
    await run(tools, ann, "delete_note", note=number)
    assert await run(tools, ann, "search_notes", query="boiler") == NOTHING
    with pytest.raises(ToolError, match="no note"):
        await run(tools, ann, "get_note", note=number)


async def test_long_notes_are_listed_short(tools: dict[str, Tool], ann: Principal) -> None:
    """A list shows the beginning of a long note, with its title where that says something else."""
    await run(tools, ann, "save_note", text="word " * 200)
    await run(tools, ann, "save_note", title="Plan", text="step " * 200)
    lines = (await run(tools, ann, "list_notes")).splitlines()
    assert all(len(line) < 200 for line in lines)
    assert any("Plan: step" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("save_note", {"text": "x"}),
        ("get_note", {"note": "1"}),
        ("search_notes", {"query": "x"}),
        ("list_notes", {}),
        ("delete_note", {"note": "1"}),
    ],
)
async def test_no_notes_in_a_group(
    tools: dict[str, Tool], ann: Principal, name: str, arguments: dict[str, str]
) -> None:
    """What one person keeps is never shown or changed in front of others: the gate refuses, and nothing is offered."""
    context = ToolContext(ann, ConversationId(1), TurnId(1), Place.GROUP)
    box = TurnTools(Registry(tools.values()), context, MemoryJournal(), Gate())
    assert box.tools == ()
    assert (await box.execute(ToolCall("1", name, arguments))).status is ToolStatus.DENIED


def test_a_title_is_short() -> None:
    """A note without a title is called by its first words."""
    assert title_of(" the boiler \n code ") == "the boiler code"
    assert len(title_of("x" * 500)) == 60
