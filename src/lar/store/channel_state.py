"""Small things an account of a channel must remember."""

from typing import Any

from sqlalchemy import Connection, select

from lar.store.dialect import Upsert
from lar.store.schema import channel_state

_SAVE = Upsert(channel_state)


def load(connection: Connection, channel: str, account: str, key: str) -> Any:
    """The JSON value stored under this key, None if there is none."""
    return connection.execute(
        select(channel_state.c.value).where(
            channel_state.c.channel == channel, channel_state.c.account == account, channel_state.c.key == key
        )
    ).scalar_one_or_none()


def save(connection: Connection, channel: str, account: str, key: str, value: Any) -> None:
    """Store a JSON value under this key."""
    _SAVE(connection, {"channel": channel, "account": account, "key": key, "value": value})
