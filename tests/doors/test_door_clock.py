"""The clock of the machine jumps by an hour: what runs goes on, what waits comes after as long as it would have."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from lar.app import App, Extras
from lar.config import load
from lar.testing.models import ModelSim
from lar.testing.stage import FIRST_USER, until
from lar.testing.telegram import DEFAULT_TOKEN, TelegramSim

HOUR = 3600.0
RUNNING, REFUSED, PASTED = FIRST_USER, FIRST_USER + 1, FIRST_USER + 2
WORDS = {RUNNING: "n00000000aa", REFUSED: "n00000000ab", PASTED: "n00000000ac"}
SOON = 15.0
"""Seconds within which all is answered; what waited for the clock to catch up would take an hour."""


class JumpingClock:
    """The time of day, and what it is wrong by."""

    def __init__(self) -> None:
        self.wrong = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.wrong


@asynccontextmanager
async def living(home: Path, telegram: TelegramSim, models: ModelSim, clock: JumpingClock) -> AsyncGenerator[None]:
    """A Lar in this process that lives by this clock."""
    variables = {
        "LAR_HOME": str(home),
        "TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN,
        "LAR__CHANNELS__TELEGRAM__API_BASE": telegram.url,
        "LAR__CHANNELS__TELEGRAM__ALLOWED_USER_IDS": ",".join(map(str, WORDS)),
        "OPENAI_API_KEY": "sk-simulated",
        "LAR__PROVIDERS__OPENAI__BASE_URL": models.openai_url,
        "LAR__AGENTS__MAIN__MODEL": "openai:sim-1",
    }
    async with App(load(None, variables), Extras(clock=clock)) as lar:
        running = asyncio.create_task(lar.run(frozenset({"gateway", "worker"})))
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def said(telegram: TelegramSim, chat: int) -> list[str]:
    """What the bot said in a chat."""
    return [str(message["text"]) for message in telegram.messages(chat) if message["from"]["is_bot"]]


@pytest.mark.doors
@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_jump(tmp_path: Path, jump: float) -> None:
    """A turn that runs, a part that Telegram wants later and a paste that waits for its rest are all answered, once."""
    clock = JumpingClock()
    async with TelegramSim() as telegram, ModelSim() as models, living(tmp_path, telegram, models, clock):
        telegram.fail("sendMessage", status=429, retry_after=2, chat_id=REFUSED)
        telegram.send_text(f"hello {WORDS[REFUSED]}", REFUSED)
        await until(lambda: any(call["status"] == 429 for call in telegram.calls))
        asked = models.last_number
        telegram.send_text(f"[[sleep:1]] {WORDS[RUNNING]}", RUNNING)
        await until(lambda: models.last_number > asked)
        telegram.send_text(f"{'long ' * 810}{WORDS[PASTED]}", PASTED)
        await until(lambda: not telegram.bot.updates)
        clock.wrong = jump
        await until(lambda: all(said(telegram, chat) for chat in WORDS), SOON)
        for chat, word in WORDS.items():
            (only,) = said(telegram, chat)
            assert word in only
            assert "\u21bb" not in only
        assert models.last_number == 3
        clock.wrong = 0.0
        later = await telegram.ask("and back n00000000ad", RUNNING, timeout=SOON)
        assert "n00000000ad" in later["text"]
