"""SIGKILL at every journalled point of a turn: after the restart there is one answer, and nothing was done twice.

Of longer scenarios a sample of the points is tried: `LAR_TEST_POINTS` says how many on each database (0: all).
"""

import asyncio
import json
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ground import Require
from lar.memory.compressing import KIND as COMPRESS
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.store import jobs
from lar.store.database import Connection, Database
from lar.store.schema import memory
from lar.store.settings import StoreSettings
from lar.testing.stage import PATIENCE, POLL, Point, Points, Stage, stage

pytestmark = pytest.mark.kill

COMMAND = (sys.executable, str(Path(__file__).with_name("probed_gateway.py")))
CHAT = 1001
ADMIN = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(CHAT)}
SAMPLE = int(os.environ.get("LAR_TEST_POINTS", "8"))
AT_ONCE = 3
QUIET = 1.5
"""Seconds without a commit after which the start is over."""
SIGNS_OF_LIFE = frozenset({"_renew"})
SILENT, SILENT_AGAIN = 10.0, 4.0
"""Seconds without a commit after which the turn is over; the first model call imports its library."""
MARK = "\n\n\u21bb"


@dataclass(frozen=True)
class Scenario:
    """What is asked, and which effects must not happen twice; `EFFECTS` in what is asked is where effects are noted.

    `buttons` is what a person presses below the first question, and below those that follow; empty: nobody is asked.
    `unknown` is what they read where the outcome is not known; `looks`: the turn also looks at something. `sample`: how
    many points are tried, 0 all. `env` is added to the process's environment. `before` is said and answered before
    it, of all commits only the `last` ones are tried (0: all), `sentences` is what is remembered in the end.
    """

    question: str
    effects: tuple[str, ...]
    buttons: tuple[str, str] | None = None
    unknown: str = "may or may not"
    looks: bool = True
    sample: int = 0
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    before: str = ""
    last: int = 0
    sentences: tuple[str, ...] = ()

    @property
    def silent(self) -> float:
        """Seconds without a commit after which all is over."""
        return SILENT_AGAIN if self.before else SILENT


PLAIN = Scenario('[[tool:look {"note": "n1"}]] [[tool:charge {"note": "n1"}]] [[par]] [[len:9000]]', ("charge n1",))
APPROVED = Scenario(
    '[[tool:look {"note": "n1"}]] [[tool:wire {"note": "n1"}]] [[par]] [[len:100]]',
    ("wire n1",),
    ("^Once$", "^Once$"),
)
COMMANDS: tuple[tuple[str, dict[str, str]], ...] = (
    ("look", {"note": "n1"}),
    ("shell", {"command": "echo shell n1 >>ran.txt"}),
    ("python_execute", {"code": "print('python n1', file=open('ran.txt', 'a'))"}),
    ("wire", {"note": "n1"}),
)
COMMANDED = Scenario(
    " ".join(f"[[tool:{name} {json.dumps(arguments)}]]" for name, arguments in COMMANDS) + " [[par]]",
    ("shell n1", "python n1", "wire n1"),
    ("^Once$", "^Once$"),
    sample=SAMPLE,
    env={"LAR__POLICY__RULES": json.dumps([{"verdict": "ask", "tools": ["shell"]}])},
)
"""A command that is approved, one that need not be, and another tool that is approved."""
SOLVED = Scenario(
    '/solve [[text:{"says": "So.", "commands": [{"command": "echo solved >> EFFECTS", "purpose": "it"}]}]]',
    ("solved",),
    ("^Yes$", "^No$"),
    unknown="I was interrupted while this ran",
    looks=False,
    sample=SAMPLE,
    env=ADMIN,
)
REMEMBERED = Scenario(
    "[[text:Good.]]",
    (),
    looks=False,
    sample=SAMPLE // 2,
    env={"LAR__MEMORY__EXCHANGES": "1", "LAR__MEMORY__COMPRESS_AFTER_SECONDS": "0.2"},
    before="[[text:The plumber is Mario.]]",
    last=10,
    sentences=("The plumber is Mario.",),
)
"""Behind an answer, the exchange before it becomes a sentence."""
SHOWN = ("\U0001f510", "\u2705")
"""What a question begins with, and what its message is edited to."""
TIMING = re.compile(r"\d+\.\d s")
"""How long a command took."""
ALREADY = "has approved this already"


@asynccontextmanager
async def approving(here: Stage, scenario: Scenario) -> AsyncGenerator[None]:
    """The person approves whatever is asked, once for each message that asks."""

    async def approve() -> None:
        pressed: set[int] = set()
        first, following = scenario.buttons or ("", "")
        while True:
            for message in here.telegram.messages(CHAT):
                if message.get("reply_markup") and message["message_id"] not in pressed:
                    button = following if pressed else first
                    pressed.add(message["message_id"])
                    here.telegram.press(CHAT, text=button, message_id=message["message_id"])
            await asyncio.sleep(POLL)

    task = asyncio.create_task(approve()) if scenario.buttons else None
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
    async with stage(folder, database, COMMAND, scenario.env) as here:
        points, asked = Points(), False
        async with here.probed() as following, approving(here, scenario):
            while True:
                report = await next_report(following, scenario.silent if asked else QUIET)
                if report is None and asked:
                    break
                if report is None:
                    asked = _ask(here, scenario)
                elif asked:
                    points.note(report)
        return points.seen, _answers(here)


def _ask(here: Stage, scenario: Scenario) -> bool:
    """Once the process has started and fallen silent: write the message; first what is said before it."""
    if not here.telegram.bot.polling.is_set():
        return False
    first = bool(scenario.before) and not here.telegram.messages(CHAT)
    said = scenario.before if first else scenario.question
    if first or not scenario.before or here.texts(CHAT):
        here.telegram.send_text(said.replace("EFFECTS", str(here.effects)), CHAT)
        return not first
    return False


async def killed(folder: Path, database: str, at: Point, expected: list[str], scenario: Scenario) -> list[str]:
    """Kill at this point, restart, and say what is wrong with what the person and the world have then."""
    async with stage(folder, database, COMMAND, scenario.env) as here:
        async with approving(here, scenario):
            reached = await _run_until(here, at, scenario)
            if not reached:
                return [f"{at}: not reached"]
            await here.process.kill()
            done = _acted(here)
            await here.start()
            await here.settled()
        wrong = _judge(here, expected, done, scenario)
        remembered = await _remembered(here, len(scenario.sentences))
        if remembered != list(scenario.sentences):
            wrong.append(f"what is remembered is {remembered}")
        return [f"{at}: {each}" for each in wrong]


async def _remembered(here: Stage, count: int) -> list[str]:
    """All sentences, once there are so many and no job makes more of them."""
    db = Database(StoreSettings(url=here.database))
    await db.open(read_only=True)
    try:
        async with asyncio.timeout(PATIENCE):
            while await db.read(_summing_up, count):  # noqa: ASYNC110  # another process stores
                await asyncio.sleep(POLL)
        return await db.read(lambda c: list(c.execute(select(memory.c.text).order_by(memory.c.id)).scalars()))
    finally:
        await db.close()


def _summing_up(connection: Connection, count: int) -> bool:
    found = connection.execute(select(func.count()).select_from(memory)).scalar_one()
    return found < count or jobs.count_open(connection, COMPRESS) > 0


async def _run_until(here: Stage, at: Point, scenario: Scenario) -> bool:
    points, asked = Points(), False
    async with here.probed() as following:
        while True:
            report = await next_report(following, scenario.silent if asked else QUIET)
            if report is None and asked:
                return False
            if report is None:
                asked = _ask(here, scenario)
            elif asked and at in points.note(report):
                await here.process.kill()
                return True


def _acted(here: Stage) -> Counter[str]:
    """How often each effect happened, those of commands in work folders included."""
    files = here.process.home.glob("workspace/people/*/ran.txt")
    return here.acted() + Counter(line for file in files for line in file.read_text().splitlines())


def _judge(here: Stage, expected: list[str], done: Counter[str], scenario: Scenario) -> list[str]:
    wrong: list[str] = []
    texts = _answers(here)
    acted = _acted(here)
    requests = len(here.models.log)
    wrong += [f"{effect} was done {acted[effect]} times" for effect in scenario.effects if acted[effect] > 1]
    if scenario.looks and not 0 < acted["look n1"] <= 2:  # once, and once more if it was interrupted
        wrong.append(f"looked {acted['look n1']} times")
    if requests > 3 + len(scenario.sentences):  # two, and one more if its answer was lost; one for a sentence
        wrong.append(f"{requests} model calls")
    plain = [text.partition(MARK)[0] for text in texts]
    marked = sum(MARK in text for text in texts)
    doubled = sum((Counter(plain) - Counter(set(plain))).values())
    if marked > 1 or doubled > marked:
        wrong.append(f"{doubled} parts doubled, {marked} marked")
    if list(dict.fromkeys(plain)) != expected:
        unknown = any(scenario.unknown in text for text in texts)
        if not unknown:
            wrong.append(f"the answer is {[text[:40] for text in plain]}")
        if unknown and any(done[effect] for effect in scenario.effects) and len(set(plain)) < len(expected):
            wrong.append("the answer is incomplete")
    else:
        wrong += [f"{effect} got lost" for effect in scenario.effects if not acted[effect]]
    return wrong


def _answers(here: Stage) -> list[str]:
    """What the bot said, but for questions, what they were edited to, and what a press that came twice was told."""
    said = [text for text in here.texts(CHAT) if not text.startswith(SHOWN) and ALREADY not in text]
    return [TIMING.sub("a moment", text.replace(str(here.effects), "EFFECTS")) for text in said]


async def test_every_point(new_database: Callable[[str], str], tmp_path: Path) -> None:
    """R-CV-7: wherever the process dies, the person has one whole answer and no effect happened twice."""
    await _die_everywhere(new_database, tmp_path, PLAIN, parts=3)


async def test_every_point_of_an_approved_call(tmp_path: Path) -> None:
    """R-PO-2: wherever the process dies, what was approved is done once, or told as unknown, and never twice."""
    await _die_everywhere(lambda name: f"sqlite:///{tmp_path}/{name}.db", tmp_path, APPROVED, parts=1)


async def test_points_of_solving(tmp_path: Path) -> None:
    """R-SU-2: wherever the process dies, a command that was approved once runs once, or is told as unknown."""
    await _die_everywhere(lambda name: f"sqlite:///{tmp_path}/{name}.db", tmp_path, SOLVED, parts=3)


async def test_points_of_remembering(new_database: Callable[[str], str], tmp_path: Path) -> None:
    """R-ME-3: wherever the process dies while an exchange becomes a sentence, there is that sentence, once."""
    await _die_everywhere(new_database, tmp_path, REMEMBERED, parts=2)


async def test_points_of_an_approved_command(
    new_database: Callable[[str], str], tmp_path: Path, require: Require
) -> None:
    """R-PO-2: wherever the process dies, a command that was approved runs once, or is told as unknown; never twice."""
    found = await Bubblewrap().check()
    require(f"a working bubblewrap ({found.detail})", "apt install bubblewrap libseccomp2", found=found.works)
    await _die_everywhere(new_database, tmp_path, COMMANDED, parts=1)


def _sampled(points: list[Point], most: int, *, other: bool) -> list[Point]:
    """About so many of them, evenly spread; the other ones for the other database."""
    step = max(1, len(points) // most) if most else 1
    return points[step // 2 if other else 0 :: step]


async def _die_everywhere(
    new_database: Callable[[str], str], tmp_path: Path, scenario: Scenario, *, parts: int
) -> None:
    points, expected = await unkilled(tmp_path / "unkilled", new_database("unkilled"), scenario)
    assert len(expected) == parts, "the answer is whole"
    assert len(points) > 20, "the turn has its commits"
    points = _sampled(points[-scenario.last :], scenario.sample, other=new_database("").startswith("postgresql"))
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, point: Point) -> list[str]:
        async with gate:
            return await killed(tmp_path / str(number), new_database(str(number)), point, expected, scenario)

    found = await asyncio.gather(*(one(number, point) for number, point in enumerate(points)))
    wrong = [text for texts in found for text in texts]
    missed = [text for text in wrong if text.endswith("not reached")]
    assert wrong == missed
    most = len(points) // (4 if scenario.sample else 10)  # of a sample, one or two are many
    assert len(missed) <= most, "nearly every point was killed at"
