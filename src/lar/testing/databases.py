"""Fixtures and mixins that give a contract suite its database: a SQLite file, or one on a real PostgreSQL.

Import the fixtures in a `conftest.py`. Without PostgreSQL's binaries the tests that need them skip and name the command
that installs them; where they are required (`lar.testing.required`) they fail.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lar.errors import MissingComponent
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.postgres import PostgresServer
from lar.testing.required import required

_TEMPLATE = "lar_1"


async def _open_and_close(url: str) -> None:
    db = Database(StoreSettings(url=url))
    await db.open()
    await db.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running server, shared by the session. Its database `lar_1` has our schema and is left alone."""
    try:
        server = PostgresServer()
    except MissingComponent as missing:
        if required("postgresql"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    try:
        server.start()
        asyncio.run(_open_and_close(server.new_database()))
        yield server
    finally:
        server.remove()


@pytest.fixture
async def postgres_db(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """An open, empty database on PostgreSQL."""
    db = Database(StoreSettings(url=postgres_server.new_database(like=_TEMPLATE), patience=3))
    await db.open()
    yield db
    await db.close()


@pytest.fixture
async def sqlite_db(tmp_path: Path) -> AsyncIterator[Database]:
    """An open, empty SQLite database."""
    db = Database(StoreSettings(url=f"sqlite:///{tmp_path / 'lar.db'}"))
    await db.open()
    yield db
    await db.close()


class OnSqlite:
    """Gives a contract a SQLite file."""

    @pytest.fixture
    def db(self, sqlite_db: Database) -> Database:
        """The file."""
        return sqlite_db


@pytest.mark.postgres
class OnPostgres:
    """Gives a contract a database on a real PostgreSQL."""

    @pytest.fixture
    def db(self, postgres_db: Database) -> Database:
        """The database."""
        return postgres_db
