"""Telegram has a bad day: whatever it does, the answer arrives once, or twice and then says so."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from lar.testing.line import Line
from lar.testing.stage import FIRST_USER, Stage, stage, until
from lar.testing.telegram import DEFAULT_TOKEN
from lar.testing.telegram.wire import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARK = "\n\n\u21bb"
WORD = "n00000000aa"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def luckless(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A gateway that gets to feel it."""
    async with stage(tmp_path_factory.mktemp("luckless")) as here:
        await here.start()
        await here.telegram.until_polling()
        yield here


@pytest.fixture
def place(luckless: Stage, unused_chats: Iterator[int]) -> Iterator[int]:
    """A private chat of this test's own."""
    yield next(unused_chats)
    luckless.telegram.faults.pending.clear()
    assert luckless.process.alive, luckless.process.output()


def copies(here: Stage, chat: int, word: str = WORD) -> list[str]:
    """The bot's messages with this word in them, in order."""
    return [text for text in here.texts(chat) if word in text]


async def problems(here: Stage) -> str:
    """What the operator is told."""
    ran = await here.process.lar("status", "--json")
    return json.dumps(json.loads(ran.output)["problems"])


@pytest.mark.parametrize("status", [429, 500])
async def test_refused_for_now(luckless: Stage, place: int, status: int) -> None:
    """A 429 is waited for as long as it asks, a 500 a moment; then the answer comes, once and unmarked."""
    luckless.telegram.fail("sendMessage", status=status, retry_after=1, chat_id=place)
    await luckless.telegram.ask(f"hello {WORD}", place)
    await luckless.settled()
    (said,) = copies(luckless, place)
    assert MARK not in said
    sends = [call for call in luckless.telegram.calls if call["method"] == "sendMessage" and call["chat_id"] == place]
    assert [call["status"] for call in sends] == [status, 200]
    if status == 429:
        assert sends[1]["t"] - sends[0]["t"] >= 1.0


async def test_cut_after_the_effect(luckless: Stage, place: int) -> None:
    """The answer arrived and its receipt did not: it is sent again, and says so."""
    luckless.telegram.fail("sendMessage", drop=True, after=True, chat_id=place)
    await luckless.telegram.ask(f"hello {WORD}", place)
    await until(lambda: len(copies(luckless, place)) == 2)
    await luckless.settled()
    first, again = copies(luckless, place)
    assert MARK not in first
    assert again.startswith(first + MARK)


async def test_cut_before_the_effect(luckless: Stage, place: int) -> None:
    """The connection broke and nobody can know whether the answer arrived: it comes once, marked."""
    luckless.telegram.fail("sendMessage", drop=True, chat_id=place)
    await luckless.telegram.ask(f"hello {WORD}", place)
    await luckless.settled()
    (said,) = copies(luckless, place)
    assert MARK in said


async def test_blocked_chat(luckless: Stage, place: int) -> None:
    """A chat that blocks the bot is not written to again until it writes again, and then it is answered."""
    telegram = luckless.telegram
    telegram.block(place)
    telegram.send_text(f"hello {WORD}", place)

    def sends() -> list[int]:
        return [c["status"] for c in telegram.calls if c["method"] == "sendMessage" and c["chat_id"] == place]

    await until(sends)
    await luckless.settled(0)
    assert sends() == [403]
    telegram.block(place, blocked=False)
    told = await telegram.ask("are you there n00000000ab", place)
    assert "n00000000ab" in told["text"]
    assert MARK not in told["text"]
    assert sends() == [403, 200]


@pytest.mark.doors
async def test_unreachable(tmp_path: Path) -> None:
    """Telegram cannot be reached at all: what was to be said then is said later, once and unmarked."""
    async with stage(tmp_path) as here, Line(here.telegram.port) as line:
        await here.process.start(extra={"LAR__CHANNELS__TELEGRAM__API_BASE": line.url})
        await here.telegram.until_polling()
        here.telegram.send_text(f"[[sleep:1]] hello {WORD}", FIRST_USER)
        await until(lambda: here.models.log)
        await line.cut()
        await until(lambda: here.models.log[-1]["status"] == 200)
        await until(lambda: "cannot be reached" in here.process.output())
        await line.mend()
        await here.replies(FIRST_USER)
        await here.settled()
        (said,) = copies(here, FIRST_USER)
        assert MARK not in said


@pytest.mark.doors
async def test_second_poller(tmp_path: Path) -> None:
    """Somebody else polls with our token: that is explained, and Lar goes on as soon as they are gone."""
    async with stage(tmp_path) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.process.url()
        polled = here.telegram.bot.polls
        other = asyncio.create_task(asyncio.to_thread(poll, here.telegram.url, 20))
        await until(lambda: "Another program fetches this bot's updates" in here.process.output())
        assert "Another program" in await problems(here)
        assert (await other)["error_code"] == 409, "Lar polls again and takes over"
        assert here.telegram.bot.polls > polled + 1
        assert WORD in (await here.telegram.ask(f"hello {WORD}", FIRST_USER))["text"]
        assert await problems(here) == "{}"


def poll(url: str, seconds: int) -> Json:
    """Poll as another program would; what Telegram says to it."""
    try:
        with urllib.request.urlopen(f"{url}/bot{DEFAULT_TOKEN}/getUpdates?timeout={seconds}") as answer:  # noqa: S310  # the simulator
            return cast("Json", json.load(answer))
    except urllib.error.HTTPError as error:
        return cast("Json", json.load(error))


@pytest.mark.doors
async def test_revoked_token(tmp_path: Path) -> None:
    """The token is revoked while Lar runs: the operator is told what to do, and once it is valid all is caught up."""
    async with stage(tmp_path) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.process.url()
        here.telegram.send_text(f"[[sleep:1]] hello {WORD}", FIRST_USER)
        await until(lambda: here.models.log)
        bot = here.telegram.bots.pop(DEFAULT_TOKEN)
        bot.end_poll("closed")
        await until(lambda: "refuses the bot token" in here.process.output())
        await until(lambda: here.models.log[-1]["status"] == 200)
        assert "@BotFather" in await problems(here)
        here.telegram.bots[DEFAULT_TOKEN] = bot
        assert WORD in (await here.replies(FIRST_USER))[0]
        assert "n00000000ab" in (await here.telegram.ask("and now n00000000ab", FIRST_USER, timeout=45))["text"]
        await here.settled()
        assert len(copies(here, FIRST_USER)) == 1
        assert MARK not in "".join(here.texts(FIRST_USER))
        assert await problems(here) == "{}"


@pytest.mark.doors
async def test_hanging_poll(tmp_path: Path) -> None:
    """A poll that is never answered is given up, and the next one hears what was said meanwhile."""
    async with stage(tmp_path, env={"LAR__CHANNELS__TELEGRAM__POLL_SECONDS": "1"}) as here:
        here.telegram.fail("getUpdates", count=2, hang=600.0, skip=1)
        await here.start()
        await until(lambda: not here.telegram.faults.pending)
        reply = await here.telegram.ask(f"hello {WORD}", FIRST_USER)
        assert WORD in reply["text"]
        assert here.process.alive
