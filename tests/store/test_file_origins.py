"""Where files came from, on both databases."""

from lar.store import origins
from lar.store.database import Database
from lar.testing.databases import OnPostgres, OnSqlite


class FileOrigins:
    """Sources by the files' names."""

    async def test_they_follow_the_names(self, db: Database) -> None:
        """R-PO-3: kept, moved with their folder, forgotten with it; names that only look alike are others."""
        for path in ("people/1/a_b/x", "people/1/a_b/y", "people/1/aXb/x", "people/1/a_b2"):
            await db.write(origins.mark, path, ["web: x"])
        await db.write(origins.move, "people/1/a_b", "shared/c")
        assert await db.read(origins.of, "people/1/a_b/x") == []
        assert await db.read(origins.of, "shared/c/x") == ["web: x"]
        await db.write(origins.mark, "shared/c", [])
        for path, sources in (("shared/c/y", []), ("people/1/aXb/x", ["web: x"]), ("people/1/a_b2", ["web: x"])):
            assert await db.read(origins.of, path) == sources


class TestFileOriginsOnSqlite(OnSqlite, FileOrigins):
    """On SQLite."""


class TestFileOriginsOnPostgres(OnPostgres, FileOrigins):
    """On PostgreSQL."""
