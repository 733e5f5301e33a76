"""Doors for other programs: only with their secret, once for each thing told, never without end."""

import pytest

from lar.schedules import hooks as module
from lar.schedules.hooks import FULL, KNOWN, REFUSED, TAKEN, hooks
from lar.schedules.settings import HookSettings
from lar.store import events
from lar.store.database import Database
from lar.testing.clock import FakeClock

SHOWN = "a word of enough letters"


async def test_a_hook(sqlite_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SC-3: what is told with the secret waits for the heartbeat, as from outside; all else is refused."""
    settings = HookSettings.model_validate({"secret": SHOWN})
    doors = hooks({"ci": settings}, sqlite_db, FakeClock())
    assert list(doors) == ["/hooks/ci"]
    tell = doors["/hooks/ci"]
    shown = {"authorization": f"Bearer {SHOWN}"}
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {SHOWN}"}):
        assert await tell(headers, b"x") == REFUSED
    assert await tell(shown, b"built \xff\0" + b"x" * 5000) == TAKEN
    named = {**shown, "idempotency-key": "7"}
    assert [await tell(named, b"once"), await tell(named, b"once")] == [TAKEN, KNOWN]
    monkeypatch.setattr(module, "WAITING", 2)
    assert await tell(shown, b"more") == FULL
    assert await sqlite_db.read(events.count_waiting) == 2
