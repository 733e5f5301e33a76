"""What full-text search needs beside the tables: SQLite keeps an index in tables of its own, PostgreSQL in an index.

Both know words without accents and case, and keep themselves up to date. The migrations create exactly this, too.
"""

import unicodedata

from sqlalchemy import Connection

SEARCHED = {"message": ("text",), "note": ("title", "text")}
"""The tables that are searched, and their columns."""

_BETWEEN = '!"#$&()*+,-./:;<=>?@[]^_`{|}~\\'
"""What stands between words, so that PostgreSQL does not take an address or a path for one word."""

_LATIN = range(0xC0, 0x250)
_LONGEST = 200_000
"""Characters of one text that are searched: PostgreSQL refuses to index more than about a megabyte."""


def words(column: str) -> str:
    """SQL: a column as PostgreSQL indexes it."""
    accented, plain = _folding()
    old, new = f"{accented}{_BETWEEN}", f"{plain}{' ' * len(_BETWEEN)}"
    return f"to_tsvector('simple', translate(left({column}, {_LONGEST}), '{old}', '{new}'))"


def plain(text: str) -> str:
    """A text without accents."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _folding() -> tuple[str, str]:
    """Latin letters with accents, and what they are without."""
    pairs = [(chr(number), plain(chr(number))) for number in _LATIN]
    kept = [(accented, base) for accented, base in pairs if len(base) == 1 and base.isascii() and base.isalpha()]
    return "".join(accented for accented, _ in kept), "".join(base for _, base in kept)


def statements(dialect: str) -> list[str]:
    """The SQL that creates it, and that takes in what is there already."""
    made: list[str] = []
    for table, columns in SEARCHED.items():
        made += _sqlite(table, columns) if dialect == "sqlite" else [_postgresql(table, columns)]
    return made


def create(connection: Connection) -> None:
    """Create it."""
    for statement in statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


def _postgresql(table: str, columns: tuple[str, ...]) -> str:
    return f"CREATE INDEX ix_{table}_words ON {table} USING gin (({words(joined(columns))}))"


def joined(columns: tuple[str, ...], prefix: str = "") -> str:
    """SQL: the columns one after the other."""
    return " || ' ' || ".join(f"{prefix}{column}" for column in columns)


def _sqlite(table: str, columns: tuple[str, ...]) -> list[str]:
    index, names = f"{table}_words", ", ".join(columns)
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("new", "old"))
    into = f"INSERT INTO {index}"
    add = f"{into} (rowid, {names}) VALUES (new.id, {new});"
    drop = f"{into} ({index}, rowid, {names}) VALUES ('delete', old.id, {old});"
    how = f"content='{table}', content_rowid='id', tokenize='unicode61 remove_diacritics 2'"
    return [
        f"CREATE VIRTUAL TABLE {index} USING fts5({names}, {how})",
        f"CREATE TRIGGER {index}_added AFTER INSERT ON {table} BEGIN {add} END",
        f"CREATE TRIGGER {index}_removed AFTER DELETE ON {table} BEGIN {drop} END",
        f"CREATE TRIGGER {index}_changed AFTER UPDATE OF {names} ON {table} BEGIN {drop} {add} END",
        f"{into} ({index}) VALUES ('rebuild')",
    ]
