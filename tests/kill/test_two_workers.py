"""Two workers on one PostgreSQL, and one dies at a firing: every reminder comes, and comes once."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, func, select

from lar.store.database import Database
from lar.store.schema import firing, schedule, worker
from lar.store.settings import StoreSettings
from lar.testing.postgres import PostgresServer
from lar.testing.process import LarProcess
from lar.testing.stage import COMMAND, FIRST_USER, PATIENCE, POLL, Stage, stage

pytestmark = [pytest.mark.kill, pytest.mark.postgres]

PROBED = (sys.executable, str(Path(__file__).with_name("probed_gateway.py")))
OFFLINE = {"LAR__AGENTS__MAIN__RUNTIME": "offline", "LAR__AGENTS__MAIN__MODEL": "", "OPENAI_API_KEY": ""}
CHATS = range(FIRST_USER, FIRST_USER + 8)
FIRING = "before fire_due"
"""What the probe says before schedules fire, or were found not to be due."""


async def due_in_a_moment(here: Stage, following: Callable[[], Awaitable[str]]) -> None:
    """Let everybody have a reminder that is due at about the same time; the process goes on meanwhile."""
    letting_on = asyncio.create_task(_let_on(following))
    await here.telegram.until_polling(PATIENCE)
    for chat in CHATS:
        here.telegram.send_text(f"remind me in 6 seconds to eat {chat}", chat)
    await asyncio.gather(*(here.replies(chat, 1) for chat in CHATS))
    letting_on.cancel()
    await asyncio.wait([letting_on])


async def _let_on(following: Callable[[], Awaitable[str]]) -> None:
    while True:
        await following()


async def until_fired(here: Stage, following: Callable[[], Awaitable[str]], later: int) -> str:
    """Let the process on until it is about to commit a firing, and until so many commits later; which one that is."""
    async with asyncio.timeout(PATIENCE):
        while (report := await following()) != FIRING or not await found(here, DUE):
            pass
        for _ in range(later):
            report = await following()
        return report


@asynccontextmanager
async def asleep(other: LarProcess) -> AsyncGenerator[None]:
    """It does nothing inside."""
    os.kill(other.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(other.pid, signal.SIGCONT)


async def until_alive(here: Stage) -> None:
    """Until the other worker has told that it lives: by then it has looked for what is due, and may have done wrong."""
    before = await found(here, LEASES)
    async with asyncio.timeout(PATIENCE):
        while await found(here, LEASES) == before:  # noqa: ASYNC110  # another process tells
            await asyncio.sleep(POLL)


async def found(here: Stage, wanted: Select[Any]) -> list[Any]:
    """What the database says, in order."""
    db = Database(StoreSettings(url=here.database))
    await db.open(read_only=True)
    try:
        return sorted(await db.read(lambda c: list(c.execute(wanted).scalars())))
    finally:
        await db.close()


DUE = select(schedule.c.id).where(
    schedule.c.kind == "reminder", schedule.c.next_due <= func.extract("epoch", func.now())
)
"""Reminders that are due, and that nobody has fired; where they are being fired, others still see them so."""
WORKERS = select(worker.c.id)
LEASES = select(worker.c.lease_until)
FIRED = select(schedule.c.text).join(firing, firing.c.schedule_id == schedule.c.id).where(schedule.c.kind == "reminder")
"""The text of every reminder that fired, once for each time."""


@pytest.mark.parametrize("later", [0, 1, 2, 3, 5, 8])
async def test_one_of_two_workers_dies_at_the_firing(
    postgres_server: PostgresServer, tmp_path: Path, later: int
) -> None:
    """R-SC-2: before the commit of a firing, behind it, or in what follows: the other worker sees to it, once."""
    async with stage(tmp_path, postgres_server.new_database(like="lar_1"), PROBED, OFFLINE) as here:
        second = here.process.beside(tmp_path / "second", (*COMMAND, "--only", "worker"))
        async with here.probed() as following:
            await due_in_a_moment(here, following)
            await second.start()
            try:
                while len(await found(here, WORKERS)) < 2:
                    await following()
                async with asleep(second):
                    at = await until_fired(here, following, later)
                await until_alive(here)
                await here.process.kill()
                await here.start()
                told = await asyncio.gather(*(here.replies(chat, 2) for chat in CHATS))
                await here.settled(2 * len(CHATS))
            finally:
                await second.stop()
        assert await found(here, FIRED) == [f"eat {chat}" for chat in CHATS], at
        for chat, texts in zip(CHATS, told, strict=True):
            said = [text for text in here.texts(chat) if text.startswith(f"⏰ eat {chat}")]
            assert said, (at, texts)
            assert sum("\u21bb" not in text for text in said) <= 1, (at, said)  # a lost receipt: sent again, and marked
