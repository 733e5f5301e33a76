"""Heartbeats and runbooks at the doors of the real process: what they cost, when they fail, what a mistake stops."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = pytest.mark.doors

CHAT = FIRST_USER
SECRET = "a word of enough letters"  # noqa: S105  # of a test
FAILING = "Looking around by myself has failed"

Staged = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    """Starts a gateway that beats every two seconds, and whose owner has said hello."""

    @asynccontextmanager
    async def start(**more: str) -> AsyncGenerator[Stage]:
        env = {
            "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(CHAT),
            "LAR__SCHEDULES__HEARTBEAT__MINUTES": "0.03",
            "LAR__SCHEDULES__HEARTBEAT__ACTIVE_HOURS": "00:00-00:00",
            "LAR__SCHEDULES__HOOKS__CI__SECRET": SECRET,
            **more,
        }
        async with stage(tmp_path, env=env) as here:
            await here.start()
            await here.telegram.until_polling()
            await here.telegram.ask("hello", CHAT)
            yield here

    return start


async def tell(here: Stage, body: str) -> None:
    """Tell Lar that something happened, as another program does."""
    door = f"{await here.process.url()}/hooks/ci"
    async with (
        aiohttp.ClientSession() as http,
        http.post(door, data=body, headers={"Authorization": f"Bearer {SECRET}"}) as answer,
    ):
        assert answer.status == 202


async def test_silence_and_one_turn(staged: Staged) -> None:
    """R-SC-3: one turn for what happened; a heartbeat that finds nothing to say is not shown, and is not repeated."""
    async with staged() as here:
        before = here.models.last_number
        here.models.push("HEARTBEAT_OK", match="quiet n00000000aa")
        await tell(here, "quiet n00000000aa")
        await until(lambda: here.models.last_number == before + 1)
        await tell(here, "loud n00000000ab")
        told = (await here.replies(CHAT, 2))[-1]
        assert "n00000000ab" in told
        assert "n00000000aa" not in told.split("(also:")[0]
        assert here.models.last_number == before + 2
        assert not [text for text in here.texts(CHAT) if "HEARTBEAT_OK" in text]


async def test_failures_are_told_once(staged: Staged) -> None:
    """R-SC-3: a heartbeat that fails three times says so once, and goes on trying more seldom."""
    async with staged() as here:
        before = here.models.last_number
        await tell(here, "broken [[status:400 always]]")
        await until(lambda: any(FAILING in text for text in here.texts(CHAT)))
        assert here.models.last_number >= before + 3
        tried = here.models.last_number
        await until(lambda: here.models.last_number > tried)
        await here.telegram.ask("hello again", CHAT)
        assert sum(FAILING in text for text in here.texts(CHAT)) == 1


async def test_a_budget_that_is_used_up(staged: Staged) -> None:
    """R-LM-5: a heartbeat without money asks no model; its owner is told once, and is answered as ever."""
    prices = '{"openai:sim-1": {"input": 10.0, "output": 10.0}}'
    async with staged(LAR__BUDGETS__PRICES=prices, LAR__BUDGETS__HEARTBEAT__DAY="0.0001") as here:
        before = here.models.last_number
        await tell(here, "the build n00000000aa is done")
        await until(lambda: any(FAILING in text for text in here.texts(CHAT)))
        assert here.models.last_number == before
        await here.telegram.ask("hello again", CHAT)
        assert here.models.last_number == before + 1
        assert sum(FAILING in text for text in here.texts(CHAT)) == 1


async def test_runbooks(staged: Staged, tmp_path: Path) -> None:
    """Issue 5: runbooks come while Lar runs; a broken one is told with its line and stops no other; mended, it runs."""
    folder = tmp_path / "home" / "workspace" / "house" / "runbooks"
    async with staged(LAR__SCHEDULES__MIN_INTERVAL_SECONDS="1") as here:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "good.yaml").write_text("prompt: look n00000000aa\nevery: 2s\n")
        (folder / "bad.yaml").write_text("prompt: look n00000000ab\nevery: 2s\nmode: wild\n")
        await until(lambda: any("bad" in text and "line 3" in text for text in here.texts(CHAT)))
        await until(lambda: any("n00000000aa" in text for text in here.texts(CHAT)))
        listed = (await here.telegram.ask("/runbooks", CHAT))["text"]
        assert "good" in listed
        assert "line 3" in listed
        (folder / "good.yaml").unlink()
        (folder / "bad.yaml").write_text("prompt: look n00000000ab\nevery: 2s\n")
        await until(lambda: any("n00000000ab" in text for text in here.texts(CHAT)))
