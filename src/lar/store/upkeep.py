"""Looking after the database itself: old rows go in small batches, its planner knows the tables, damage is found."""

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from lar.store.schema import metadata

BATCH = 500
"""How many rows a transaction deletes at most, so that no turn waits long for its own."""

LOOKED_AT = 1000
"""About how many rows of an index SQLite looks at to know what is in it."""

TABLES = tuple(metadata.tables)


def prune(connection: Connection, table: Table, *wanted: ColumnElement[bool], limit: int = BATCH) -> int:
    """Delete up to `limit` rows for which all of this holds; how many."""
    some = select(table.c.id).where(*wanted).limit(limit)
    return connection.execute(delete(table).where(table.c.id.in_(some))).rowcount


def analyse(connection: Connection, table: str) -> None:
    """Let the planner know what is in one of `TABLES`. Takes milliseconds, and keeps no reader waiting."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA analysis_limit = {LOOKED_AT}")
    connection.exec_driver_sql(f'ANALYZE "{table}"')


def check(connection: Connection) -> list[str]:
    """What is wrong with a SQLite file, up to ten sentences. PostgreSQL looks after its own."""
    if connection.dialect.name != "sqlite":
        return []
    return [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(10)") if row[0] != "ok"]
