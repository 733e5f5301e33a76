"""R-SU-1: from a logged exception to a report, an analysis, and one notice to the admins."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Connection, select

from lar.conversations import admins, solving
from lar.conversations.admins import Telling
from lar.conversations.problems import Report
from lar.domain.conversation import Address, Place
from lar.domain.ids import JobId, PrincipalId
from lar.domain.principal import Principal, Role
from lar.engine.engine import Engine
from lar.engine.settings import EngineSettings
from lar.errors import StoreError, ThinkingError
from lar.operations import reporting
from lar.operations.logging import set_up
from lar.operations.plans import Planner
from lar.operations.reporting import Reporter
from lar.operations.reports import ReportFolder
from lar.operations.settings import LoggingSettings
from lar.operations.triage import KIND, TriageHandler
from lar.policy.access import AccessRules
from lar.store import conversations, people
from lar.store.database import notify
from lar.store.schema import delivery, job, turn
from lar.store.settings import StoreSettings
from lar.testing.clock import FakeClock
from lar.testing.household import FaultyDatabase

ACCOUNT = ("telegram", "main")
RULES = AccessRules(users=frozenset({"1"}), admins=frozenset({"9"}))
QUIET = LoggingSettings(stderr=False, file=False)
log = structlog.get_logger("lar.somewhere")


@dataclass
class Desk:
    """Reporter, triage and engine, with a model that says what it is told to."""

    folder: Path
    db: FaultyDatabase
    clock: FakeClock = field(default_factory=FakeClock)
    asked: list[str] = field(default_factory=list[str])
    answer: str | Exception = "The pump is stuck. Oil it."
    plan: str | Exception = ""
    """What a model answers that is asked for a plan; empty: none is asked."""

    def __post_init__(self) -> None:
        """Put it together."""
        self.reports = ReportFolder(self.folder)
        telling, planner = Telling({ACCOUNT: RULES}), Planner(self.solve, 8, 60.0, "here") if self.plan else None
        self.triage = TriageHandler(self.reports, self.ask, telling, 600.0, self.clock, planner)
        self.reporter = Reporter(self.reports, self.db, self.triage.found, self.clock)
        self.engine = Engine(self.db, {KIND: self.triage}, EngineSettings(), self.clock)

    async def ask(self, _system: str, prompt: str, /) -> str:
        """The model."""
        self.asked.append(prompt)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def solve(self, _system: str, prompt: str, /) -> str:
        """The model that plans."""
        self.asked.append(prompt)
        if isinstance(self.plan, Exception):
            raise self.plan
        return self.plan

    async def texts(self) -> list[str]:
        """What is on its way to people."""
        rows = await self.db.read(lambda c: c.execute(delivery.select().order_by(delivery.c.id)).all())
        return [row.part["text"] for row in rows]

    async def jobs(self) -> list[str]:
        """The states of all jobs."""
        rows = await self.db.read(lambda c: c.execute(job.select().order_by(job.c.id)).all())
        return [row.state for row in rows]

    async def until(self, condition: Callable[[], Awaitable[object]]) -> None:
        """Wait until this gives something true."""
        async with asyncio.timeout(10):
            while not await condition():  # noqa: ASYNC110  # what the database tells sets no event
                await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logs go where the process's go, and rounds follow each other quickly."""
    monkeypatch.setattr(reporting, "PAUSE", 0.001)
    before = structlog.get_config()
    set_up(QUIET, None, ())
    yield
    structlog.configure(**before)


@asynccontextmanager
async def at_work(desk: Desk) -> AsyncGenerator[None]:
    """Reporter and engine run."""
    with desk.reporter.listening():
        tasks = [asyncio.create_task(work()) for work in (desk.reporter.run, desk.engine.run)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk whose admin has written before."""
    db = FaultyDatabase(StoreSettings(url=f"sqlite:///{tmp_path}/lar.db"))
    await db.open()
    eve = Principal(PrincipalId(0), "Eve", Role.ADMIN, "en")
    await db.write(people.add, *ACCOUNT, "9", eve, 1.0)
    await db.write(people.add, *ACCOUNT, "8", Principal(PrincipalId(0), "Old", Role.ADMIN, "en"), 1.0)
    yield Desk(tmp_path / "reports", db)
    await db.close()


def fail(event: str = "tool failed", **given: object) -> None:
    """Something nobody expected is logged."""
    try:
        raise ValueError("boom")  # noqa: TRY301  # to have a trace
    except ValueError:
        log.exception(event, **given)


async def test_an_exception_is_written_analysed_and_told_once(desk: Desk) -> None:
    """R-SU-1: the report has its analysis, the admin one notice with path and sentence, however often it fails."""
    async with at_work(desk):
        fail(tool="pump")
        await desk.until(desk.texts)
        for _ in range(5):
            fail(tool="pump")
        await desk.until(lambda: asyncio.to_thread(lambda: desk.reports.latest()[0].times == 6))
    assert await desk.texts() == [
        "⚠️ tool failed: ValueError\nThe pump is stuck.\nReport: files/admin/error_reports/2023-11-14T22-13-20Z.md"
    ]
    assert await desk.jobs() == ["done"]
    [report] = desk.reports.latest()
    assert "## Analysis\n\nThe pump is stuck. Oil it.\n" in desk.reports.text(report.name)
    assert "ValueError: boom" in desk.asked[0]


async def test_notices_are_rare(desk: Desk) -> None:
    """R-SU-1: what fails soon after a notice is told of in one sentence, when the time has come."""
    async with at_work(desk):
        fail("first")
        await desk.until(desk.texts)
        fail("second")
        fail("third")

        async def all_seen() -> bool:
            return (await desk.jobs()).count("done") == 3

        await desk.until(all_seen)
        assert len(await desk.texts()) == 1
        desk.clock.advance(600)
        await desk.db.write(notify, "jobs")

        async def both() -> bool:
            return len(await desk.texts()) == 2

        await desk.until(both)
    assert "2 more error reports" in (await desk.texts())[1]
    assert len(desk.asked) == 3


async def test_the_notification_chat_is_told_instead(desk: Desk) -> None:
    """R-SU-3: once there is a notification chat, it is told and nobody in private; if it is closed, admins are."""
    group = Address(*ACCOUNT, "-5")
    await desk.db.write(admins.set_notify_chat, group)
    here = await desk.db.write(conversations.ensure, group, Place.GROUP, "", 1.0)
    telling = Telling({ACCOUNT: RULES}, Address(*ACCOUNT, "-6"))
    assert [chat.id for chat, _ in await desk.db.write(telling.chats, 1.0)] == [here.id]
    await desk.db.write(conversations.set_gone, *ACCOUNT, "-5", gone=True)
    assert [chat.address.chat for chat, _ in await desk.db.write(telling.chats, 1.0)] == ["9"]
    assert await desk.db.write(admins.drop_notify_chat)
    assert [chat.address.chat for chat, _ in await desk.db.write(telling.chats, 1.0)] == ["-6"]


@pytest.mark.parametrize("error", [ThinkingError("quota", "used up"), RuntimeError("x")])
async def test_without_an_analysis_the_admin_is_told_all_the_same(desk: Desk, error: Exception) -> None:
    """R-SU-1: a model that is out of reach takes nothing away from report and notice."""
    desk.answer = error
    desk.engine = Engine(desk.db, {KIND: desk.triage}, EngineSettings(max_failures=1), desk.clock)
    async with at_work(desk):
        fail()
        await desk.until(desk.texts)
    assert len(await desk.texts()) == 1
    assert "Analysis" not in desk.reports.text(desk.reports.latest()[0].name)


async def test_a_quota_is_not_analysed(desk: Desk) -> None:
    """R-SU-1: an error that a used-up quota explains costs no model call."""
    async with at_work(desk):
        try:
            raise ThinkingError("quota", "used up")  # noqa: TRY301  # to have a trace
        except ThinkingError:
            log.exception("tool failed")
        await desk.until(desk.texts)
    assert desk.asked == []


async def test_triage_does_not_look_into_itself(desk: Desk) -> None:
    """R-SU-1: a failing triage is written down, and starts no other."""
    await desk.db.write(desk.triage.found, Report("x.md", "t", "f", 1, 1.0, job=KIND))
    assert await desk.jobs() == []


async def test_floods_and_full_disks_hurt_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SU-1: whoever logs goes on: when reports are many, when none can be written, when no one listens."""
    fail("nobody listens")
    for number in range(3 * reporting.NEW_PER_HOUR):
        with desk.reporter.listening():
            fail(f"event {number}")
    async with at_work(desk):
        await desk.until(lambda: asyncio.to_thread(lambda: len(desk.reports.latest()) == reporting.NEW_PER_HOUR))

    def full(*_arguments: object, **_named: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    desk.clock.advance(3601)
    async with at_work(desk):
        fail("the disk is full")
        await desk.until(lambda: asyncio.sleep(0, not desk.reporter._waiting))  # pyright: ignore[reportPrivateUsage]  # what waits
    assert len(desk.reports.latest()) == reporting.NEW_PER_HOUR


async def test_what_was_said_is_not_known(desk: Desk) -> None:
    """R-SU-1: where the database cannot tell what people said, no message of an exception is written down."""

    async def broken(*_arguments: object) -> None:
        raise StoreError("away")

    desk.db.read = broken
    async with at_work(desk):
        fail(turn=5)
        await desk.until(lambda: asyncio.to_thread(desk.reports.latest))
    text = desk.reports.text(desk.reports.latest()[0].name)
    assert "boom" not in text.partition("## Trace")[2].partition("raise")[0]


def test_which_lines_are_heard(desk: Desk) -> None:
    """R-SU-1: an exception of ours from warning on, of others from error on; and nothing without an exception."""
    error = ValueError("x")
    with desk.reporter.listening():
        log.warning("ours", exc_info=error)
        log.error("no exception")
        log.info("mild", exc_info=error)
        logging.getLogger("vendor").warning("mild", exc_info=error)
        logging.getLogger("vendor").error("theirs %s", "text", exc_info=error)
        logging.getLogger(reporting.__name__).error("itself", exc_info=error)
    assert [found.event for found in desk.reporter._waiting] == ["ours", "vendor"]  # pyright: ignore[reportPrivateUsage]  # what waits


def test_a_line_that_cannot_be_understood_hurts_nobody(desk: Desk) -> None:
    """R-SU-1: an exception that cannot even be shown is left to the log."""

    class Odd(Exception):  # odd
        @property
        def kind(self) -> str:
            raise RuntimeError("no")

    with desk.reporter.listening():
        log.error("odd", exc_info=Odd())
        log.error("even", exc_info=ValueError())
    assert [found.event for found in desk.reporter._waiting] == ["even"]  # pyright: ignore[reportPrivateUsage]  # what waits


PLAN = '{"says": "Oil helps.", "commands": [{"command": "oil --pump", "purpose": "oil it"}]}'


async def buttons(desk: Desk) -> list[list[str]]:
    """The data of the buttons of every part on its way."""
    rows = await desk.db.read(lambda c: c.execute(delivery.select().order_by(delivery.c.id)).all())
    return [[button["data"] for row in part.part.get("buttons", ()) for button in row] for part in rows]


async def taken_up(desk: Desk, number: int) -> str:
    """Take a proposal up, as the admin in their private chat."""

    def take(connection: Connection) -> str:
        where = conversations.ensure(connection, Address(*ACCOUNT, "9"), Place.PRIVATE, "", 1.0)
        return solving.take_up(connection, where, PrincipalId(1), JobId(number), desk.clock())

    return await desk.db.write(take)


async def test_an_error_proposes_a_plan(desk: Desk) -> None:
    """R-SU-2: the notice shows the plan; its button begins one turn that goes through it, and no second one."""
    desk = Desk(desk.folder, desk.db, plan=PLAN)
    async with at_work(desk):
        fail(tool="pump")
        await desk.until(desk.texts)
    [text], [[data]] = await desk.texts(), await buttons(desk)
    assert "The pump is stuck." in text
    assert "Oil helps.\n1. oil --pump (oil it)\n\nNothing runs before you say yes" in text
    assert "ValueError: boom" in desk.asked[1]
    number = solving.read_press(data)
    assert number is not None
    assert await taken_up(desk, number) == ""
    [(turn_id, agent)] = await desk.db.read(lambda c: c.execute(select(turn.c.id, turn.c.agent)).all())
    assert agent == "/solve"
    kept = await desk.db.read(solving.proposed, turn_id)
    assert kept is not None
    assert kept["plan"]["commands"][0]["command"] == "oil --pump"
    assert await taken_up(desk, number) == "proposal_taken"
    assert await taken_up(desk, 99) == "proposal_gone"


async def test_a_proposal_does_not_last_for_ever(desk: Desk) -> None:
    """R-SU-2: a plan that is days old is not gone through; and none begins beside one that is open."""
    desk = Desk(desk.folder, desk.db, plan=PLAN)
    async with at_work(desk):
        fail("one")
        await desk.until(desk.texts)
        desk.clock.advance(601)
        fail("two")

        async def both() -> bool:
            return len(await desk.texts()) == 2

        await desk.until(both)
    first, second = (solving.read_press(data) for [data] in await buttons(desk))
    assert first is not None
    assert second is not None
    assert await taken_up(desk, first) == ""
    assert await taken_up(desk, second) == "solve_busy"
    desk.clock.advance(solving.PROPOSAL_SECONDS)
    assert await taken_up(desk, second) == "proposal_gone"


@pytest.mark.parametrize("plan", ["no idea", '{"says": "A bug.", "commands": []}', ThinkingError("quota", "used up")])
async def test_no_plan_no_proposal(desk: Desk, plan: str | Exception) -> None:
    """R-SU-2: where the model has no plan, the notice is as it is without."""
    desk = Desk(desk.folder, desk.db, plan=plan)
    async with at_work(desk):
        fail()
        await desk.until(desk.texts)
    assert await buttons(desk) == [[]]
    assert (await desk.texts())[0].count("\n") == 2


async def test_what_proposes_nothing(desk: Desk) -> None:
    """R-SU-2: a quota proposes nothing, what is held back neither, and solving does not propose itself."""
    desk = Desk(desk.folder, desk.db, plan=PLAN)

    def solve(connection: Connection) -> int:
        where = conversations.ensure(connection, Address(*ACCOUNT, "9"), Place.PRIVATE, "", 1.0)
        turn_id = solving.begin(connection, where, PrincipalId(1), "it", 1.0)
        return connection.execute(select(turn.c.job_id).where(turn.c.id == turn_id)).scalar_one()

    solving_job = await desk.db.write(solve)
    async with at_work(desk):
        fail("runtime failed", agent="/solve")
        await desk.until(desk.texts)
        desk.clock.advance(601)
        fail("a job's handler failed", job=solving_job, kind="turn")

        async def told() -> int:
            return len(await desk.texts()) == 2

        await desk.until(told)
        desk.clock.advance(601)
        try:
            raise ThinkingError("quota", "used up")  # noqa: TRY301  # to have a trace
        except ThinkingError:
            log.exception("tool failed")

        async def quota() -> int:
            return len(await desk.texts()) == 3

        await desk.until(quota)
        fail("held back")

        async def held() -> int:
            return len(desk.asked) == 3

        await desk.until(held)

        async def done() -> int:
            return (await desk.jobs()).count("done") == 4

        await desk.until(done)
    assert await buttons(desk) == [[], [], []]
    assert not [prompt for prompt in desk.asked if prompt.startswith("An error report of Lar")]


def test_what_is_no_proposal() -> None:
    """A button that is none of a proposal's, or whose number no database has, is not taken for one."""
    assert [solving.read_press(data) for data in ("q:1:once", "s:", "s:x", "s:" + "9" * 19)] == [None] * 4
