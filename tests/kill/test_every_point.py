"""SIGKILL at every journalled point of a turn: after the restart there is one answer, and nothing was done twice."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lar.testing.stage import POLL, Point, Points, Stage, stage

pytestmark = pytest.mark.kill

COMMAND = (sys.executable, str(Path(__file__).with_name("probed_gateway.py")))
CHAT = 1001
AT_ONCE = 3
QUIET = 1.5
"""Seconds without a commit after which the start is over."""
SIGNS_OF_LIFE = frozenset({"_renew"})
SILENT = 10.0
"""Seconds without a commit after which the turn is over; the first model call imports its library."""
MARK = "\n\n\u21bb"


@dataclass(frozen=True)
class Scenario:
    """What is asked, which effect must not happen twice, and whether a person has to approve it first."""

    question: str
    effect: str
    asks: bool = False


PLAIN = Scenario('[[tool:look {"note": "n1"}]] [[tool:charge {"note": "n1"}]] [[par]] [[len:9000]]', "charge n1")
APPROVED = Scenario(
    '[[tool:look {"note": "n1"}]] [[tool:wire {"note": "n1"}]] [[par]] [[len:100]]', "wire n1", asks=True
)
SHOWN = ("\U0001f510", "\u2705")
"""What a question begins with, and what its message is edited to."""
ALREADY = "has approved this already"


@asynccontextmanager
async def approving(here: Stage, scenario: Scenario) -> AsyncGenerator[None]:
    """The person approves whatever is asked, once for each message that asks."""

    async def approve() -> None:
        pressed: set[int] = set()
        while True:
            for message in here.telegram.messages(CHAT):
                if message.get("reply_markup") and message["message_id"] not in pressed:
                    pressed.add(message["message_id"])
                    here.telegram.press(CHAT, text="^Once$", message_id=message["message_id"])
            await asyncio.sleep(POLL)

    task = asyncio.create_task(approve()) if scenario.asks else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


async def next_report(following: Callable[[], Awaitable[str]], seconds: float) -> str | None:
    """The next commit, None where there is none for so long. A worker's sign of life is no commit of the turn's."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                report = await following()
                if not SIGNS_OF_LIFE.issuperset(report.partition(" ")[2].split(",")):
                    return report
    except TimeoutError:
        return None


async def unkilled(folder: Path, database: str, scenario: Scenario) -> tuple[list[Point], list[str]]:
    """The commits of a turn from the message on, and the messages it ends in."""
    async with stage(folder, database, COMMAND) as here:
        points, asked = Points(), False
        async with here.probed() as following, approving(here, scenario):
            while True:
                report = await next_report(following, SILENT if asked else QUIET)
                if report is None and asked:
                    break
                if report is None:
                    asked = _ask(here, scenario)
                elif asked:
                    points.note(report)
        return points.seen, _answers(here)


def _ask(here: Stage, scenario: Scenario) -> bool:
    """Once the process has started and fallen silent: write the message."""
    if here.telegram.bot.polling.is_set():
        here.telegram.send_text(scenario.question, CHAT)
        return True
    return False


async def killed(folder: Path, database: str, at: Point, expected: list[str], scenario: Scenario) -> list[str]:
    """Kill at this point, restart, and say what is wrong with what the person and the world have then."""
    async with stage(folder, database, COMMAND) as here:
        async with approving(here, scenario):
            reached = await _run_until(here, at, scenario)
            if not reached:
                return [f"{at}: not reached"]
            await here.process.kill()
            charged = here.acted()[scenario.effect]
            await here.start()
            await here.settled()
        return [f"{at}: {wrong}" for wrong in _judge(here, expected, charged, scenario)]


async def _run_until(here: Stage, at: Point, scenario: Scenario) -> bool:
    points, asked = Points(), False
    async with here.probed() as following:
        while True:
            report = await next_report(following, SILENT if asked else QUIET)
            if report is None and asked:
                return False
            if report is None:
                asked = _ask(here, scenario)
            elif asked and at in points.note(report):
                await here.process.kill()
                return True


def _judge(here: Stage, expected: list[str], charged: int, scenario: Scenario) -> list[str]:
    wrong: list[str] = []
    texts = _answers(here)
    acted = here.acted()
    requests = len(here.models.log)
    if acted[scenario.effect] > 1:
        wrong.append(f"charged {acted[scenario.effect]} times")
    if acted["look n1"] > 2 or not acted["look n1"]:  # once, and once more if it was interrupted
        wrong.append(f"looked {acted['look n1']} times")
    if requests > 3:  # two, and one more if its answer was lost
        wrong.append(f"{requests} model calls")
    plain = [text.partition(MARK)[0] for text in texts]
    marked = sum(MARK in text for text in texts)
    doubled = sum((Counter(plain) - Counter(set(plain))).values())
    if marked > 1 or doubled > marked:
        wrong.append(f"{doubled} parts doubled, {marked} marked")
    if list(dict.fromkeys(plain)) != expected:
        unknown = any("may or may not" in text for text in texts)
        if not unknown:
            wrong.append(f"the answer is {[text[:40] for text in plain]}")
        if unknown and charged and len(set(plain)) < len(expected):
            wrong.append("the answer is incomplete")
    elif not acted[scenario.effect]:
        wrong.append("a charge got lost")
    return wrong


def _answers(here: Stage) -> list[str]:
    """What the bot said, but for questions, what they were edited to, and what a press that came twice was told."""
    return [text for text in here.texts(CHAT) if not text.startswith(SHOWN) and ALREADY not in text]


async def test_every_point(new_database: Callable[[str], str], tmp_path: Path) -> None:
    """R-CV-7: wherever the process dies, the person has one whole answer and no effect happened twice."""
    await _die_everywhere(new_database, tmp_path, PLAIN, parts=3)


async def test_every_point_of_an_approved_call(tmp_path: Path) -> None:
    """R-PO-2: wherever the process dies, what was approved is done once, or told as unknown, and never twice."""
    await _die_everywhere(lambda name: f"sqlite:///{tmp_path}/{name}.db", tmp_path, APPROVED, parts=1)


async def _die_everywhere(
    new_database: Callable[[str], str], tmp_path: Path, scenario: Scenario, *, parts: int
) -> None:
    points, expected = await unkilled(tmp_path / "unkilled", new_database("unkilled"), scenario)
    assert len(expected) == parts, "the answer is whole"
    assert len(points) > 20, "the turn has its commits"
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, point: Point) -> list[str]:
        async with gate:
            return await killed(tmp_path / str(number), new_database(str(number)), point, expected, scenario)

    found = await asyncio.gather(*(one(number, point) for number, point in enumerate(points)))
    wrong = [text for texts in found for text in texts]
    missed = [text for text in wrong if text.endswith("not reached")]
    assert wrong == missed
    assert len(missed) <= len(points) // 10, "nearly every point was killed at"
