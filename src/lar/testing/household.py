"""A whole Lar without a vendor and without a model: the real heart between a fake channel and a scripted runtime."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, select

from lar.channels.contract import Channel
from lar.conversations.agents import Agent, Agents, Profile
from lar.conversations.commands import ANNOUNCE, Facts
from lar.conversations.deliverer import Deliverer
from lar.conversations.driver import Prompting, Surroundings, TurnHandler
from lar.conversations.inbox import Inbox
from lar.conversations.lane import TURN, whose
from lar.conversations.menu import MenuHandler
from lar.conversations.pending import HINT, HintHandler
from lar.conversations.presence import Presence
from lar.conversations.problems import Problems
from lar.conversations.remembered import compacted
from lar.conversations.settings import ConversationSettings
from lar.conversations.speaking import SPEAK, SpeakHandler, Speech
from lar.conversations.work import Work
from lar.domain.conversation import Conversation
from lar.domain.inbound import Inbound, Text
from lar.domain.job import Job, JobState
from lar.domain.memory import Owner
from lar.domain.principal import Principal
from lar.domain.turn import Limits
from lar.engine.contract import Handler, Journal
from lar.engine.engine import Engine
from lar.engine.settings import EngineSettings
from lar.errors import StoreError
from lar.media.intake import Intake
from lar.memory.compressing import KIND as COMPRESS
from lar.memory.digests import KIND as DIGEST
from lar.memory.files import WorkspaceFiles
from lar.memory.recall import Recall
from lar.memory.remembering import Remembering
from lar.memory.settings import MemorySettings
from lar.operations.maintenance import of_memory
from lar.operations.settings import SupportSettings
from lar.operations.solve import solve_agent
from lar.policy.access import AccessRules
from lar.policy.gate import Gate
from lar.providers.asking import Ask, PaidAsk
from lar.providers.contract import Input
from lar.runtimes.contract import Finished, TurnRequest
from lar.schedules.clockwork import FIRING
from lar.schedules.settings import ScheduleSettings
from lar.schedules.timekeeping import House, Timekeeping, nothing_asked_for
from lar.store import deliveries, jobs, schedules, turns
from lar.store.backend import Unit
from lar.store.database import Database
from lar.store.schema import job
from lar.store.settings import StoreSettings
from lar.testing.channel import Chat, FakeChannel
from lar.testing.clock import FakeClock
from lar.testing.runtime import ScriptedRuntime
from lar.tools.contract import Toolbox, ToolContext
from lar.tools.execute import Registry, TurnTools
from lar.tools.workspace import Uploads, Workspace

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 10.0
"""Seconds of real time until a condition that does not come true fails the test."""


class FaultyDatabase(Database):
    """A `Database` that fails when told to: all of it, or the next units of a name."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__(settings)
        self.broken = False
        self._failing: dict[str, list[bool]] = {}
        self.failed: list[str] = []
        self.done: set[str] = set()
        """The names of what was read."""

    def fail(self, unit: str, times: int = 1, *, after: int = 0) -> None:
        """Writes of the function with this name fail so often, after some that succeed; nothing of them is kept."""
        self._failing[unit] = [False] * after + [True] * times

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As it should, or not."""
        name = Unit(fn, args, kwargs).name
        planned = self._failing.get(name)
        if self.broken or (planned and planned.pop(0)):
            self.failed.append(name)
            raise StoreError("the disk is full")
        return await super().write(fn, *args, **kwargs)

    async def read(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As it should, or not."""
        if self.broken:
            raise StoreError("the disk is gone")
        found = await super().read(fn, *args, **kwargs)
        self.done.add(Unit(fn, args, kwargs).name)
        return found


@dataclass(frozen=True)
class Plan:
    """How a household is furnished. An empty `url` is a SQLite file in `folder`."""

    folder: Path
    url: str = ""
    rules: AccessRules = field(
        default_factory=lambda: AccessRules(users=frozenset({"1", "2"}), admins=frozenset({"9"}))
    )
    settings: ConversationSettings = field(default_factory=ConversationSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    limits: Limits = field(default_factory=Limits)
    registry: Registry = field(default_factory=lambda: Registry(()))
    window: int = 20
    keep: int | None = None
    intake: Intake | None = None
    takes: frozenset[Input] = frozenset({"image", "audio", "document"})
    memory: MemorySettings | None = None
    """None: a plain window of messages, and no workspace files."""
    ask: Ask | None = None
    """The model that sums up."""
    time_zone: str = "UTC"
    silent_channels: bool = False
    """Without the channel: a process whose configuration does not have it."""
    solver: PaidAsk | None = None
    """The model of `/solve`; None: there is none."""
    support: SupportSettings = field(default_factory=SupportSettings)
    speech: Speech = field(default_factory=Speech)
    schedules: ScheduleSettings = field(default_factory=ScheduleSettings)
    asked_for: Callable[[Owner], Awaitable[bool]] = nothing_asked_for
    """Whether somebody wrote down what a heartbeat should look after."""
    schedule_tools: bool = False
    """With the tools for schedules."""


class Household:
    """Database, engine, inbox, deliverer and presence, with doubles at both ends and a clock of their own.

    Wall time stands still but for `advance`, which lets every timer of the event loop that falls due go off.
    """

    def __init__(self, plan: Plan, channel: FakeChannel | None = None, runtime: ScriptedRuntime | None = None) -> None:
        self.plan = plan
        self.channel = channel or FakeChannel()
        self.runtime = runtime or ScriptedRuntime()
        self.clock = FakeClock()
        self.problems = Problems()
        self.db = FaultyDatabase(StoreSettings(url=plan.url or f"sqlite:///{plan.folder / 'lar.db'}", patience=1.0))
        where = (self.channel.manifest.name, self.channel.account)
        channels: Mapping[tuple[str, str], Channel] = {} if plan.silent_channels else {where: self.channel}
        accounts = {where: plan.rules}
        self.house = House(
            plan.time_zone,
            plan.settings.default_language,
            self.clock,
            accounts,
            plan.asked_for,
            plan.folder / "runbooks",
            problems=self.problems,
            files=lambda person: plan.folder / str(person),
        )
        self.time = Timekeeping(self.db, plan.schedules, self.house)
        registry = Registry((*plan.registry.tools, *self.time.tools)) if plan.schedule_tools else plan.registry
        main = Agent("main", "scripted", self.runtime, limits=plan.limits, registry=registry)
        self.agents = Agents({"main": main}, "main", self._solver(plan))
        self.remembering = Remembering(
            self.db, plan.ask, plan.memory or MemorySettings(style="window"), plan.time_zone, self.clock, compacted
        )
        self.time.employ(of_memory(self.remembering, 0.0))
        self.facts = Facts(
            "1.2.3",
            self.clock(),
            self.problems,
            {"main": "scripted"},
            "main",
            solves=plan.solver is not None,
            compact=self.remembering.compact,
            speech=plan.speech,
            time=self.time.reminders,
        )
        self.inbox = Inbox(self.db, accounts, plan.settings, self.facts, self.clock)
        self.prompting = self._prompting(plan)
        self.presence = Presence(self.db, channels)
        self.deliverer = Deliverer(self.db, channels, self.problems, self.clock, plan.settings.default_language)
        self.menus = MenuHandler(self.db, channels, accounts, self.clock)
        self.turns = TurnHandler(
            Surroundings(
                db=self.db,
                channels=channels,
                agents=self.agents,
                settings=plan.settings,
                prompting=self.prompting,
                files=plan.folder / "files",
                clock=self.clock,
                ticks=self._ticks,
                save_upload=Uploads(Workspace(plan.folder / "workspace"), "uploads").save,
                intake=plan.intake,
            ),
            self.presence,
        )
        hints = HintHandler(plan.settings, self.clock)
        handlers: dict[str, Handler] = {
            TURN: self.turns,
            ANNOUNCE: self.menus,
            HINT: hints,
            SPEAK: SpeakHandler(self.db, plan.speech, plan.folder / "files", "en", self.clock),
            **self.remembering.handlers,
            **self.time.handlers,
        }
        self.engine = Engine(self.db, handlers, plan.engine, self.clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._skipping, self._skipped = False, 0.0

    def _prompting(self, plan: Plan) -> Prompting:
        def profile(_agent: Agent, conversation: Conversation) -> Profile:
            return Profile(conversation.model, plan.takes)

        if plan.memory is None:
            return Prompting(Recall(plan.window), _system, _toolbox, plan.keep, profile=profile, answered=self._speak)
        files = WorkspaceFiles(Workspace(plan.folder / "workspace"), plan.memory.file_chars)

        async def read(turn: Job) -> Sequence[tuple[str, str]]:
            owner = whose(turn.payload)
            return files.read(owner, heartbeat=bool(turn.payload.get("heartbeat"))) if owner else ()

        def answered(connection: Connection, work: Work) -> None:
            self.remembering.compressor.answered(connection, work.conversation.id, work.history)
            self._speak(connection, work)

        return Prompting(self.remembering.recall, _system, _toolbox, plan.keep, read, profile, answered)

    def _speak(self, connection: Connection, work: Work) -> None:
        self.plan.speech.answered(connection, work, self.clock())

    # ---- coming and going

    async def open(self) -> None:
        """Open the database and nothing else."""
        await self.db.open()

    def work(self) -> None:
        """Begin to do turns."""
        self._tasks.append(asyncio.create_task(self.engine.run()))
        self._tasks.append(asyncio.create_task(self.time.clockwork.run()))

    def deliver(self) -> None:
        """Begin to send."""
        self._tasks.append(asyncio.create_task(self.deliverer.run()))

    async def start(self) -> None:
        """Begin with everything, as an app does."""
        await self.open()
        self.deliver()
        await self.until(lambda: self.plan.silent_channels or deliveries.waiting.__name__ in self.db.done)
        await self.presence.sweep()
        self.work()

    async def stop(self) -> None:
        """Stop in good order."""
        await self._cancel()
        await self.presence.close()
        await self.db.close()

    async def crash(self) -> None:
        """Die: nothing more is written. What was committed is all the next household finds."""
        self.db.broken = self.channel.unplugged = True
        dying = asyncio.create_task(self.stop())
        while not dying.done():  # what is given time to end has none
            await self._skip(60)
            await asyncio.sleep(0.001)
        await dying
        self.channel.unplugged = False

    async def again(self, **changes: object) -> "Household":
        """The next process: same home, same chat on the other side; started."""
        following = Household(replace(self.plan, **changes), self.channel, ScriptedRuntime())  # pyright: ignore[reportArgumentType]  # fields of Plan
        following.clock.set(self.clock())
        await following.start()
        return following

    async def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    # ---- talking

    async def hear(self, *updates: Inbound) -> None:
        """Hand updates in as one batch."""
        await self.inbox.accept(updates)

    async def say(self, *texts: str | Text, chat: Chat | None = None) -> None:
        """One message after the other from somebody (by default user 1 in private), each a batch of its own."""
        somebody = chat or self.channel.chat()
        for text in texts:
            await self.hear(somebody.says(text))

    def hang(self) -> asyncio.Event:
        """Let the next turn hang until the event that comes back is set; it answers "done" then."""
        held = asyncio.Event()
        self.runtime.then(held, Finished("done"))
        return held

    def stubborn(self) -> asyncio.Event:
        """Let the next turn hang, and not end when it is cancelled, until the event that comes back is set."""
        released = asyncio.Event()

        async def hold(_request: TurnRequest) -> None:
            while not released.is_set():
                with suppress(asyncio.CancelledError):
                    await released.wait()

        self.runtime.then(hold, Finished("done"))
        return released

    async def ask(self, text: str | Text, chat: Chat | None = None) -> str:
        """Say something, and wait for what arrives next in that chat."""
        somebody = chat or self.channel.chat()
        before = len(self.channel.texts(somebody.chat))
        await self.say(text, chat=somebody)
        await self.until(lambda: len(self.channel.texts(somebody.chat)) > before)
        return self.channel.texts(somebody.chat)[before]

    # ---- waiting

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until this is true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"it never came true; sent: {self.channel.texts()}, ran: {self.runtime.log}")
            await asyncio.sleep(0.001)

    async def until_stored(self, condition: Callable[[Connection], object]) -> None:
        """Wait until this is true of the database."""
        deadline = time.monotonic() + PATIENCE
        while not await self.db.read(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(f"it was never stored; sent: {self.channel.texts()}, ran: {self.runtime.log}")
            await asyncio.sleep(0.001)

    async def quiet(self, passing: float = 0) -> None:
        """Wait until no turn and no other job is open, every part has left, and presence is done.

        `passing` is how many seconds pass whenever there is still something to wait for.
        """
        deadline = time.monotonic() + PATIENCE
        while await self.db.read(_open_work):
            await self.advance(passing)
            if time.monotonic() > deadline:
                raise TimeoutError(f"it never became quiet; sent: {self.channel.texts()}, ran: {self.runtime.log}")
            await asyncio.sleep(0.001)
        await self.presence.close()

    async def remember(self, passing: float = 30.0) -> None:
        """Let time pass until every exchange and every day that is due is summed up."""
        await self.quiet(passing)
        deadline = time.monotonic() + PATIENCE
        await self.advance(passing)
        while await self.db.read(_memory_work, self.clock()):
            if time.monotonic() > deadline:
                raise TimeoutError("it was never summed up")
            await asyncio.sleep(0.001)

    async def advance(self, seconds: float) -> None:
        """Let time pass: the clock moves, and timers of the event loop that fall due go off."""
        self.clock.advance(seconds)
        await self._skip(seconds)

    async def _skip(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if not self._skipping:  # once: a clock around a clock around a clock would grow without end
            self._skipping, real = True, loop.time
            loop.time = lambda: real() + self._skipped
        self._skipped += seconds
        for _ in range(3):
            await asyncio.sleep(0)

    def _solver(self, plan: Plan) -> Mapping[str, Agent]:
        if plan.solver is None:
            return {}
        agent, _ = solve_agent(self.db, plan.solver, plan.folder, plan.support)
        return {agent.name: agent}

    def _ticks(self) -> float:
        return asyncio.get_running_loop().time()


@asynccontextmanager
async def living(plan: Plan) -> AsyncGenerator[Household]:
    """A household that runs, and is stopped in the end."""
    household = Household(plan)
    await household.start()
    try:
        yield household
    finally:
        with suppress(StoreError):
            await household.stop()


def _open_work(connection: Connection) -> int:
    parts = deliveries.counts(connection)
    open_parts = parts.get("pending", 0) + parts.get("sending", 0)
    others = sum(jobs.count_open(connection, kind) for kind in (ANNOUNCE, SPEAK))
    return turns.count_open(connection) + others + open_parts


def _memory_work(connection: Connection, now: float) -> bool:
    """Whether something is to be summed up by now."""
    waits = schedules.next_due(connection)
    if waits is not None and waits <= now:
        return True
    due = select(job.c.id).where(
        job.c.kind.in_((COMPRESS, DIGEST, FIRING)),
        job.c.state.in_((JobState.QUEUED, JobState.RUNNING, JobState.WAITING)),
        job.c.run_at <= now,
    )
    return connection.execute(due.limit(1)).first() is not None


def _system(agent: Agent, conversation: Conversation, principal: Principal) -> str:
    return f"{agent.name} serves {principal.name} in thread {conversation.thread_number}"


async def _toolbox(agent: Agent, caller: ToolContext, journal: Journal) -> Toolbox:
    return TurnTools(await agent.registry.for_turn(journal), caller, journal, Gate())
