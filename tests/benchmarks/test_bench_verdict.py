"""The bench's judgement: a bot that loses, doubles, misroutes, reorders and edits is seen through."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from lar.testing.telegram import TelegramSim
from traffic import Traffic, Turn, Verdict, spread


class Bot:
    """The bot's side, by plain requests."""

    def __init__(self, telegram: TelegramSim, http: httpx.AsyncClient) -> None:
        self.base = f"{telegram.url}/bot{telegram.token}"
        self.http = http

    async def call(self, method: str, **parameters: Any) -> Any:
        """One Bot API call; its result."""
        return (await self.http.post(f"{self.base}/{method}", json=parameters)).json()["result"]

    async def answer(self, turn: Turn, extra: str = "", chat: int = 0) -> int:
        """Answer a turn, in its own chat unless told otherwise; the message's id."""
        text = f"re {turn.nonce} {extra}"
        return (await self.call("sendMessage", chat_id=chat or turn.chat, text=text))["message_id"]


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSim]:
    """Telegram, listening."""
    async with TelegramSim() as sim:
        yield sim


@pytest.fixture
async def bot(telegram: TelegramSim) -> AsyncIterator[Bot]:
    """The bot under judgement."""
    async with httpx.AsyncClient() as http:
        yield Bot(telegram, http)


async def test_names_every_fault(telegram: TelegramSim, bot: Bot) -> None:
    """A fault that the bench does not see would be published as a success."""
    traffic = Traffic(telegram)
    good, _lost, twice, stray, late, early, edited, recalled = (traffic.send(c) for c in (1, 2, 3, 4, 5, 5, 6, 7))
    await bot.answer(good)
    await bot.answer(twice)
    await bot.answer(twice)
    await bot.answer(stray, chat=99)
    await bot.answer(stray)
    await bot.answer(early)
    await bot.answer(late)
    first = await bot.call("sendMessage", chat_id=6, text="thinking")
    await bot.call("editMessageText", chat_id=6, message_id=first["message_id"], text=f"re {edited.nonce}")
    await bot.call("deleteMessage", chat_id=7, message_id=await bot.answer(recalled))
    await bot.answer(recalled)
    both = [traffic.send(8), traffic.send(8)]
    await bot.call("sendMessage", chat_id=8, text=" ".join(turn.nonce for turn in both))
    verdict = traffic.verdict(list(traffic.turns.values()))
    assert verdict == Verdict(messages=10, lost=1, duplicates=1, marked=0, misrouted=1, disorder=1, merged=1)
    assert verdict.faults() == "1 lost, 1 duplicates, 1 misrouted, 1 disorder of 10"


async def test_counts_marked_copies_apart(telegram: TelegramSim, bot: Bot) -> None:
    """A part that says it was sent again is what the design promises; a silent double is not."""
    traffic = Traffic(telegram, resent="↻")
    honest, silent = traffic.send(1), traffic.send(2)
    for extra in ("", "↻ sent again"):
        await bot.answer(honest, extra)
    for _ in range(2):
        await bot.answer(silent)
    verdict = traffic.verdict([honest, silent])
    assert (verdict.duplicates, verdict.marked) == (1, 1)


async def test_ask_gives_up_without_losing_a_late_answer(telegram: TelegramSim, bot: Bot) -> None:
    """A driver that moves on must still count the answer that comes after all."""
    traffic = Traffic(telegram)
    turn = await traffic.ask(1, timeout=0.001)
    assert not turn.shown
    await bot.answer(turn)
    assert traffic.verdict([turn]).lost == 0


def test_spread_in_milliseconds() -> None:
    """Median and tail are what the goals are stated in."""
    assert spread([0.001] * 18 + [0.01, 0.1]) == {"median": 1.0, "p95": 100.0, "max": 100.0}
    assert spread([])["median"] is None
