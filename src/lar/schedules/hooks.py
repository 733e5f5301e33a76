"""Doors for other programs: whoever shows a hook's secret leaves an event for the next heartbeat."""

import hmac
from collections.abc import Awaitable, Callable, Mapping

from lar.domain.values import Clock
from lar.schedules.settings import HookSettings
from lar.store import events
from lar.store.database import Database
from lar.store.events import Event

LONGEST = 4000
"""Characters of a body that are kept."""

WAITING = 1000
"""How many events wait at most; more are refused."""

TAKEN, KNOWN, REFUSED, FULL = 202, 200, 401, 429
"""What is answered: kept, was kept before, a wrong secret, too many wait."""

Receive = Callable[[Mapping[str, str], bytes], Awaitable[int]]


def hooks(settings: Mapping[str, HookSettings], db: Database, clock: Clock) -> Mapping[str, Receive]:
    """The doors by their paths. Each takes headers (names in small letters) and a body; it returns the HTTP status."""
    return {f"/hooks/{name}": _door(name, hook, db, clock) for name, hook in settings.items()}


def _door(name: str, hook: HookSettings, db: Database, clock: Clock) -> Receive:
    secret = hook.secret.get_secret_value()

    async def receive(headers: Mapping[str, str], body: bytes) -> int:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), secret.encode()):
            return REFUSED
        if await db.read(events.count_waiting) >= WAITING:
            return FULL
        text = body.decode("utf-8", errors="replace").replace("\0", "")[:LONGEST]
        told = headers.get("idempotency-key", "")
        key = f"hook:{name}:{told}" if told else None
        source = f"webhook: {name}"
        return TAKEN if await db.write(events.add, Event(0, source, text, clock(), source=source, key=key)) else KNOWN

    return receive
