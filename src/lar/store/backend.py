"""What the two databases have in common, so that everything above them is written once."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from lar.errors import ConfigError

T = TypeVar("T")

Dialect = Literal["sqlite", "postgresql"]

Phase = Literal["before", "after"]

Probe = Callable[[Phase, Sequence[str]], None]
"""Called by the writing thread just before and just after a COMMIT, with the names of the functions it commits."""

Publish = Callable[[str, str], None]
"""Tells every subscriber of a topic (first, `ANY`: of all topics) a payload (second). Called on the event loop."""

ANY = ""
"""The payload that means: something may have been missed, look for yourself."""

CHANNEL = "lar"
"""The PostgreSQL channel that carries all topics: `topic payload`."""

NOTICES = "lar.notices"
"""Where a SQLite connection collects what to tell after the commit."""


class Unit(Generic[T]):
    """A function and its arguments, waiting for a connection."""

    __slots__ = ("_args", "_fn", "_kwargs")

    def __init__(self, fn: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        self._fn = fn
        self._args = args
        self._kwargs = kwargs

    def __call__(self, connection: Connection) -> T:
        """Run it."""
        return self._fn(connection, *self._args, **self._kwargs)

    @property
    def name(self) -> str:
        """The name of the function, looked for inside `partial` and `wraps`."""
        fn: Any = self._fn
        while inner := getattr(fn, "func", None) or getattr(fn, "__wrapped__", None):
            fn = inner
        return getattr(fn, "__name__", type(fn).__name__)


class Backend(Protocol):
    """One kind of database."""

    @property
    def dialect(self) -> Dialect:
        """Which one it is."""
        ...

    async def open(self, *, read_only: bool) -> None:
        """Connect, and bring the schema up to date unless `read_only`."""
        ...

    async def close(self) -> None:
        """Let what was handed in finish, then disconnect."""
        ...

    async def settle(self) -> None:
        """Wait for the writes that were handed in, whether or not somebody waits for them."""
        ...

    async def write(self, unit: Unit[T]) -> T:
        """Run `unit` in a transaction and return its result after the commit."""
        ...

    async def read(self, unit: Unit[T]) -> T:
        """Run `unit` on one snapshot."""
        ...


def parse_url(text: str) -> URL:
    """The database's URL with the driver we use.

    Raises:
        ConfigError: it is not one of a SQLite file or a PostgreSQL database.

    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ConfigError(f"database.url {text!r} is not a URL: write sqlite:///path or postgresql://...") from error
    name = url.get_backend_name()
    if name == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite")
    if name in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    shown = url.render_as_string(hide_password=True)
    raise ConfigError(f"database.url {shown!r} cannot be used: write sqlite:///path/to/file or postgresql://...")
