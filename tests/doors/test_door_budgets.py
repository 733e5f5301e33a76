"""R-LM-5: nobody spends more than they may, however many talk at once, and the sums are the provider's own."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Select, select

from lar.store import budgets
from lar.store.budgets import Line
from lar.store.database import Database
from lar.store.schema import job, worker
from lar.store.settings import StoreSettings
from lar.testing.databases import postgres_server
from lar.testing.postgres import PostgresServer
from lar.testing.process import POLL
from lar.testing.stage import COMMAND, FIRST_USER, PATIENCE, Stage, stage, until

__all__ = ["postgres_server"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN = FIRST_USER - 1
FAILING = (sys.executable, str(Path(__file__).parent / "failing_gateway.py"))
PRICE = 10.0
"""Dollars per million tokens, of prompt and answer."""
MINUTE = 6.0
"""Dollars per minute of a recording; the provider counts a second of each."""

Staged = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    """Starts a gateway whose model has a price, with these caps."""

    @asynccontextmanager
    async def start(
        caps: dict[str, str], database: str = "", command: Sequence[str] = COMMAND
    ) -> AsyncGenerator[Stage]:
        each = {"input": PRICE, "output": PRICE}
        prices = {f"openai:{model}": each for model in ("sim-1", "sum-1", "sol-1", "tri-1")}
        env = {
            "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN),
            "LAR__BUDGETS__PRICES": json.dumps({**prices, "openai:whisper-1": {"minute": MINUTE}}),
            "LAR__BUDGETS__MAX_OUTPUT_TOKENS": "1000",
            **caps,
        }
        async with stage(tmp_path, database, command, env) as here:
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


async def until_found(here: Stage, query: Select[tuple[int]], count: int) -> None:
    """Wait until a look into the database has found so many different values."""
    found = set[int]()
    db = Database(StoreSettings(url=here.database))
    await db.open(read_only=True)
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                found |= {row[0] for row in await db.read(lambda connection: connection.execute(query).all())}
                await asyncio.sleep(POLL)
    finally:
        await db.close()


def counted(here: Stage) -> float:
    """What the provider counted, in US dollars."""
    answered = [entry for entry in here.models.log if entry["status"] == 200]
    tokens = [entry["tokens"] for entry in answered if "tokens" in entry]
    recordings = len(answered) - len(tokens)
    return sum(each["input"] + each["output"] for each in tokens) * PRICE / 1_000_000 + recordings * MINUTE / 60


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
        await here.process.stop()
        total = sum(line.usd for line in await spent(here))
        assert 0 < total <= cap
        assert total == pytest.approx(counted(here), abs=0.005)


@pytest.mark.postgres
async def test_fifty_at_once_and_two_workers(staged: Staged, postgres_server: PostgresServer, tmp_path: Path) -> None:
    """The same where two processes work on one database: the sums and reservations of both are in it."""
    cap = 1.0
    caps = {
        "LAR__BUDGETS__TOTAL__DAY": str(cap),
        "LAR__BUDGETS__PERSON__DAY": "inf",
        "LAR__ENGINE__MAX_CONCURRENT": "10",
    }
    async with staged(caps, postgres_server.new_database(like="lar_1")) as here:
        second = here.process.beside(tmp_path / "second", (*COMMAND, "--only", "worker"))
        await second.start()
        try:
            await until_found(here, select(worker.c.id), 2)
            for chat in range(FIRST_USER, FIRST_USER + 50):
                here.telegram.send_text(f"[[sleep:0.5]] hello n{chat:010x}", chat)
            await until_found(here, select(job.c.worker_id).where(job.c.state == "running"), 2)
            await here.settled(50)
        finally:
            await second.stop()
        await here.process.stop()
        total = sum(line.usd for line in await spent(here))
        assert 0 < total <= cap
        assert total == pytest.approx(counted(here), abs=0.005)


@pytest.mark.doors
async def test_every_way_to_a_model_is_counted(staged: Staged) -> None:
    """Turns, summaries, /solve, triage and recordings: what Lar says it spent is what the provider counted."""
    tasks = {
        "LAR__MODELS__SUMMARY": "openai:sum-1",
        "LAR__MODELS__SOLVE": "openai:sol-1",
        "LAR__MODELS__TRIAGE": "openai:tri-1",
        "LAR__MODELS__TRANSCRIPTION": "openai:whisper-1",
        "LAR__MEMORY__EXCHANGES": "1",
        "LAR__MEMORY__COMPRESS_AFTER_SECONDS": "0",
    }
    async with staged(tasks, command=FAILING) as here:
        for number in range(3):
            await here.telegram.ask(f"tell me {number}", FIRST_USER)
            await here.settled()
        await here.telegram.ask("[[tool:burst {}]]", FIRST_USER)
        here.telegram.send_media("voice", b"OggS SAY:what is it\0" + bytes(9000), FIRST_USER)
        await until(lambda: any("what is it" in text for text in here.texts(FIRST_USER)))
        await here.telegram.ask("/solve it", ADMIN)
        wanted = {"main", "summary", "triage", "/solve", "solve"}
        lines = await spent(here)
        async with asyncio.timeout(PATIENCE):
            while sum(line.calls for line in lines) < len(here.models.log) or {line.agent for line in lines} != wanted:
                await asyncio.sleep(POLL)
                lines = await spent(here)
        assert {line.model for line in lines} == {
            f"openai:{model}" for model in ("sim-1", "sum-1", "sol-1", "tri-1", "whisper-1")
        }
        assert sum(line.calls for line in lines) == len(here.models.log)
        assert sum(line.usd for line in lines) == pytest.approx(counted(here), abs=1e-6)
        assert not any(line.estimated_usd for line in lines)
        ran = await here.process.lar("usage", "--json")
        assert sum(line["usd"] for line in json.loads(ran.output)) == pytest.approx(counted(here), abs=1e-6)
        said = (await here.telegram.ask("/usage", ADMIN))["text"]
        assert f"${counted(here):.2f}, {len(here.models.log)} model calls" in said


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
