"""A household that remembers: a model that sums up, times in Berlin, and what is kept."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from lar.domain.ids import PrincipalId
from lar.domain.memory import Kind, Memory, Owner
from lar.errors import ThinkingError
from lar.memory.settings import MemorySettings
from lar.store import memories
from lar.store.schema import memory
from lar.testing.household import Household, Plan

SETTINGS = MemorySettings(exchanges=2, today_every=3)
BERLIN = "Europe/Berlin"
HOUR = 3600.0
ANN = Owner(PrincipalId(1))


@dataclass
class Model:
    """A model that sums up: as many sentences as it is asked for, made of the words in capitals it was given.

    `answers` come first; an exception among them is raised. `asked` keeps what it was asked.
    """

    answers: list[str | Exception] = field(default_factory=list[str | Exception])
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    hold: asyncio.Event | None = None
    broken: bool = False

    async def __call__(self, system: str, prompt: str, /) -> str:
        """Answer."""
        self.asked.append((system, prompt))
        if self.hold is not None:
            await self.hold.wait()
        if self.broken:
            raise ThinkingError("network", "the model cannot be reached")
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        wanted = re.search(r"exactly\s+(\d)", system)
        assert wanted
        words = re.findall(r"\b[A-Z]{3,}\b|(?<= of )[a-z]{3,}(?=[a-z ]*\.)", prompt)
        facts = " ".join(dict.fromkeys(words)) or "nothing"
        return "\n".join(f"Sentence {number} of {facts.lower()}." for number in range(1, int(wanted[1]) + 1))

    def of(self, kind: str) -> list[str]:
        """What it was asked to sum up of this kind: the words of the instruction."""
        return [prompt for system, prompt in self.asked if kind in system]


@asynccontextmanager
async def at(plan: Plan, moment: str) -> AsyncGenerator[Household]:
    """A household in which it is this time in Berlin, with its timers set."""
    house = Household(plan)
    house.clock.set(local(moment))
    await house.start()
    await house.db.write(house.time.begin)
    try:
        yield house
    finally:
        await house.stop()


def local(moment: str) -> float:
    """A time in Berlin as seconds since the epoch."""
    return datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(BERLIN)).timestamp()


async def talk(house: Household, *texts: str) -> None:
    """Say these, one after the other, and let what is due be summed up."""
    for text in texts:
        await house.ask(text)
        await house.quiet()
    await house.remember()


async def until(house: Household, moment: str) -> None:
    """Let time pass up to this, and what is due be summed up."""
    await house.advance(local(moment) - house.clock())
    await house.remember(0)


async def kept(house: Household, kind: Kind, owner: Owner = ANN) -> list[Memory]:
    """What is remembered now, of this kind."""
    if kind is not Kind.EXCHANGE:
        told = [found.id for found in await house.db.read(memories.summaries, owner) if found.kind is kind]
        return await house.db.read(memories.by_ids, told)
    rows = await house.db.read(lambda c: c.execute(select(memory.c.id).where(memory.c.kind == kind)).scalars().all())
    return await house.db.read(memories.by_ids, sorted(rows))
