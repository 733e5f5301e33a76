"""Where the two databases are asked in different words."""

from typing import Any

from sqlalchemy import Connection, Float, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import Executable


class InsertNew:
    """`INSERT ... ON CONFLICT DO NOTHING` into a table: returns `column` of the new row, nothing where one is there."""

    def __init__(self, table: Table, column: str) -> None:
        self._by_name: dict[str, Executable] = {
            "sqlite": sqlite.insert(table).on_conflict_do_nothing().returning(table.c[column]),
            "postgresql": postgresql.insert(table).on_conflict_do_nothing().returning(table.c[column]),
        }

    def __call__(self, connection: Connection, values: dict[str, Any]) -> Any | None:
        """Insert, unless something unique is there already."""
        return connection.execute(self._by_name[connection.dialect.name], values).scalar()


_server_clock = select(func.extract("epoch", func.clock_timestamp()).cast(Float))


def server_time(connection: Connection) -> float | None:
    """The clock all workers share, in seconds since the epoch: PostgreSQL's. None on SQLite, which needs none."""
    if connection.dialect.name == "postgresql":
        return connection.execute(_server_clock).scalar_one()
    return None
