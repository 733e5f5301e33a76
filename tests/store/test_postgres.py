import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from lar.errors import CommitFailed, StoreError
from lar.store.backend import ANY, Phase, Unit
from lar.store.database import Database, notify
from lar.store.schema import principal
from lar.store.settings import StoreSettings
from lar.testing.postgres import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server_of_ours(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that tests may kill; that the shared one exists says that there can be one."""
    assert postgres_server
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def own_server(server_of_ours: PostgresServer) -> PostgresServer:
    """It runs, whatever the test before did to it."""
    server_of_ours.start()
    return server_of_ours


@pytest.fixture
async def db(own_server: PostgresServer) -> AsyncIterator[Database]:
    found = Database(StoreSettings(url=own_server.new_database(), patience=20))
    await found.open()
    yield found
    await found.close()


def add(connection: Connection, name: str) -> None:
    connection.execute(insert(principal).values(name=name, role="user", created_at=0))


def names(connection: Connection) -> list[str]:
    return list(connection.execute(select(principal.c.name).order_by(principal.c.id)).scalars())


def ask(connection: Connection, sql: str) -> Any:
    return connection.execute(text(sql)).scalar()


async def test_a_restarting_server_is_waited_for(db: Database, own_server: PostgresServer) -> None:
    """Writes and reads that meet a dead server are tried again until it is back; listeners are told to look."""
    heard: list[str] = []
    arrived = asyncio.Event()

    def listen(payload: str) -> None:
        heard.append(payload)
        arrived.set()

    db.subscribe("topic", listen)
    await db.write(add, "before")
    own_server.stop()
    write, read = asyncio.create_task(db.write(add, "during")), asyncio.create_task(db.read(names))
    await asyncio.sleep(0)  # they are on their way
    own_server.start()
    await write
    assert (await read)[0] == "before"
    async with asyncio.timeout(30):
        await arrived.wait()
    assert heard == [ANY]
    arrived.clear()
    await db.write(notify, "topic", "news")
    async with asyncio.timeout(30):
        await arrived.wait()
    assert heard == [ANY, "news"]
    assert await db.read(names) == ["before", "during"]


async def test_a_server_that_stays_away_is_explained(own_server: PostgresServer) -> None:
    """Patience ends with a sentence."""
    url = own_server.new_database()
    own_server.stop()
    with pytest.raises(StoreError, match="PostgreSQL cannot be used now"):
        await Database(StoreSettings(url=url, patience=0.1)).open()


async def test_a_connection_lost_in_the_commit_is_not_retried(own_server: PostgresServer) -> None:
    """Whether that commit was kept is unknown: it is not run twice, the caller hears of it."""
    deadly = False

    def probe(phase: Phase, _names: object) -> None:
        if deadly and phase == "before":
            own_server.stop()

    db = Database(StoreSettings(url=own_server.new_database(), patience=20), probe=probe)
    await db.open()
    await db.write(add, "before")
    deadly = True
    with pytest.raises(CommitFailed, match="unknown"):
        await db.write(add, "lost")
    deadly = False
    own_server.start()
    assert await db.read(names) == ["before"]
    await db.close()


async def test_a_deadlock_is_resolved(db: Database) -> None:
    """Two units that wait for each other both succeed: the server picks one, and it is run again."""
    await db.write(add, "a")
    await db.write(add, "b")
    first_locks: list[int] = []

    def swap(connection: Connection, one: int, other: int) -> None:
        for identity in (one, other):
            connection.execute(update(principal).where(principal.c.id == identity).values(language=f"{one}"))
            first_locks.append(identity)
            connection.execute(text("SELECT pg_sleep(0.1)"))

    await asyncio.gather(db.write(swap, 1, 2), db.write(swap, 2, 1))
    assert len(first_locks) > 4 - 1


async def test_a_mistake_is_not_retried(db: Database) -> None:
    """An error that the next try would meet again comes through at once, as it is."""
    tries: list[int] = []

    def mistake(connection: Connection) -> None:
        tries.append(1)
        add(connection, "a")
        connection.execute(text("INSERT INTO note (principal_id, title, created_at, updated_at) VALUES (9, '', 0, 0)"))

    with pytest.raises(IntegrityError):
        await db.write(mistake)
    assert len(tries) == 1
    assert await db.read(names) == []


async def test_a_read_is_one_snapshot(db: Database) -> None:
    """What changes while a unit reads does not show in its second look."""
    looked, changed = threading.Event(), threading.Event()

    def look_twice(connection: Connection) -> tuple[int, int]:
        first = len(names(connection))
        looked.set()
        assert changed.wait(30)
        return first, len(names(connection))

    looking = asyncio.create_task(db.read(look_twice))
    assert await asyncio.to_thread(looked.wait, 30)
    await db.write(add, "new")
    changed.set()
    first, second = await looking
    assert first == second


async def test_a_closed_database_says_so(own_server: PostgresServer) -> None:
    """A late write is an error with a sentence, not a hang."""
    db = Database(StoreSettings(url=own_server.new_database()))
    assert db.dialect == "postgresql"
    with pytest.raises(StoreError, match="closed"):
        await db.write(add, "late")
    await db.settle()
    await db.close()


async def test_the_probe_names_the_function(own_server: PostgresServer) -> None:
    """The kill suite stops the process around each commit: it is told whose."""
    seen: list[tuple[Phase, list[str]]] = []
    url = own_server.new_database()
    db = Database(StoreSettings(url=url), probe=lambda phase, units: seen.append((phase, list(units))))
    await db.open()
    await db.write(add, "a")
    await db.close()
    assert seen == [("before", ["add"]), ("after", ["add"])]
    reader = Database(StoreSettings(url=url))
    await reader.open(read_only=True)
    assert await reader.read(names) == ["a"]
    await reader.close()


def test_a_unit_knows_its_name() -> None:
    """However a function is wrapped, the journal of commits shows the one that was meant."""
    assert Unit(ask, ("SELECT 1",), {}).name == "ask"
    assert Unit(insert, (), {}).name == "insert"
