"""SQLite: one writer thread that commits in groups, readers beside it, and a lock that keeps other processes out."""

import asyncio
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

import structlog
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from lar.errors import CommitFailed, DatabaseBusy, StoreError
from lar.store import upgrade
from lar.store.backend import NOTICES, Dialect, Probe, Publish, Unit
from lar.store.settings import StoreSettings

T = TypeVar("T")

_BATCH = 256
"""How many units one COMMIT carries at most."""

_log = structlog.get_logger(__name__)

_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class SqliteBackend:
    """A file owned by this process."""

    dialect: Dialect = "sqlite"

    def __init__(self, url: URL, settings: StoreSettings, publish: Publish, probe: Probe | None) -> None:
        self._file = Path(cast("str", url.database)).expanduser()
        self._settings = settings
        self._publish = publish
        self._probe = probe
        self._lock: _FileLock | None = None
        self._writer: _Writer | None = None
        self._readers: _Readers | None = None

    async def open(self, *, read_only: bool) -> None:
        """Lock the file, bring it up to date, and start the threads."""
        await asyncio.to_thread(self._prepare, read_only)
        if not read_only:
            self._writer = _Writer(self._connect(), self._publish, self._probe)
        self._readers = _Readers(self._connect, self._settings.readers)

    async def close(self) -> None:
        """Finish what was handed in, and unlock the file."""
        writer, self._writer = self._writer, None
        readers, self._readers = self._readers, None
        lock, self._lock = self._lock, None
        if readers:
            await asyncio.to_thread(readers.close)
        if writer:
            await asyncio.to_thread(writer.close)
            await asyncio.sleep(0)  # the last results were handed to the loop; let them arrive
        if lock:
            lock.release()

    async def settle(self) -> None:
        """Wait for the units that were handed in: they are run in order."""
        await self.write(Unit(_nothing, (), {}))

    async def write(self, unit: Unit[T]) -> T:
        """Hand a unit to the writer."""
        if self._writer is None:
            raise StoreError("the database is closed")
        return await self._writer.submit(unit)

    async def read(self, unit: Unit[T]) -> T:
        """Hand a unit to a reader."""
        if self._readers is None:
            raise StoreError("the database is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers.pool, self._readers.run, unit)

    def _prepare(self, read_only: bool) -> None:
        if read_only:
            if not self._file.exists():
                raise StoreError(f"there is no database at {self._file} yet: `lar run` creates it")
        else:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _FileLock(self._file)
        try:
            connection = self._connect(foreign_keys=False)
            try:
                self._bring_up_to_date(connection, read_only)
            finally:
                connection.close()
        except BaseException:
            if self._lock:
                self._lock.release()
                self._lock = None
            raise

    def _bring_up_to_date(self, connection: Connection, read_only: bool) -> None:
        try:
            found = upgrade.check(connection)
            if read_only:
                upgrade.require_current(found)
                return
            if found.is_current:
                return
            if not found.is_empty:
                _back_up(_raw(connection), self._file.with_name(f"{self._file.name}.before-{upgrade.HEAD}"))
            _raw(connection).execute("BEGIN IMMEDIATE")
            try:
                upgrade.upgrade(connection, found)
                _raw(connection).execute("COMMIT")
            except BaseException:
                _roll_back(_raw(connection))
                raise
        except (DBAPIError, sqlite3.Error) as error:
            raise _explained(error) from error

    def _connect(self, *, foreign_keys: bool = True) -> Connection:
        engine = create_engine(
            URL.create("sqlite", database=str(self._file)),
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={"check_same_thread": False, "timeout": self._settings.patience},
        )

        def configure(raw: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
            cursor = raw.cursor()
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is gone from the file, too
            cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
            cursor.close()

        event.listen(engine, "connect", configure)
        try:
            return engine.connect()
        except (DBAPIError, sqlite3.Error) as error:
            raise _explained(error) from error


class _Writer:
    """The thread that owns the writing connection."""

    def __init__(self, connection: Connection, publish: Publish, probe: Probe | None) -> None:
        self._connection = connection
        self._raw = _raw(connection)
        self._notices = cast("dict[tuple[str, str], None]", connection.info.setdefault(NOTICES, {}))
        self._publish = publish
        self._probe = probe
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[Unit[Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="lar-writer", daemon=True)
        self._thread.start()

    async def submit(self, unit: Unit[T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((unit, future))
        return await future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch, last = self._gather()
            if batch:
                self._hand_out(self._commit(batch))
            if last:
                self._connection.close()
                return

    def _gather(self) -> tuple[list[tuple[Unit[Any], "asyncio.Future[Any]"]], bool]:
        """What is waiting, at least one unit; and whether nothing comes after it."""
        batch: list[tuple[Unit[Any], asyncio.Future[Any]]] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _BATCH:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[tuple[Unit[Any], "asyncio.Future[Any]"]]) -> list[_Outcome]:
        """Run the units and commit them. All of them fail if the commit does."""
        try:
            self._raw.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            return _all_failed(batch, _explained(error))
        outcomes: list[_Outcome] = []
        alone = len(batch) == 1
        for unit, future in batch:
            outcome = self._run_unit(unit, future, alone)
            outcomes.append(outcome)
            if not self._raw.in_transaction:
                return _all_failed(batch, _lost(outcome[2]))
        if all(error for _, _, error in outcomes):
            _roll_back(self._raw)
            return outcomes
        try:
            if self._probe:
                self._commit_probed(self._probe, [unit.name for unit, _ in batch])
            else:
                self._raw.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(self._raw)
            return _all_failed(batch, _lost(error))
        return outcomes

    def _commit_probed(self, probe: Probe, names: list[str]) -> None:
        probe("before", names)
        self._raw.execute("COMMIT")
        probe("after", names)

    def _run_unit(self, unit: Unit[Any], future: "asyncio.Future[Any]", alone: bool) -> _Outcome:
        """One unit, in a savepoint where it shares the transaction with others."""
        notices = dict(self._notices)
        try:
            if not alone:
                self._raw.execute("SAVEPOINT unit")
            result = unit(self._connection)
            if not alone:
                self._raw.execute("RELEASE unit")
        except BaseException as error:  # noqa: BLE001  # the waiter gets it
            self._notices.clear()
            self._notices.update(notices)
            if not alone and self._raw.in_transaction:
                self._raw.execute("ROLLBACK TO unit")
                self._raw.execute("RELEASE unit")
            return future, None, _explained(error)
        return future, result, None

    def _hand_out(self, outcomes: list[_Outcome]) -> None:
        notices = tuple(self._notices)
        self._notices.clear()
        if all(error for _, _, error in outcomes):
            notices = ()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._arrive, outcomes, notices)

    def _arrive(self, outcomes: list[_Outcome], notices: tuple[tuple[str, str], ...]) -> None:
        for future, result, error in outcomes:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        for topic, payload in notices:
            self._publish(topic, payload)


class _Readers:
    """A few threads, each with a connection of its own."""

    def __init__(self, connect: Callable[[], Connection], count: int) -> None:
        self.pool = ThreadPoolExecutor(count, "lar-reader", initializer=self._connect_thread)
        self._connect = connect
        self._own = threading.local()
        self._all: list[Connection] = []

    def run(self, unit: Unit[T]) -> T:
        connection: Connection = self._own.connection
        raw = _raw(connection)
        try:
            raw.execute("BEGIN")
            return unit(connection)
        except (DBAPIError, sqlite3.Error) as error:
            raise _explained(error) from error
        finally:
            _roll_back(raw)

    def close(self) -> None:
        self.pool.shutdown()
        for connection in self._all:
            connection.close()

    def _connect_thread(self) -> None:
        connection = self._connect()
        _raw(connection).execute("PRAGMA query_only = ON")
        self._own.connection = connection
        self._all.append(connection)


class _FileLock:
    """`<file>.lock`, held while the process lives; it contains the process id."""

    def __init__(self, file: Path) -> None:
        self._path = file.with_name(file.name + ".lock")
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise DatabaseBusy(
                f"{file} belongs to the running process {owner}: stop that one first, or give this one its own LAR_HOME"
            ) from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._handle)


def _nothing(_connection: Connection) -> None:
    """A unit that only waits for its turn."""


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _roll_back(raw: sqlite3.Connection) -> None:
    """End the transaction, if SQLite has not done so itself."""
    with suppress(sqlite3.Error):
        if raw.in_transaction:
            raw.execute("ROLLBACK")


def _back_up(raw: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target)
    try:
        raw.backup(copy)
    finally:
        copy.close()
    target.chmod(0o600)
    _log.info("backed up the database before an upgrade", file=str(target))


def _all_failed(batch: list[tuple[Unit[Any], "asyncio.Future[Any]"]], error: BaseException) -> list[_Outcome]:
    return [(future, None, error) for _, future in batch]


def _lost(cause: BaseException | None) -> CommitFailed:
    error = CommitFailed(f"the database did not commit ({cause}): nothing of this was kept")
    error.__cause__ = cause
    return error


_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another program holds the database locked: close it",
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write: check it, and the file system's messages",
    sqlite3.SQLITE_READONLY: "the database cannot be written: check the owner and the permissions of its folder",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened: check the folder and its permissions",
    sqlite3.SQLITE_CORRUPT: "the database is damaged: restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is not a database: move it away, or name another one",
}


def _explained(error: BaseException) -> BaseException:
    """A `StoreError` that says what to do, where SQLite itself cannot go on; else the error as it is."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = cast("int | None", getattr(cause, "sqlite_errorcode", None))
    remedy = _REMEDIES.get(code & 0xFF) if code is not None else None
    if remedy is None:
        return error
    explained = StoreError(f"{remedy} ({cause})")
    explained.__cause__ = error
    return explained
