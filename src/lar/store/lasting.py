"""What holds for all of this Lar and outlives its processes: small JSON values under well-known keys."""

from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from lar.store.dialect import Upsert
from lar.store.schema import setting

_SAVE = Upsert(setting)
_LOAD = select(setting.c.value).where(setting.c.key == bindparam("name"))


def load(connection: Connection, key: str) -> Any:
    """The JSON value kept under this key, None if there is none."""
    return connection.execute(_LOAD, {"name": key}).scalar_one_or_none()


def save(connection: Connection, key: str, value: Any) -> None:
    """Keep a JSON value under this key."""
    _SAVE(connection, {"key": key, "value": value})


def drop(connection: Connection, key: str) -> bool:
    """Forget a key. False if there was nothing."""
    return connection.execute(delete(setting).where(setting.c.key == key)).rowcount > 0
