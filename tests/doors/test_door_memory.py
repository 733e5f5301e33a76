"""Memory at the doors of the real process: sentences by a real model call, killed on the way, shown, searched for."""

import ast
import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Column, select

from lar.store.database import Database
from lar.store.schema import memory, step, turn
from lar.store.settings import StoreSettings
from lar.testing.stage import FIRST_USER, POLL, Stage, stage

pytestmark = pytest.mark.doors

ENV = {"LAR__MEMORY__EXCHANGES": "1", "LAR__MEMORY__COMPRESS_AFTER_SECONDS": "0.1"}
CHAT = FIRST_USER


async def rows(here: Stage, column: Column[str]) -> list[str]:
    """What is stored."""
    db = Database(StoreSettings(url=here.database))
    await db.open(read_only=True)
    try:
        return [str(value) for value in await db.read(lambda c: c.execute(select(column)).scalars().all())]
    finally:
        await db.close()


async def until_stored(here: Stage, column: Column[str], count: int) -> list[str]:
    """Wait until there is so much of it."""
    async with asyncio.timeout(60):
        while len(found := await rows(here, column)) < count:  # noqa: ASYNC110  # another process stores
            await asyncio.sleep(POLL)
    return found


async def test_sentences_survive_a_kill(tmp_path: Path) -> None:
    """R-ME-3: the real process, killed while the model writes a sentence, writes it once after its restart."""
    async with stage(tmp_path, env=ENV) as here:
        await here.start()
        await here.telegram.until_polling()
        here.telegram.send_text("[[sleep:2]] my plumber is called Mario", CHAT)
        await here.replies(CHAT, 1)
        here.telegram.send_text("second", CHAT)
        await here.replies(CHAT, 2)
        await until_stored(here, step.c.key, 3)
        await here.process.kill()
        assert await rows(here, memory.c.text) == []
        await here.start()
        (sentence,) = await until_stored(here, memory.c.text, 1)
        assert "Mario" in sentence
        here.telegram.send_text("/memory 1", CHAT)
        shown = (await here.replies(CHAT, 3))[-1]
        assert "my plumber is called Mario" in shown
        here.telegram.send_text('third [[tool:search_memory {"query": "plumb"}]]', CHAT)
        assert "Mario" in (await here.replies(CHAT, 4))[-1]
        for name in ("house/AGENTS.md", "house/SOUL.md", "people/1/USER.md", "people/1/MEMORY.md"):
            assert (tmp_path / "home" / "workspace" / name).exists()


async def test_prompts_fit_the_model_in_use(tmp_path: Path) -> None:
    """R-ME-2: a prompt is made for the model a conversation chose; that of `/solve` for the model that solves."""
    env = {
        "LAR__MODELS__CHOICES": '["openai:gpt-4o"]',
        "LAR__MODELS__SOLVE": "openai:gpt-4",
        "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(CHAT),
    }
    async with stage(tmp_path, env=env) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("/model openai:gpt-4o", CHAT)
        contexts = list[int]()
        async with asyncio.timeout(60):
            while 128_000 not in contexts:  # the price list is read while nobody waits for it
                await here.telegram.ask("hello", CHAT)
                contexts = await tokens(here)
        assert set(contexts) <= {0, 128_000}
        await here.telegram.ask("/solve the disk is full", CHAT)
        await here.settled()
        assert (await tokens(here))[-1] == 8192


async def tokens(here: Stage) -> list[int]:
    """For how large a context the prompts of all turns were made, oldest first; 0: it was not known."""
    return [ast.literal_eval(context)["sizes"][2] for context in await rows(here, turn.c.context)]
