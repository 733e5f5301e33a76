import asyncio
import os
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import Connection, insert, select, text

from lar.errors import CommitFailed, ConfigError, DatabaseBusy, MissingComponent, StoreError
from lar.store.backend import Phase
from lar.store.database import Database, notify
from lar.store.schema import principal
from lar.store.settings import StoreSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "lar.db"


def settings(file: Path, **changes: float) -> StoreSettings:
    return StoreSettings.model_validate({"url": f"sqlite:///{file}", **changes})


def add(connection: Connection, name: str) -> None:
    connection.execute(insert(principal).values(name=name, role="user", created_at=0))


def names(connection: Connection) -> list[str]:
    return list(connection.execute(select(principal.c.name).order_by(principal.c.id)).scalars())


class Stubborn(sqlite3.Connection):
    """A connection whose COMMIT fails as on a broken disk."""

    fails: ClassVar[bool] = False

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        """Fail what is to fail."""
        if self.fails and sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return super().execute(sql, *rest)


async def test_a_second_process_is_told_who_owns_the_file(file: Path) -> None:
    """Two gateways on one file would run every job twice: the second one stops, and names the first."""
    db = Database(settings(file))
    await db.open()
    program = (
        "import asyncio\nfrom lar.store.database import Database\nfrom lar.store.settings import StoreSettings\n"
        f"asyncio.run(Database(StoreSettings(url='sqlite:///{file}')).open())\n"
    )
    other = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert other.returncode == 1
    assert f"belongs to the running process {os.getpid()}" in other.stderr
    with pytest.raises(DatabaseBusy):
        await Database(settings(file)).open()
    await db.close()
    await db.close()
    await db.open()
    await db.close()


async def test_a_reader_looks_on_beside_the_owner(file: Path) -> None:
    """A command reads what the gateway wrote, while it runs, and is refused to write."""
    owner, reader = Database(settings(file)), Database(settings(file))
    await owner.open()
    await owner.write(add, "Ada")
    await reader.open(read_only=True)
    assert await reader.read(names) == ["Ada"]
    with pytest.raises(StoreError, match="read-only"):
        await reader.write(add, "Eve")
    await owner.write(add, "Bob")
    assert await reader.read(names) == ["Ada", "Bob"]
    await reader.close()
    await owner.close()


async def test_a_read_cannot_write(file: Path) -> None:
    """What goes round the writer is refused, not interleaved."""
    db = Database(settings(file))
    await db.open()
    with pytest.raises(StoreError, match="cannot be written"):
        await db.read(add, "Eve")
    await db.close()


async def test_a_closed_database_says_so(file: Path) -> None:
    """A late write is an error with a sentence, not a hang."""
    db = Database(settings(file))
    assert db.dialect == "sqlite"
    for attempt in (db.write(add, "Ada"), db.read(names)):
        with pytest.raises(StoreError, match="closed"):
            await attempt


async def test_closing_finishes_what_was_handed_in(file: Path) -> None:
    """Nothing that was accepted is lost by a stop in good order."""
    db = Database(settings(file))
    await db.open()
    writes = [asyncio.create_task(db.write(add, str(n))) for n in range(600)]
    await asyncio.sleep(0)
    await db.close()
    await asyncio.gather(*writes)
    await db.open()
    assert len(await db.read(names)) == 600
    await db.close()


async def test_units_share_a_commit_and_the_probe_sees_it(file: Path) -> None:
    """The kill suite stops the process around each commit: it is told which functions it carries."""
    seen: list[tuple[Phase, list[str]]] = []
    db = Database(settings(file), probe=lambda phase, functions: seen.append((phase, list(functions))))
    await db.open()
    await db.write(partial(add), "Ada")
    await asyncio.gather(*(db.write(add, str(n)) for n in range(50)))
    await db.close()
    assert seen[:2] == [("before", ["add"]), ("after", ["add"])]
    assert sum(len(functions) for phase, functions in seen if phase == "after") == 51
    assert len(seen) < 50


async def test_a_foreign_lock_is_waited_for_and_then_explained(file: Path) -> None:
    """Another program that holds the file locked delays a write; one that will not let go is named as the reason."""
    db = Database(settings(file, patience=0.2))
    await db.open()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds the database locked"):
        await db.write(add, "Ada")
    waiting = asyncio.create_task(db.write(add, "Ada"))
    await asyncio.sleep(0)
    other.execute("ROLLBACK")
    await waiting
    other.close()
    assert await db.read(names) == ["Ada"]
    await db.close()


async def test_a_full_disk_fails_the_write_and_recovers(file: Path) -> None:
    """No space: the write says so, nothing of it is kept, and the next one after cleaning up works."""
    db = Database(settings(file))
    await db.open()
    pages = await db.write(lambda c: c.execute(text("PRAGMA page_count")).scalar_one())
    await db.write(lambda c: c.execute(text(f"PRAGMA max_page_count = {pages + 2}")).close())
    with pytest.raises(StoreError, match="the disk is full"):
        await db.write(add, "x" * 100_000)
    results = await asyncio.gather(*(db.write(add, name) for name in ("a", "y" * 100_000, "b")), return_exceptions=True)
    kept = [name for name, result in zip("ayb", results, strict=True) if result is None]
    assert isinstance(results[1], StoreError)
    await db.write(lambda c: c.execute(text("PRAGMA max_page_count = 1000000")).close())
    await db.write(add, "c")
    assert await db.read(names) == [*kept, "c"]
    await db.close()


async def test_a_failed_commit_fails_every_unit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are handed out after COMMIT only: if it fails, everybody of the batch hears so, and nothing is kept."""
    told: list[str] = []
    monkeypatch.setattr("sqlite3.dbapi2.connect", partial(sqlite3.connect, factory=Stubborn))
    db = Database(settings(file))
    await db.open()
    db.subscribe("topic", told.append)

    def tell(connection: Connection) -> None:
        add(connection, "told")
        notify(connection, "topic", "news")

    monkeypatch.setattr(Stubborn, "fails", True)
    results = await asyncio.gather(db.write(tell), *(db.write(add, str(n)) for n in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [CommitFailed] * 6
    assert "disk I/O error" in str(results[0])
    monkeypatch.setattr(Stubborn, "fails", False)
    await db.write(add, "again")
    assert await db.read(names) == ["again"]
    assert told == []
    await db.close()


async def test_a_rollback_by_sqlite_itself_fails_every_unit(file: Path) -> None:
    """Where SQLite gives the whole transaction up, units that ran before the bad one are not told they were kept."""
    db = Database(settings(file))
    await db.open()

    def give_up(connection: Connection) -> None:
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            raw.execute("ROLLBACK")
        raise ValueError("I/O error")

    results = await asyncio.gather(
        db.write(add, "a"), db.write(give_up), db.write(add, "b"), db.write(add, "c"), return_exceptions=True
    )
    kept = await db.read(names)
    assert kept == [name for name, result in zip("a_bc", results, strict=True) if result is None]
    assert isinstance(results[1], CommitFailed | ValueError)
    await db.close()


async def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    """Garbage in the database's place is named, and left alone; the lock is given back."""
    file = tmp_path / "lar.db"
    await asyncio.to_thread(file.write_text, "not a database, but long enough to look at" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            await Database(settings(file)).open()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/lar", "nonsense"])
def test_an_unusable_url_is_explained(url: str) -> None:
    """A wrong `database.url` names the two kinds that work."""
    with pytest.raises(ConfigError, match="postgresql://"):
        Database(StoreSettings(url=url))


async def test_a_missing_driver_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL without psycopg is one command away, and says which."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingComponent, match=r"pip install 'lar\[postgres\]'"):
        await Database(StoreSettings(url="postgresql://nowhere/lar")).open()


def ask(connection: Connection, sql: str) -> Any:
    return connection.execute(text(sql)).scalar()


async def test_a_power_cut_costs_nothing_that_was_answered(file: Path) -> None:
    """The file is a WAL with full synchronisation, and foreign keys are checked."""
    db = Database(settings(file))
    await db.open()
    found = [await db.write(ask, f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]
    await db.close()
    assert found == ["wal", 2, 1]
