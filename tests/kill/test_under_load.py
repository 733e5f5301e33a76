"""SIGKILLs at random moments while twenty people talk: nothing is lost, out of order, or done twice.

`LAR_TEST_KILLS` says how many (8); `LAR_TEST_SEED` repeats a run as far as machines allow.
"""

import asyncio
import json
import os
import random
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lar.testing.models.brain import NONCE
from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = pytest.mark.kill

COMMAND = (sys.executable, str(Path(__file__).with_name("probed_gateway.py")))
KILLS = int(os.environ.get("LAR_TEST_KILLS", "8"))
CHATS = range(FIRST_USER, FIRST_USER + 20)
SOONEST, LATEST = 0.3, 1.5
"""Seconds from the first poll of a process, or from its first model call, to its end."""
PATIENCE = 90.0
"""Seconds after which an answer will not come any more."""
MARK = "\n\n\u21bb"


@dataclass
class Talk:
    """What one person said, in order, and which of it were to charge."""

    chat: int
    said: list[str] = field(default_factory=list[str])
    charges: list[str] = field(default_factory=list[str])


@dataclass
class Judgement:
    """What became of it all."""

    wrong: list[str] = field(default_factory=list[str])
    messages: int = 0
    charges: int = 0
    unknown: int = 0
    marked: int = 0
    doubled: int = 0


async def talk(here: Stage, mine: Talk, dice: random.Random, over: asyncio.Event) -> None:
    """Say one to three things, wait until all of it is answered, and again."""
    while not over.is_set():
        sent = [_say(here, mine, dice) for _ in range(dice.choice((1, 1, 2, 3)))]
        for nonce, after in sent:
            if not await here.telegram.wait_reply(mine.chat, after, match=nonce, timeout=PATIENCE):
                return  # the judgement names it


def _say(here: Stage, mine: Talk, dice: random.Random) -> tuple[str, int]:
    nonce = f"n{secrets.token_hex(5)}"
    mine.said.append(nonce)
    text = f"hello {nonce}"
    if dice.random() < 0.4:
        mine.charges.append(nonce)
        text = f"[[tool:charge {json.dumps({'note': nonce})}]] {nonce}"
    return nonce, here.telegram.send_text(text, mine.chat)["seq"]


async def kill_often(here: Stage, dice: random.Random) -> None:
    """Let the process live for a moment, kill it, start it again; in the end one lives."""
    for _ in range(KILLS):
        asked = here.models.last_number
        await here.telegram.until_polling(60)
        if dice.random() < 0.7:  # the first call waits for the model library, and little happens before
            await until(lambda asked=asked: here.models.last_number > asked)
        await asyncio.sleep(dice.uniform(SOONEST, LATEST))
        await here.process.kill()
        here.telegram.bot.end_poll("closed")
        await here.start()
    await here.telegram.until_polling(60)


def judge(here: Stage, talks: list[Talk]) -> Judgement:
    """Compare what was said with what was answered and done."""
    found = Judgement()
    acted = here.acted()
    for mine in talks:
        _judge_chat(mine, here.texts(mine.chat), acted, found)
    repeated = {effect: times for effect, times in acted.items() if times > 1}
    if repeated:
        found.wrong.append(f"done more than once: {repeated}")
    return found


def _judge_chat(mine: Talk, texts: list[str], acted: Counter[str], found: Judgement) -> None:
    found.messages += len(mine.said)
    answered: dict[str, int] = {}
    for number, text in enumerate(texts):
        for nonce in NONCE.findall(text):
            answered.setdefault(nonce, number)
    if lost := [nonce for nonce in mine.said if nonce not in answered]:
        found.wrong.append(f"chat {mine.chat}: no answer to {lost}")
    order = [answered[nonce] for nonce in mine.said if nonce in answered]
    if order != sorted(order):
        found.wrong.append(f"chat {mine.chat}: answered out of order")
    _judge_copies(mine, texts, found)
    for nonce in mine.charges:
        found.charges += 1
        _judge_charge(f"charge {nonce}", [text for text in texts if nonce in text], acted, found)


def _judge_copies(mine: Talk, texts: list[str], found: Judgement) -> None:
    """What is there twice says so."""
    unmarked = Counter(text for text in texts if MARK not in text)
    marked = [text.partition(MARK)[0] for text in texts if MARK in text]
    found.marked += len(marked)
    found.doubled += sum(text in unmarked for text in marked)
    if twice := [text for text, times in unmarked.items() if times > 1]:
        found.wrong.append(f"chat {mine.chat}: said twice without a mark: {twice}")


def _judge_charge(charge: str, told: list[str], acted: Counter[str], found: Judgement) -> None:
    """A charge was made and reported, or its outcome is said to be unknown."""
    reported = any(f"{charge} done" in text for text in told)
    unknown = any(re.search("unknown|may or may not", text) for text in told)
    found.unknown += unknown and not reported
    if reported and not acted[charge]:
        found.wrong.append(f"{charge} is said to be done and is not")
    if told and not reported and not unknown:
        found.wrong.append(f"nothing was said about {charge}: {told}")


async def test_under_load(
    new_database: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However often the process dies while many talk, each of them is answered, in order, and charged at most once."""
    seed = int(os.environ.get("LAR_TEST_SEED", "1"))
    talks = [Talk(chat) for chat in CHATS]
    over = asyncio.Event()
    started = time.monotonic()
    async with stage(tmp_path, new_database("load"), COMMAND) as here:
        await here.start()
        talking = [
            asyncio.create_task(talk(here, mine, random.Random(f"{seed}:{mine.chat}"), over))  # noqa: S311  # a test's dice
            for mine in talks
        ]
        await kill_often(here, random.Random(seed))  # noqa: S311  # the same
        over.set()
        await asyncio.gather(*talking)
        await here.settled()
        found = judge(here, talks)
        calls = len(here.models.log)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{KILLS} kills in {time.monotonic() - started:.0f} s: {found.messages} messages of {len(talks)} people, "
            f"{calls} model calls, {found.charges} charges ({found.unknown} of unknown outcome), {found.marked} parts "
            f"marked as sent again ({found.doubled} of them there twice), {len(found.wrong)} wrong\n"
        )
    assert found.wrong == []
    assert found.marked <= KILLS * len(talks), "at most one part of a chat is in flight"
    assert found.messages >= len(talks)
