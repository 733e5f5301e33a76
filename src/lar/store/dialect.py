"""Where the two databases are asked in different words."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, Table, bindparam, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

_server_clock = select(func.extract("epoch", func.clock_timestamp()).cast(Double))


def among(column: ColumnElement[Any], values: Iterable[StrEnum]) -> ColumnElement[bool]:
    """`column IN ('a', 'b')`, spelled out: the planner sees the values, and nothing is expanded at every run."""
    return column.in_([literal_column(f"'{value.value}'") for value in values])


class InsertNew:
    """`INSERT ... ON CONFLICT DO NOTHING` into a table, prepared once, for the busy paths."""

    def __init__(self, table: Table, column: str) -> None:
        returned = table.c[column]
        self._sqlite = sqlite.insert(table).on_conflict_do_nothing().returning(returned)
        self._postgresql = postgresql.insert(table).on_conflict_do_nothing().returning(returned)

    def __call__(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Insert; returns the new row's column, or None where something unique is there already."""
        is_postgresql = connection.dialect.name == "postgresql"
        return connection.execute(self._postgresql if is_postgresql else self._sqlite, values).scalar()


class Upsert:
    """`INSERT ... ON CONFLICT DO UPDATE`: where the primary key is there already, the other values replace the old."""

    def __init__(self, table: Table) -> None:
        key = [column.name for column in table.primary_key]
        rest = [column.name for column in table.columns if column.name not in key]
        lite, post = sqlite.insert(table), postgresql.insert(table)
        self._sqlite = lite.on_conflict_do_update(key, set_={name: lite.excluded[name] for name in rest})
        self._postgresql = post.on_conflict_do_update(
            index_elements=key, set_={name: post.excluded[name] for name in rest}
        )

    def __call__(self, connection: Connection, values: dict[str, Any]) -> None:
        """Insert or replace."""
        is_postgresql = connection.dialect.name == "postgresql"
        connection.execute(self._postgresql if is_postgresql else self._sqlite, values)


class Accumulate:
    """`INSERT ... ON CONFLICT DO UPDATE`: where the primary key is there already, the other values are added."""

    def __init__(self, table: Table) -> None:
        key = [column.name for column in table.primary_key]
        rest = [column for column in table.columns if column.name not in key]
        lite, post = sqlite.insert(table), postgresql.insert(table)
        self._sqlite = lite.on_conflict_do_update(key, set_={c.name: c + lite.excluded[c.name] for c in rest})
        self._postgresql = post.on_conflict_do_update(
            index_elements=key, set_={c.name: c + post.excluded[c.name] for c in rest}
        )

    def __call__(self, connection: Connection, values: dict[str, Any]) -> None:
        """Insert or add."""
        is_postgresql = connection.dialect.name == "postgresql"
        connection.execute(self._postgresql if is_postgresql else self._sqlite, values)


_hold_key = select(func.pg_advisory_xact_lock(bindparam("key")))


def one_at_a_time(connection: Connection, key: int) -> None:
    """Wait until no other transaction is past this point with the same key. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(_hold_key, {"key": key})


def server_time(connection: Connection) -> float | None:
    """The clock all workers share, in seconds since the epoch: PostgreSQL's. None on SQLite, which needs none."""
    if connection.dialect.name == "postgresql":
        return connection.execute(_server_clock).scalar_one()
    return None
