"""All of memory that works by itself, put together: what the composition root builds, serves and is asked by turns."""

import asyncio
from collections.abc import Mapping
from datetime import time

from lar.domain.ids import ConversationId
from lar.domain.values import Clock
from lar.engine.contract import Handler
from lar.memory.compressing import KIND as COMPRESS
from lar.memory.compressing import Compressor, Told
from lar.memory.days import Days, zone_of
from lar.memory.digests import KIND as DIGEST
from lar.memory.digests import Digester, Waker
from lar.memory.recall import Recall
from lar.memory.settings import MemorySettings
from lar.providers.asking import Ask
from lar.store.database import Connection, Database

AT_ONCE = 2
"""How many questions the background asks a model at the same time: answers come first."""


class Remembering:
    """Compression and summaries. Without a model (`ask` None) nothing is summed up, and turns recall a plain window.

    `works` tells whether days and weeks are summed up; `waker` has them.
    """

    def __init__(  # what it works with
        self, db: Database, ask: Ask | None, settings: MemorySettings, time_zone: str, clock: Clock, told: Told
    ) -> None:
        days = Days(zone_of(time_zone), time.fromisoformat(settings.daily_at), time.fromisoformat(settings.weekly_at))
        bounded = _Bounded(ask) if ask is not None else None
        self.recall = Recall(settings.window, settings.sentences, summaries=settings.style == "summaries")
        self.compressor = Compressor(db, bounded, settings, days, clock, told)
        self.waker = Waker(db, days, clock)
        self.works = ask is not None and settings.style == "summaries"
        self.handlers: Mapping[str, Handler] = {
            COMPRESS: self.compressor,
            DIGEST: Digester(db, bounded, days, clock),
        }

    def compact(self, connection: Connection, conversation_id: ConversationId, language: str) -> bool:
        """Have all exchanges of a conversation become sentences, as `/compact` asks. False: nothing sums up here."""
        if self.works:
            self.compressor.compact(connection, conversation_id, language)
        return self.works


class _Bounded:
    """An `Ask` of which few are under way at the same time."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._free = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, system: str, prompt: str, /) -> str:
        async with self._free:
            return await self._ask(system, prompt)
