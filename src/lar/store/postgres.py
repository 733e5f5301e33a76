"""PostgreSQL: a pool of connections in threads, and one connection that listens."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar, cast

import structlog
from sqlalchemy import URL, Engine, bindparam, create_engine, func, select
from sqlalchemy.exc import DBAPIError

from lar.errors import CommitFailed, MissingComponent, StoreError
from lar.store import upgrade
from lar.store.backend import ANY, CHANNEL, Dialect, Probe, Publish, Unit
from lar.store.settings import StoreSettings

T = TypeVar("T")

_UPGRADE_LOCK = 0x6C6172  # "lar": one process upgrades, the others wait
_lock_upgrade = select(func.pg_advisory_xact_lock(bindparam("key")))

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 1.0

_CONFLICTS = {"40001", "40P01"}  # serialization failure, deadlock: the server has rolled back and says: try again
_RACED = "uq_job_active_lane"  # two workers claimed in one lane at the same moment
_UNREACHABLE = ("08", "57P", "533")  # connection lost, server stopping or starting, too many connections
_UNUSABLE = ("08", "25006", "53", "57", "58")  # the above, read-only server, disk full, I/O error

_log = structlog.get_logger(__name__)


class PostgresBackend:
    """A database on a PostgreSQL server, shared with other processes."""

    dialect: Dialect = "postgresql"

    def __init__(self, url: URL, settings: StoreSettings, publish: Publish, probe: Probe | None) -> None:
        self._url = url
        self._settings = settings
        self._publish = publish
        self._probe = probe
        self._engine: Engine | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._listener: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Future[Any]] = set()

    async def open(self, *, read_only: bool) -> None:
        """Connect, bring the schema up to date, and listen."""
        try:
            import_module("psycopg")
        except ImportError as error:
            raise MissingComponent("PostgreSQL needs psycopg: pip install 'lar[postgres]'") from error
        self._engine = create_engine(
            self._url,
            pool_size=self._settings.connections,
            max_overflow=0,
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args={"connect_timeout": max(2, round(self._settings.patience)), "keepalives_idle": 30},
        )
        self._threads = ThreadPoolExecutor(self._settings.connections, "lar-postgres")
        try:
            await self._in_thread(self._prepare, self._engine, read_only)
        except BaseException:
            await self.close()
            raise
        if not read_only:
            listening = asyncio.Event()
            self._listener = asyncio.create_task(self._listen(listening), name="lar-listen")
            await listening.wait()

    async def close(self) -> None:
        """Finish what was handed in, and disconnect."""
        if self._listener:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self.settle()
        threads, self._threads = self._threads, None
        engine, self._engine = self._engine, None
        if threads:
            await asyncio.to_thread(threads.shutdown)
        if engine:
            engine.dispose()

    async def settle(self) -> None:
        """Wait for the writes that were handed in."""
        if self._writing:
            await asyncio.wait(tuple(self._writing))

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own; again where the server lost or refused it before the commit."""
        engine = self._opened()
        future = self._in_thread(self._persist, engine, unit)
        self._writing.add(future)
        future.add_done_callback(self._writing.discard)
        return await asyncio.shield(future)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit on one snapshot."""
        return await self._in_thread(self._look, self._opened(), unit)

    def _opened(self) -> Engine:
        if self._engine is None:
            raise StoreError("the database is closed")
        return self._engine

    def _in_thread(self, fn: Any, *args: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, fn, *args)

    # ---- in threads

    def _prepare(self, engine: Engine, read_only: bool) -> None:
        def bring_up_to_date() -> None:
            with engine.begin() as connection:
                connection.execute(_lock_upgrade, {"key": _UPGRADE_LOCK})
                found = upgrade.check(connection)
                if read_only:
                    upgrade.require_current(found)
                elif not found.is_current:
                    if not found.is_empty:
                        _log.warning("upgrading the schema; backups of a PostgreSQL database are its owner's to make")
                    upgrade.upgrade(connection, found)

        self._patiently(bring_up_to_date)

    def _persist(self, engine: Engine, unit: Unit[T]) -> T:
        def attempt() -> T:
            with engine.connect() as connection, connection.begin() as transaction:
                result = unit(connection)
                if self._probe:
                    self._probe("before", [unit.name])
                try:
                    transaction.commit()
                except DBAPIError as error:
                    if _sqlstate(error) in _CONFLICTS:
                        raise
                    raise CommitFailed(
                        f"the connection was lost during a commit; whether it was kept is unknown ({error.orig})"
                    ) from error
            if self._probe:
                self._probe("after", [unit.name])
            return result

        return self._patiently(attempt)

    def _look(self, engine: Engine, unit: Unit[T]) -> T:
        def attempt() -> T:
            with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                return unit(connection)

        return self._patiently(attempt)

    def _patiently(self, attempt: Any) -> Any:
        """Try until it works, fails for a reason of its own, or our patience ends."""
        deadline = time.monotonic() + self._settings.patience
        pause = _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except DBAPIError as error:
                if not _may_pass(error):
                    raise _explained(error) from error
                if time.monotonic() + pause > deadline:
                    raise _explained(error) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    # ---- on the event loop

    async def _listen(self, listening: asyncio.Event) -> None:
        """Pass on what other transactions notify; reconnect for ever."""
        import psycopg  # only here, where PostgreSQL is used

        target = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(target, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    listening.set()
                    self._publish(ANY, ANY)
                    async for notice in connection.notifies():
                        topic, _, payload = notice.payload.partition(" ")
                        self._publish(topic, payload)
            except (psycopg.Error, OSError) as error:
                _log.warning("lost the connection that listens, trying again", error=str(error))
            await asyncio.sleep(_LONGEST_PAUSE)


def _sqlstate(error: DBAPIError) -> str:
    return cast("str | None", getattr(error.orig, "sqlstate", None)) or ""


def _is_disconnected(error: DBAPIError) -> bool:
    """Whether the server was never reached, or went away: then there is no SQL state."""
    return error.connection_invalidated or (not _sqlstate(error) and type(error.orig).__name__ == "OperationalError")


def _may_pass(error: DBAPIError) -> bool:
    state = _sqlstate(error)
    if state in _CONFLICTS or state.startswith(_UNREACHABLE) or _is_disconnected(error):
        return True
    with suppress(AttributeError):
        return cast("Any", error.orig).diag.constraint_name == _RACED
    return False


def _explained(error: DBAPIError) -> Exception:
    """A `StoreError` where the server cannot go on; else the error as it is."""
    if _is_disconnected(error) or _sqlstate(error).startswith(_UNUSABLE):
        return StoreError(f"PostgreSQL cannot be used now: {str(error.orig).strip()}")
    return error
