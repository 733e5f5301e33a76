"""R-LM-5: nobody spends more than they may, however many talk at once, and the sums are the provider's own."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from lar.store import budgets
from lar.store.budgets import Line
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN = FIRST_USER - 1
PRICE = 10.0
"""Dollars per million tokens, of prompt and answer."""

Staged = Callable[[dict[str, str]], AbstractAsyncContextManager[Stage]]


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    """Starts a gateway whose model has a price, with these caps."""

    @asynccontextmanager
    async def start(caps: dict[str, str]) -> AsyncGenerator[Stage]:
        env = {
            "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN),
            "LAR__BUDGETS__PRICES": json.dumps({"openai:sim-1": {"input": PRICE, "output": PRICE}}),
            "LAR__BUDGETS__MAX_OUTPUT_TOKENS": "1000",
            **caps,
        }
        async with stage(tmp_path, env=env) as here:
            await here.start()
            await here.telegram.until_polling()
            yield here

    return start


async def spent(here: Stage) -> list[Line]:
    """What the database says."""
    db = Database(StoreSettings(url=here.database))
    await db.open(read_only=True)
    try:
        return await db.read(budgets.lines, "0000-00-00", "9999-99-99")
    finally:
        await db.close()


def counted(here: Stage) -> float:
    """What the provider counted, in US dollars."""
    answered = [entry["tokens"] for entry in here.models.log if entry["status"] == 200]
    return sum(tokens["input"] + tokens["output"] for tokens in answered) * PRICE / 1_000_000


@pytest.mark.doors
async def test_fifty_at_once(staged: Staged) -> None:
    """Fifty people ask at once where a few calls are paid for: not a cent too much is spent, and all are told."""
    cap = 1.0
    async with staged({"LAR__BUDGETS__TOTAL__DAY": str(cap), "LAR__BUDGETS__PERSON__DAY": "inf"}) as here:
        for chat in range(FIRST_USER, FIRST_USER + 50):
            here.telegram.send_text(f"[[sleep:0.5]] hello n{chat:010x}", chat)
        await here.settled(50)
        said = [here.texts(chat)[-1] for chat in range(FIRST_USER, FIRST_USER + 50)]
        refused = [text for text in said if "the budget of this Lar is used up ($1 a day), about" in text]
        answered = [text for text in said if "hello n" in text]
        assert len(refused) + len(answered) == 50
        assert refused
        assert answered
        await until(lambda: True)
        await here.process.stop()
        total = sum(line.usd for line in await spent(here))
        assert 0 < total <= cap
        assert total == pytest.approx(counted(here), abs=0.005)


async def test_a_cap_and_its_button(staged: Staged) -> None:
    """At 80 % there is a warning, at 100 % a friendly stop; an admin's press allows more, once; usage adds up."""
    async with staged(
        {"LAR__BUDGETS__PERSON__DAY": "0.12", "LAR__AGENTS__MAIN__TOOLS": "calculate_expression"}
    ) as here:
        await here.telegram.ask("/status", ADMIN)
        chat = FIRST_USER
        number = 0
        while not any("used up" in text for text in here.texts(chat)):
            number += 1
            assert number < 100
            await here.telegram.ask(f"tell me {number}", chat)
            await here.settled()
        assert any("are used: the budget of" in text for text in here.texts(chat))
        assert "what is 6*7" not in here.texts(chat)[-1]
        assert "42" in (await here.telegram.ask("what is 6*7?", chat))["text"]
        await until(lambda: any("Used up: the budget of" in text for text in here.texts(ADMIN)))
        asked = next(m for m in here.telegram.messages(ADMIN) if "Used up" in str(m.get("text")))
        button = asked["reply_markup"]["inline_keyboard"][0][0]
        assert button["text"] == "Allow $0.12 more today"
        here.telegram.press(ADMIN, data=button["callback_data"])
        await until(lambda: any("more for today" in str(m.get("text")) for m in here.telegram.messages(ADMIN)))
        assert "echo: and now?" in (await here.telegram.ask("and now?", chat))["text"]
        usage = (await here.telegram.ask("/usage", chat))["text"]
        everybody = (await here.telegram.ask("/usage", ADMIN))["text"]
        assert f"today: ${counted(here):.2f}, {len(here.models.log)} model calls" in usage
        assert "openai:sim-1" in usage
        assert "by person" not in usage
        assert "This month by person:" in everybody
        assert all(entry["body"]["max_completion_tokens"] == 1000 for entry in here.models.log)


@pytest.mark.doors
async def test_a_crash_under_a_call(staged: Staged) -> None:
    """What was put aside for a call that a crash ended is settled in full, marked as estimated."""
    async with staged({}) as here:
        here.telegram.send_text("[[sleep:5]] hello", FIRST_USER)
        await until(lambda: here.models.log)
        await here.process.kill()
        await here.start()
        await here.settled()
        await here.process.stop()
        (line,) = await spent(here)
        assert line.calls == 2
        assert 1000 * PRICE / 1_000_000 < line.estimated_usd < line.usd
