from lar.store import lasting
from lar.store.database import Database
from lar.testing.databases import OnPostgres, OnSqlite


class LastingContract:
    """Small values that outlive processes."""

    async def test_values_are_kept_replaced_and_forgotten(self, db: Database) -> None:
        """What was saved last under a key is what is loaded, until it is dropped."""
        assert await db.read(lasting.load, "chat") is None
        await db.write(lasting.save, "chat", {"id": 1})
        await db.write(lasting.save, "other", [1])
        await db.write(lasting.save, "chat", {"id": 2})
        assert await db.read(lasting.load, "chat") == {"id": 2}
        assert await db.write(lasting.drop, "chat")
        assert not await db.write(lasting.drop, "chat")
        assert await db.read(lasting.load, "chat") is None
        assert await db.read(lasting.load, "other") == [1]


class TestLastingOnSqlite(OnSqlite, LastingContract):
    """On SQLite."""


class TestLastingOnPostgres(OnPostgres, LastingContract):
    """On PostgreSQL."""
