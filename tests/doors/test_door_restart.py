"""Stopped in an orderly way and started again: what ran goes on, what was said meanwhile is answered."""

import time
from pathlib import Path

import pytest

from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = pytest.mark.doors

CHAT, OTHER = FIRST_USER, FIRST_USER + 1
RUNNING, MEANWHILE, AFTER = "n00000000aa", "n00000000ab", "n00000000ac"


async def stopped_in_the_middle(here: Stage) -> None:
    """A turn runs, the process is told to stop and obeys quickly, and somebody writes while nothing runs."""
    await here.start()
    await here.telegram.until_polling()
    here.telegram.send_text(f"[[sleep:3]] {RUNNING}", CHAT)
    await until(lambda: here.models.log)
    told = time.monotonic()
    assert await here.process.stop() == 0
    assert time.monotonic() - told < 3, "nothing is waited for that can go on later"
    assert "Traceback" not in here.process.output()
    here.telegram.bot.end_poll("closed")
    here.telegram.send_text(f"hello {MEANWHILE}", OTHER)


async def test_restart(tmp_path: Path) -> None:
    """The turn that ran is resumed without anybody asking, and what arrived meanwhile is answered; each once."""
    async with stage(tmp_path) as here:
        await stopped_in_the_middle(here)
        await here.start()
        assert MEANWHILE in (await here.replies(OTHER))[0]
        assert RUNNING in (await here.replies(CHAT))[0]
        await here.settled(2)
        assert [len(here.texts(chat)) for chat in (CHAT, OTHER)] == [1, 1]
        assert "\u21bb" not in "".join([*here.texts(CHAT), *here.texts(OTHER)])


async def test_drain_on_start(tmp_path: Path) -> None:
    """Who wants so starts afresh: what arrived while nothing ran is dropped, what was accepted before is not."""
    async with stage(tmp_path, env={"LAR__CHANNELS__TELEGRAM__DRAIN_ON_START": "true"}) as here:
        await stopped_in_the_middle(here)
        await here.start()
        assert RUNNING in (await here.replies(CHAT))[0]
        assert AFTER in (await here.telegram.ask(f"hello {AFTER}", OTHER))["text"]
        assert MEANWHILE not in "".join(here.texts(OTHER))
