"""The one door to the database: units of SQL in, results after the commit out."""

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Concatenate, ParamSpec, TypeVar, cast

import structlog
from sqlalchemy import Connection, bindparam, func, select

from lar.errors import StoreError
from lar.store.backend import ANY, CHANNEL, NOTICES, Backend, Dialect, Probe, Publish, Unit, parse_url
from lar.store.postgres import PostgresBackend
from lar.store.settings import StoreSettings
from lar.store.sqlite import SqliteBackend

P = ParamSpec("P")
T = TypeVar("T")

Subscriber = Callable[[str], object]

_log = structlog.get_logger(__name__)

_pg_notify = select(func.pg_notify(CHANNEL, bindparam("notice")))


def notify(connection: Connection, topic: str, payload: str = ANY) -> None:
    """Tell every subscriber of `topic`, in every process, once the transaction of `connection` has committed."""
    if connection.dialect.name == "postgresql":
        connection.execute(_pg_notify, {"notice": f"{topic} {payload}"})
    else:
        notices = cast("dict[tuple[str, str], None]", connection.info.setdefault(NOTICES, {}))
        notices[topic, payload] = None


class Database:
    """A SQLite file or a PostgreSQL database.

    A unit is a synchronous function whose first argument is a `Connection`; it is short and does nothing but SQL, for
    it may be run again after a deadlock. Its result is handed out only after COMMIT. Cancelling the waiter does not
    cancel the write. `probe` is for tests that stop the process around a COMMIT.
    """

    def __init__(self, settings: StoreSettings, *, probe: Probe | None = None) -> None:
        url = parse_url(settings.url)
        self._subscribers: dict[str, list[Subscriber]] = {}
        self._read_only = False
        make = SqliteBackend if url.get_backend_name() == "sqlite" else PostgresBackend
        self._backend: Backend = make(url, settings, _publisher(self._subscribers), probe)

    @property
    def dialect(self) -> Dialect:
        """`sqlite` or `postgresql`."""
        return self._backend.dialect

    async def open(self, *, read_only: bool = False) -> None:
        """Connect, and bring the schema up to date. `read_only` looks on beside the owner: no lock, no upgrade.

        Raises:
            DatabaseBusy: another process owns the SQLite file.
            SchemaTooNew: a newer Lar wrote it.
            MissingComponent: the PostgreSQL driver is not installed.
            StoreError: it cannot be reached or used.

        """
        self._read_only = read_only
        await self._backend.open(read_only=read_only)

    async def close(self) -> None:
        """Let the writes that were handed in finish, then let go of the database. May be called twice."""
        await self._backend.close()

    async def settle(self) -> None:
        """Wait for the writes that were handed in, also those whose waiters were cancelled."""
        await self._backend.settle()

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(connection, ...)` in a transaction.

        Raises:
            CommitFailed: the commit failed.
            StoreError: the database cannot be used: locked, unreachable, full, read-only, closed.
            Exception: whatever `fn` raised; nothing of it was kept.

        """
        if self._read_only:
            raise StoreError("the database was opened read-only: changes go through the running gateway")
        return await self._backend.write(Unit(fn, args, kwargs))

    async def read(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(connection, ...)` on one snapshot, beside the writes. It sees every write that was answered."""
        return await self._backend.read(Unit(fn, args, kwargs))

    def subscribe(self, topic: str, callback: Subscriber) -> Callable[[], None]:
        """Call `callback(payload)` on the event loop after each commit that notified `topic`; returns how to stop.

        An empty payload means that notices may have been missed (the connection was lost): look for yourself.
        """
        callbacks = self._subscribers.setdefault(topic, [])
        callbacks.append(callback)
        return partial(callbacks.remove, callback)


def _publisher(subscribers: dict[str, list[Subscriber]]) -> Publish:
    def publish(topic: str, payload: str) -> None:
        told = subscribers.get(topic, []) if topic != ANY else chain.from_iterable(subscribers.values())
        for callback in tuple(told):
            try:
                callback(payload)
            except Exception:  # noqa: BLE001  # one subscriber must not keep the news from the others
                _log.exception("a subscriber failed", topic=topic)

    return publish
