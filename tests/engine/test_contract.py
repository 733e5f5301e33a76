from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.engine_contract import DatabaseContract, JobsContract
from lar.testing.postgres import PostgresServer


@pytest.fixture
async def sqlite_db(tmp_path: Path) -> AsyncIterator[Database]:
    db = Database(StoreSettings(url=f"sqlite:///{tmp_path / 'lar.db'}"))
    await db.open()
    yield db
    await db.close()


@pytest.fixture
async def postgres_db(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    db = Database(StoreSettings(url=postgres_server.new_database(), patience=3))
    await db.open()
    yield db
    await db.close()


class OnSqlite:
    """Gives the contract a SQLite file."""

    @pytest.fixture
    def db(self, sqlite_db: Database) -> Database:
        """The file."""
        return sqlite_db


@pytest.mark.postgres
class OnPostgres:
    """Gives the contract a database on a real PostgreSQL."""

    @pytest.fixture
    def db(self, postgres_db: Database) -> Database:
        """The database."""
        return postgres_db


class TestDatabaseOnSqlite(OnSqlite, DatabaseContract):
    """Units of SQL on SQLite."""


class TestDatabaseOnPostgres(OnPostgres, DatabaseContract):
    """Units of SQL on PostgreSQL."""


class TestJobsOnSqlite(OnSqlite, JobsContract):
    """Jobs on SQLite."""


class TestJobsOnPostgres(OnPostgres, JobsContract):
    """Jobs on PostgreSQL."""
