"""Where the content of files came from that tools wrote while content from outside was in the context."""

from collections.abc import Sequence

from sqlalchemy import Connection, or_, select

from lar.store import lasting
from lar.store.schema import setting

_KEY = "file from "


def mark(connection: Connection, path: str, sources: Sequence[str]) -> None:
    """Keep where this file's content came from; empty: it is the person's own, and so is all that was below it."""
    if sources:
        lasting.save(connection, _KEY + path, list(sources))
        return
    for each in _at_or_below(connection, path):
        lasting.drop(connection, each)


def of(connection: Connection, path: str) -> list[str]:
    """Where a file's content came from; empty where it is the person's own."""
    return lasting.load(connection, _KEY + path) or []


def move(connection: Connection, path: str, to: str) -> None:
    """A file, or a folder with all that is below it, has another name now."""
    moved = {each: lasting.load(connection, each) for each in _at_or_below(connection, path)}
    mark(connection, to, ())
    for each, sources in moved.items():
        lasting.drop(connection, each)
        lasting.save(connection, _KEY + to + each.removeprefix(_KEY + path), sources)


def _at_or_below(connection: Connection, path: str) -> list[str]:
    key = _KEY + path
    below = setting.c.key.startswith(f"{key}/", autoescape=True)
    return list(connection.execute(select(setting.c.key).where(or_(setting.c.key == key, below))).scalars())
