"""What MCP servers say of their tools, and what of it was accepted, on both databases."""

from lar.domain.values import JsonObject
from lar.store import mcp
from lar.store.database import Database
from lar.testing.databases import OnPostgres, OnSqlite


def text(description: str) -> JsonObject:
    """A description."""
    return {"description": description, "schema": {"type": "object"}, "claims": {}}


class McpPins:
    """Pinned descriptions."""

    async def test_the_first_word_is_accepted(self, db: Database) -> None:
        """R-TO-8: what a server says when it is first configured is taken as it is, and known after that."""
        assert await db.read(mcp.servers) == []
        pins = await db.write(mcp.describe, "a", "here", {"look": text("Look.")})
        assert (set(pins.offered), pins.changes) == ({"look"}, [])
        assert await db.read(mcp.servers) == ["a"]
        assert await db.read(mcp.load_all, ["a", "b"]) == {"a": pins, "b": mcp.Pins()}

    async def test_what_differs_is_not_offered(self, db: Database) -> None:
        """R-TO-8: changed, new and gone tools wait; the others stay; what comes back as it was is offered again."""
        first = {"look": text("Look."), "go": text("Go."), "stay": text("Stay.")}
        await db.write(mcp.describe, "a", "here", first)
        second = {"look": text("Look, and tell."), "stay": text("Stay."), "new": text("New.")}
        pins = await db.write(mcp.describe, "a", "here", second)
        assert set(pins.offered) == {"stay"}
        assert [(change.tool, change.before is None, change.now is None) for change in pins.changes] == [
            ("go", False, True),
            ("look", False, False),
            ("new", True, False),
        ]
        assert set((await db.write(mcp.describe, "a", "here", first)).offered) == {"look", "go", "stay"}

    async def test_only_what_was_shown_is_accepted(self, db: Database) -> None:
        """R-TO-8: an admin accepts the change they read; one that came since is not accepted with it."""
        await db.write(mcp.describe, "a", "here", {"look": text("Look."), "go": text("Go.")})
        shown = (await db.write(mcp.describe, "a", "here", {"look": text("Two.")})).changes
        await db.write(mcp.describe, "a", "here", {"look": text("Three.")})
        accepted = await db.write(mcp.accept, "a", frozenset(change.digest for change in shown))
        assert [change.tool for change in accepted] == ["go"]
        pins = await db.read(mcp.load, "a")
        assert set(pins.accepted) == {"look"}
        assert pins.offered == {}
        await db.write(mcp.accept, "a", frozenset(change.digest for change in pins.changes))
        assert (await db.read(mcp.load, "a")).offered == {"look": text("Three.")}

    async def test_another_server(self, db: Database) -> None:
        """R-TO-8: another command or address under the name begins anew, and leaves no other server in doubt."""
        await db.write(mcp.describe, "a", "here", {"look": text("Look.")})
        await db.write(mcp.describe, "b", "here", {"look": text("Look.")})
        pins = await db.write(mcp.describe, "a", "there", {"go": text("Go.")})
        assert set(pins.offered) == {"go"}
        assert set((await db.read(mcp.load, "b")).offered) == {"look"}


class TestMcpPinsOnSqlite(OnSqlite, McpPins):
    """On SQLite."""


class TestMcpPinsOnPostgres(OnPostgres, McpPins):
    """On PostgreSQL."""
