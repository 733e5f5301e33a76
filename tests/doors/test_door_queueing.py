"""What a message does that arrives during a turn: the four ways of the setting."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lar.testing.models.brain import NONCE
from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = pytest.mark.doors

SLOW_GATEWAY = (sys.executable, str(Path(__file__).with_name("slow_gateway.py")))
CHAT = FIRST_USER
FIRST, SECOND, THIRD = "n00000000aa", "n00000000ab", "n00000000ac"


@asynccontextmanager
async def busy(folder: Path, mode: str, seconds: float) -> AsyncGenerator[Stage]:
    """A gateway that waits for a tool to come back, and hears two more messages meanwhile."""
    async with stage(folder, command=SLOW_GATEWAY, env={"LAR__CONVERSATIONS__QUEUE_MODE": mode}) as here:
        await here.start()
        here.telegram.send_text(f'[[tool:ponder {{"seconds": {seconds}}}]] {FIRST}', CHAT)
        await until(lambda: here.acted()["begun"])
        here.telegram.send_text(f"hello {SECOND}", CHAT)
        here.telegram.send_text(f"hello {THIRD}", CHAT)
        yield here
        await here.settled()
        assert here.process.alive


async def answers(here: Stage, last: str) -> list[list[str]]:
    """The words of each answer, once the last is there."""
    await until(lambda: last in "".join(here.texts(CHAT)))
    await here.settled()
    return [NONCE.findall(text) for text in here.texts(CHAT)]


async def test_collect(tmp_path: Path) -> None:
    """By default what arrives is collected into one turn that follows."""
    async with busy(tmp_path, "collect", 0.5) as here:
        assert await answers(here, THIRD) == [[FIRST], [SECOND, THIRD]]


async def test_queue(tmp_path: Path) -> None:
    """Each message is a turn of its own, one after the other."""
    async with busy(tmp_path, "queue", 0.5) as here:
        assert await answers(here, THIRD) == [[FIRST], [SECOND], [THIRD]]


async def test_steer(tmp_path: Path) -> None:
    """What arrives joins the turn that runs: the model hears it after the tool, and there is one answer."""
    async with busy(tmp_path, "steer", 0.5) as here:
        (said,) = await answers(here, THIRD)
        assert {SECOND, THIRD} <= set(said)
        assert len(here.models.log) == 2


async def test_interrupt(tmp_path: Path) -> None:
    """What arrives ends the turn that runs and is answered at once."""
    async with busy(tmp_path, "interrupt", 60.0) as here:
        said = await answers(here, THIRD)
        assert [word for words in said for word in words][-1] == THIRD
        assert FIRST not in "".join(here.texts(CHAT))
        assert here.acted() == {"begun": 1}


async def test_full(tmp_path: Path) -> None:
    """A chat whose queue is full says so, and takes messages again when there is room."""
    env = {"LAR__CONVERSATIONS__QUEUE_MODE": "queue", "LAR__CONVERSATIONS__MAX_QUEUED_PER_CHAT": "2"}
    async with stage(tmp_path, env=env) as here:
        await here.start()
        here.telegram.send_text(f"[[sleep:1]] {FIRST}", CHAT)
        await until(lambda: here.models.log)
        for word in (SECOND, THIRD, "n00000000ad"):
            here.telegram.send_text(f"hello {word}", CHAT)
        await here.telegram.expect_reply(CHAT, match="did not take this one")
        assert await answers(here, THIRD) == [[], [FIRST], [SECOND], [THIRD]]
        assert "n00000000ae" in (await here.telegram.ask("hello n00000000ae", CHAT))["text"]
