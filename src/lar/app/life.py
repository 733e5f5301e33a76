"""The life of a Lar: what it is made of, how it starts, serves and stops."""

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Self

import structlog

from lar import __version__
from lar.app.thinking import Thinking
from lar.channels.contract import Channel
from lar.channels.telegram.settings import TelegramSettings
from lar.channels.terminal.adapter import TerminalChannel
from lar.channels.terminal.manifest import ACCOUNT as TERMINAL_ACCOUNT
from lar.channels.terminal.manifest import NAME as TERMINAL
from lar.config import Config
from lar.conversations import changed_tools, lane
from lar.conversations.admins import Telling
from lar.conversations.agents import Agent, Agents
from lar.conversations.attachments import SaveUpload
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
from lar.conversations.replay import Replay, replay
from lar.conversations.sending import sending_tools
from lar.conversations.speaking import SPEAK, SpeakHandler, Speech
from lar.conversations.work import Work
from lar.domain.conversation import Conversation
from lar.domain.job import Job
from lar.domain.memory import Owner
from lar.domain.principal import Principal, Role
from lar.domain.values import Clock, JsonObject
from lar.engine.contract import Handler, Journal
from lar.engine.engine import Engine
from lar.errors import ConfigError
from lar.media.camera import Cameras
from lar.media.camera_tools import NAMES as CAMERA_TOOLS
from lar.media.camera_tools import camera_tools
from lar.media.eyes import FileEyes
from lar.media.intake import intake
from lar.media.speech import choose as choose_speaker
from lar.memory.context import system_prompt
from lar.memory.files import HEARTBEAT, WorkspaceFiles
from lar.memory.history import history_tool
from lar.memory.notes import note_tools
from lar.memory.remembering import Remembering
from lar.memory.search import search_tool
from lar.operations import alert as alerting
from lar.operations import home as local
from lar.operations.calls import Operations, Process
from lar.operations.maintenance import Maintenance, of_memory
from lar.operations.plans import Planner
from lar.operations.redaction import Redactor
from lar.operations.reporting import Reporter
from lar.operations.reports import FOLDER as REPORTS
from lar.operations.reports import ReportFolder
from lar.operations.solve import solve_agent
from lar.operations.supervision import Supervisor
from lar.operations.triage import KIND as TRIAGE
from lar.operations.triage import TriageHandler
from lar.policy.access import AccessRules
from lar.policy.gate import Gate
from lar.runtimes.settings import AgentSettings
from lar.sandboxes.choose import Chooser, backend
from lar.schedules.timekeeping import House, Timekeeping
from lar.store.backend import Probe
from lar.store.database import Connection, Database
from lar.store.mcp import Change
from lar.tools.artifacts import Artifacts
from lar.tools.asking import ask_person
from lar.tools.browser.browsers import Browsers
from lar.tools.browser.tools import browser_tools
from lar.tools.calculator import calculator_tool
from lar.tools.clock import clock_tool
from lar.tools.commands import Commands
from lar.tools.contract import Tool, ToolContext
from lar.tools.execute import Registry, TurnTools
from lar.tools.fetch import http_tool
from lar.tools.files import file_tools
from lar.tools.mcp.server import Around
from lar.tools.mcp.servers import McpServers
from lar.tools.origins import remembering
from lar.tools.outside import Outside
from lar.tools.python import python_tools
from lar.tools.shell import shell_tool
from lar.tools.silence import stay_silent
from lar.tools.workspace import Uploads, Workspace

log = structlog.get_logger(__name__)

PARTS = frozenset({"gateway", "worker", "web"})
"""What `lar run --only` may name: where people talk; what does the turns; the HTTP server."""

WEB_WAITS, WARMING_WAITS = 2.0, 5.0
"""Seconds the large imports wait at most for Telegram, so that the first poll comes first."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a test or a benchmark puts into an otherwise ordinary Lar."""

    tools: tuple[Tool, ...] = ()
    probe: Probe | None = None
    clock: Clock = time.time
    ticks: Clock = time.monotonic


class App:
    """A Lar, built from its configuration: `async with` opens its database, `run` serves."""

    def __init__(self, config: Config, extras: Extras = Extras()) -> None:  # frozen
        self.config = config
        self.clock = extras.clock
        self._started_at = extras.clock()
        self.problems = Problems()
        self.db = Database(config.database, probe=extras.probe)
        self.terminal = TerminalChannel()
        self.channels: dict[tuple[str, str], Channel] = {(TERMINAL, TERMINAL_ACCOUNT): self.terminal}
        self.rules = {(TERMINAL, TERMINAL_ACCOUNT): AccessRules(local=Role.ADMIN)}
        self.webhooks: dict[str, Callable[[Mapping[str, str], bytes], Awaitable[int]]] = {}
        self._files = config.home / "files"
        self._receiving = asyncio.Event()
        self._polls = bool(config.channels.telegram.bot_token)
        self._closing: list[Callable[[], Awaitable[None]]] = []
        if self._polls:
            self._add_telegram(config.channels.telegram)
        self._thinking = Thinking(config, self.db, self._telling(), self.clock)
        self._solver = self._build_solver()
        self._workspace = Workspace(config.home / Path(config.tools.files.root_dir).expanduser())
        self._artifacts = Artifacts(self.db, self._files, self.clock, config.tools.artifacts)
        self.servers = McpServers(
            config.tools.mcp,
            Around(
                self.db,
                self._artifacts.keep,
                self.problems.report,
                config.home / "mcp",
                extras.ticks,
                self._ask_about_tools,
            ),
        )
        self._runs_commands = config.tools.shell.enabled or config.tools.python_exec.enabled
        self.sandboxes = Chooser(config.sandbox, self.problems.report, partial(backend, home=config.home))
        self.time = Timekeeping(self.db, config.schedules, self._house())
        self.webhooks |= self.time.hooks
        self.browsers = Browsers(config.tools.browser, Outside(config.tools.network))
        self._speech = self._build_speech()
        self.agents = self._build_agents(extras.tools)
        memory = config.memory
        self.remembering = Remembering(
            self.db,
            self._thinking.asker("summary", memory.summary_max_output_tokens),
            memory,
            config.tools.time_zone,
            self.clock,
            compacted,
        )
        self._remembered_files = WorkspaceFiles(self._workspace, memory.file_chars)
        self._prompting = Prompting(
            self.remembering.recall,
            self._system_prompt,
            self._toolbox,
            files=self._workspace_files,
            profile=self._thinking.profile,
            answered=self._answered,
            keep=memory.max_history_messages,
            mode=config.policy.mode,
            ask_seconds=config.policy.ask_minutes * 60,
        )
        self._presence = Presence(self.db, self.channels)
        self.deliverer = Deliverer(
            self.db, self.channels, self.problems, self.clock, config.conversations.default_language
        )
        self.terminal.on_connect(self.deliverer.hurry)
        self._menus = MenuHandler(self.db, self.channels, self.rules, self.clock)
        self._employ()
        self.reports = ReportFolder(self._files / REPORTS, Redactor(config.secrets), config.support.max_reports)
        self._triage = self._build_triage()
        self._reporter = Reporter(self.reports, self.db, self._triage.found, self.clock)
        self.inbox = Inbox(self.db, self.rules, config.conversations, self._facts(), self.clock)
        self.engine = self._build_engine(extras)

    async def __aenter__(self) -> Self:
        """Make the home folder and open the database.

        Raises:
            StoreError: it cannot be used; the message says why.

        """
        local.prepare(self.config.home)
        self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self.db.open()
        await self._thinking.open()
        await self.servers.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give back everything that was opened."""
        await self._presence.close()
        await self.servers.close()
        await self.sandboxes.close()
        await self.browsers.stop()
        for close in self._closing:
            await close()
        await self._thinking.close()
        await self.db.close()

    async def run(self, parts: frozenset[str] = PARTS) -> None:
        """Serve the parts named until cancelled, each supervised by itself."""
        with self._reporter.listening():
            await self._run(parts)

    async def _run(self, parts: frozenset[str]) -> None:
        supervisor = Supervisor(self.problems)
        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.forever("error reports", self._reporter.run))
            if "gateway" in parts:
                group.create_task(supervisor.forever("deliverer", self.deliverer.run))
                for (name, account), channel in self.channels.items():
                    group.create_task(
                        supervisor.forever(f"{name}:{account}", lambda channel=channel: self._receive(channel))
                    )
                group.create_task(supervisor.once("previews", self._presence.sweep))
                group.create_task(supervisor.once("menus", self._menus.changed))
            if "worker" in parts:
                group.create_task(supervisor.forever("engine", self.engine.run))
                group.create_task(supervisor.forever("emergency stop", self._heed_halt))
                group.create_task(supervisor.once("housekeeping", self._keep_house))
                group.create_task(supervisor.forever("schedules", self.time.clockwork.run))
                group.create_task(supervisor.forever("runbooks", self.time.runbooks.run))
                group.create_task(supervisor.forever("arrivals", self.time.arrivals.run))
            if "web" in parts:
                group.create_task(supervisor.forever("web", self._serve_web))
            if "worker" in parts:
                group.create_task(supervisor.once("models", self._warm))
            if "worker" in parts and self._runs_commands:
                group.create_task(supervisor.once("sandbox", self._find_sandbox))

    async def _first_poll(self, seconds: float) -> None:
        """Let Telegram's first poll go before large imports, but do not wait for it for ever."""
        if self._polls:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._receiving.wait()

    async def _warm(self) -> None:
        """Import what models need while nobody waits for it."""
        await self._first_poll(WARMING_WAITS)
        await self._thinking.warm()
        gc.collect()
        gc.freeze()  # what was imported stays: looking through it for garbage is a tenth of a busy turn's CPU
        if not await self.db.read(lane.is_halted):
            self.servers.begin()

    async def _find_sandbox(self) -> None:
        """Try the sandboxes while nobody waits for them; a turn that begins earlier does not wait for the poll."""
        await self._first_poll(WARMING_WAITS)
        await self.sandboxes.watch()

    async def _heed_halt(self) -> None:
        """Whenever everything is stopped, end what runs outside of jobs."""
        halted = asyncio.Event()
        unsubscribe = self.db.subscribe(lane.HALTED, lambda _: halted.set())
        try:
            while True:
                await halted.wait()
                halted.clear()
                await asyncio.gather(self.servers.stop(), self.browsers.stop())
        finally:
            unsubscribe()

    async def _ask_about_tools(self, server: str, changes: Sequence[Change]) -> None:
        """Ask the admins about tools that a server describes anew."""
        if changes or await self.db.read(changed_tools.asked_about, server):
            await self.db.write(changed_tools.ask, self._telling(), server, changes, self.clock())

    async def _serve_web(self) -> None:
        """Serve HTTP, and leave the address for local commands."""
        await self._first_poll(WEB_WAITS)
        await asyncio.to_thread(import_module, "lar.web.server")
        from lar.web.doors import Doors
        from lar.web.server import bind, port_of, serve

        settings, home = self.config.server, self.config.home
        listener = bind(settings)
        operations = Operations(self.db, self.clock, self._process())
        doors = Doors(
            token=local.token(home),
            problems=lambda: self.problems.open,
            call=operations.call,
            chat=self.terminal.serve,
            webhooks=self.webhooks,
        )
        local.announce(home, local.Running(os.getpid(), settings.host, port_of(listener)))
        log.info("listening", host=settings.host, port=port_of(listener))
        try:
            await serve(doors, settings, listener)
        finally:
            local.withdraw(home)

    def _process(self) -> Process:
        minds = self._thinking.minds
        return Process(
            started_at=self._started_at,
            agents={
                name: f"{agent.kind} {self.config.agents[name].model}".strip()
                for name, agent in self.agents.by_name.items()
            },
            channels=tuple(f"{name}:{account}" for name, account in self.channels),
            problems=lambda: self.problems.open,
            resting=lambda: minds.resting(self.config.conversations.default_language),
        )

    async def _receive(self, channel: Channel) -> None:
        await channel.run(self.inbox.accept)

    async def _keep_house(self) -> None:
        await self.db.write(self.time.begin)

    async def replay(self, record: JsonObject) -> Replay:
        """Run a recorded turn again, offline, with today's code and configuration."""
        agent = self.agents.of(str(record["turn"]["agent"]))
        return await replay(record, agent, self._prompting)

    # ---- building

    def _employ(self) -> None:
        """Let maintenance be done by the clock."""
        config, settings = self.config, self.config.schedules.maintenance
        keeper = Maintenance(
            self.db,
            settings,
            config.conversations,
            config.tools.artifacts,
            self._files,
            self.problems.report,
            self._telling(),
            self.clock,
        )
        self.time.employ(keeper.chores())
        self.time.employ(of_memory(self.remembering, settings.jitter_seconds))

    def _add_telegram(self, settings: TelegramSettings) -> None:
        from lar.channels.telegram.adapter import TelegramChannel

        channel = TelegramChannel(
            settings,
            self._files,
            report=lambda sentence: self.problems.report("telegram", sentence),
            ready=self._receiving.set,
        )
        key = (channel.manifest.name, channel.account)
        self.channels[key] = channel
        self.webhooks["/telegram/webhook"] = channel.receive
        self._closing.append(channel.close)
        self.rules[key] = settings.rules()

    def _house(self) -> House:
        return House(
            self.config.tools.time_zone,
            self.config.conversations.default_language,
            self.clock,
            self.rules,
            self._is_asked_for,
            self._workspace.house() / "runbooks",
            frozenset(self.config.agents),
            self.problems,
            alerting.notify_address(self.config.support.notify_chat, self.rules),
            self._workspace.own,
        )

    def _build_agents(self, extra_tools: Sequence[Tool]) -> Agents:
        available = {
            tool.name: tool
            for tool in (
                calculator_tool(self.config.tools.calculator),
                clock_tool(self.clock, self.config.tools.time_zone),
                stay_silent,
                ask_person,
                *note_tools(self.db, self.clock, self.config.memory.page_size),
                history_tool(self.db, self.config.memory.page_size),
                search_tool(self.db, self.config.memory.page_size),
                *sending_tools(self.db, self.rules),
                *remembering(
                    self.db,
                    self._workspace,
                    file_tools(self._workspace, self._artifacts, self.config.tools.files, FileEyes(self.config.media)),
                ),
                http_tool(self.config.tools.http_client, Outside(self.config.tools.network), self._artifacts.keep),
                *self._command_tools(),
                *camera_tools(Cameras(self.config.tools.camera), self._artifacts.keep),
                *browser_tools(self.browsers, self._artifacts.keep),
                *self.time.tools,
                *extra_tools,
            )
        }
        agents = {name: self._build_agent(name, settings, available) for name, settings in self.config.agents.items()}
        return Agents(agents, "main", {agent.name: agent for agent, _ in filter(None, [self._solver])})

    def _build_agent(self, name: str, settings: AgentSettings, available: Mapping[str, Tool]) -> Agent:
        known = {*available, *CAMERA_TOOLS}
        unknown = [tool for tool in settings.tools if tool not in known and not self.servers.serve(tool)]
        if unknown:
            raise ConfigError(f"agents.{name}.tools: there is no tool {unknown[0]!r}; there are {', '.join(available)}")
        tools = (
            [available[tool] for tool in settings.tools if tool in available] if settings.tools else available.values()
        )
        return Agent(
            name,
            settings.runtime or "loop",
            self._thinking.runtime(settings, self._files),
            settings.instructions,
            settings.limits.limits(),
            Registry(tools, partial(self.servers.tools, settings.tools) if self.servers.names else None),
        )

    def _command_tools(self) -> Sequence[Tool]:
        """The tools that run something in the sandbox."""
        settings = self.config.tools
        commands = Commands(
            self.sandboxes, self._workspace, self._artifacts, settings, max_image=self.config.media.max_image_bytes
        )
        shell = (shell_tool(commands, settings),) if settings.shell.enabled else ()
        return (*shell, *(python_tools(commands, settings.python_exec) if settings.python_exec.enabled else ()))

    def _build_engine(self, extras: Extras) -> Engine:
        surroundings = Surroundings(
            db=self.db,
            channels=self.channels,
            agents=self.agents,
            settings=self.config.conversations,
            prompting=self._prompting,
            files=self._files,
            clock=self.clock,
            ticks=extras.ticks,
            save_upload=self._save_upload(),
            intake=intake(
                self.config.media,
                self.config.providers,
                self.config.home,
                self.config.models.transcription,
                self._thinking.till,
            ),
        )
        handlers: dict[str, Handler] = {
            TURN: TurnHandler(surroundings, self._presence),
            ANNOUNCE: self._menus,
            TRIAGE: self._triage,
            HINT: HintHandler(self.config.conversations, self.clock),
            SPEAK: SpeakHandler(
                self.db, self._speech, self._files, self.config.conversations.default_language, self.clock
            ),
            **self.remembering.handlers,
            **self.time.handlers,
        }
        return Engine(self.db, handlers, self.config.engine, self.clock)

    def _save_upload(self) -> SaveUpload | None:
        settings = self.config.tools.files
        return Uploads(self._workspace, settings.uploads_subdir).save if settings.save_incoming_uploads else None

    def _build_speech(self) -> Speech:
        media, model = self.config.media, self.config.models.speech
        speaker = choose_speaker(media, model, self.config.providers, self._thinking.till)
        carriers = frozenset(name for (name, _), each in self.channels.items() if each.manifest.capabilities.voice)
        return Speech(speaker, carriers, media.speech.always, media.speech.max_chars)

    def _build_triage(self) -> TriageHandler:
        settings = self.config.support
        ask = self._thinking.asker("triage", settings.max_output_tokens)
        planner = self._solver[1] if self._solver and settings.propose_solutions else None
        return TriageHandler(self.reports, ask, self._telling(), settings.notice_minutes * 60, self.clock, planner)

    def _build_solver(self) -> tuple[Agent, Planner] | None:
        settings, config = self.config.support, self.config
        ask = self._thinking.asker("solve", settings.max_output_tokens)
        return solve_agent(self.db, ask, config.home, settings, Redactor(config.secrets)) if ask else None

    def _telling(self) -> Telling:
        known = alerting.notify_address(self.config.support.notify_chat, self.rules)
        return Telling(self.rules, known, self.config.conversations.default_language)

    def _facts(self) -> Facts:
        kinds = {name: agent.kind for name, agent in self.agents.by_name.items()}
        mode = self.config.policy.mode
        return Facts(
            __version__,
            self._started_at,
            self.problems,
            kinds,
            self.agents.default,
            mode,
            self.reports,
            self._solver is not None,
            self._thinking.minds,
            self._thinking.spending,
            self.remembering.compact,
            self._speech,
            self.time.reminders,
        )

    def _system_prompt(self, agent: Agent, conversation: Conversation, principal: Principal) -> str:
        return system_prompt(
            base=self.config.memory.system_prompt,
            instructions=agent.instructions,
            person=principal.name,
            place=conversation.place,
            title=conversation.title,
        )

    async def _workspace_files(self, job: Job) -> Sequence[tuple[str, str]]:
        """The workspace files of the turn that a job does; none for one that was queued before there were any."""
        owner = whose(job.payload)
        if owner is None:
            return ()
        heartbeat = bool(job.payload.get("heartbeat"))
        return await asyncio.to_thread(self._remembered_files.read, owner, heartbeat=heartbeat)

    async def _is_asked_for(self, owner: Owner) -> bool:
        """Whether `HEARTBEAT.md` of this person says anything."""
        found = await asyncio.to_thread(self._remembered_files.read, owner, heartbeat=True)
        return any(name == HEARTBEAT for name, _ in found)

    def _answered(self, connection: Connection, work: Work) -> None:
        self.remembering.compressor.answered(connection, work.conversation.id, work.history)
        self._speech.answered(connection, work, self.clock())

    async def _toolbox(self, agent: Agent, caller: ToolContext, journal: Journal) -> TurnTools:
        if self._runs_commands:
            await self.sandboxes.settled()
        gate = Gate(self.config.policy)
        registry = await agent.registry.for_turn(journal)
        return TurnTools(registry, caller, journal, gate, max_result_chars=self.config.tools.max_result_chars)


async def serve(config: Config, *, only: str | None = None) -> None:
    """Run a Lar until cancelled: all of it, or the one part that `only` names (see `PARTS`).

    Raises:
        ConfigError: the configuration cannot be used.
        StoreError: the database cannot be used.

    """
    for warning in config.warnings:
        log.warning(warning)
    async with App(config) as lar:
        await lar.run(frozenset({only}) if only else PARTS)
