"""The driver of a turn: carries out what the turn machine commands, and journals it through the engine."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from sqlalchemy import Connection

from lar.channels.contract import Rendered
from lar.conversations import lane, machine, questions
from lar.conversations.agents import Agent, Agents, Profile
from lar.conversations.attachments import SENT, Fetching, SaveUpload
from lar.conversations.desk import APPROVED_CALL, TurnDesk
from lar.conversations.hearing import Heard, Unrecorded, hear, signs_of_life
from lar.conversations.machine import Crashed, Event, Failed, Finish, Frame, SendNotice, ShowPreview, ShowTyping, Tick
from lar.conversations.presence import Channels, Presence
from lar.conversations.settings import ConversationSettings
from lar.conversations.steering import Joined
from lar.conversations.strings import say
from lar.conversations.work import Reminder, Work, load, pin
from lar.domain.artifact import Outgoing
from lar.domain.conversation import Conversation, Mode
from lar.domain.delivery import OutgoingFile, Part
from lar.domain.ids import ConversationId, MessageId, TurnId
from lar.domain.job import Job
from lar.domain.message import Author, Message
from lar.domain.principal import Principal
from lar.domain.question import Question
from lar.domain.spend import Payer
from lar.domain.turn import TurnState, Usage
from lar.domain.values import Clock
from lar.engine.contract import Done, JobContext, Journal, Outcome, Wait
from lar.errors import EngineError, StoreError, Suspended, ThinkingError
from lar.media.intake import Intake
from lar.memory.context import Sizes
from lar.memory.recall import Recall
from lar.runtimes.contract import ToolEnded, ToolStarted, TurnRequest
from lar.store import deliveries, history, messages, people, turns
from lar.store import events as happened
from lar.store.database import Database
from lar.tools.contract import Toolbox, ToolCall, ToolContext

log = structlog.get_logger(__name__)

RUNTIME_GRACE = 5.0
"""Seconds a runtime has to tidy up when its turn is over; what it still wants to do after that is refused."""

LONG_REPLY = 20_000
"""Replies longer than this (characters) are rendered off the event loop."""


BY_ITSELF = Recall(window=6)
"""How little a heartbeat is reminded of: the last messages."""

ALL_IS_WELL = "HEARTBEAT_OK"
"""What a heartbeat answers that has nothing to say."""


@dataclass(frozen=True, slots=True)
class Prompting:
    """How prompts are made. `recall` is how much of what was said before is in them.

    `keep` is how many messages a conversation keeps at all, None: every one. `mode` is that of a conversation nobody
    set one for; a question stays open for `ask_seconds`. `files` reads the workspace files of the turn a job does,
    `profile` tells of the model that answers, and `answered` is told, in the transaction that ends it, of a turn.
    """

    recall: Recall
    system: Callable[[Agent, Conversation, Principal], str]
    toolbox: Callable[[Agent, ToolContext, Journal], Awaitable[Toolbox]]
    keep: int | None = None
    files: "Callable[[Job], Awaitable[Sequence[tuple[str, str]]]] | None" = None
    profile: Callable[[Agent, Conversation], Profile] = lambda _agent, _conversation: Profile()
    answered: Callable[[Connection, Work], None] = lambda _connection, _work: None
    mode: Mode = Mode.RW
    ask_seconds: float = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a turn needs of Lar.

    `files` is `LAR_HOME/files`; `ticks` is a clock in seconds that never jumps; `save_upload` puts what people send
    among their own files, None: it is not; `intake` looks at it, None: nobody does.
    """

    db: Database
    channels: Channels
    agents: Agents
    settings: ConversationSettings
    prompting: Prompting
    files: Path
    clock: Clock
    ticks: Clock
    save_upload: SaveUpload | None = None
    intake: Intake | None = None


class TurnHandler:
    """Does turns: the engine's handler of jobs of kind "turn"."""

    def __init__(self, surroundings: Surroundings, presence: Presence) -> None:
        self._around = surroundings
        self._presence = presence

    async def run(self, context: JobContext) -> Outcome:
        """Do a turn, or go on with it after a crash."""
        work = await self._work(context)
        if work is None:
            return Done()
        joined = Joined(self._around.db, work, lambda message: self._hear(work, [message], context, Unrecorded()))
        with structlog.contextvars.bound_contextvars(
            turn=work.turn.id, conversation=work.conversation.id, agent=self._around.agents.of(work.turn.agent).name
        ):
            try:
                thought = await self._think(work, context, joined)
                if _looks_by_itself(context.job):
                    thought = replace(thought, finish=worth_saying(thought.finish))
                rendered = await self._render(work, thought.finish.reply)
            except Suspended as waits:
                return Wait(waits.until)
            finally:
                self._presence.end(work)

        def finish(connection: Connection) -> None:
            self._finish(connection, work, thought, rendered, joined)
            if thought.finish.state is TurnState.FAILED:
                leave_event(connection, context.job, work.turn.id, self._around.clock())

        return Done(finish)

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """The engine has tried often enough: say so."""
        turn, _ = turns.by_job(connection, job.id)
        now = self._around.clock()
        turns.end(connection, turn.id, TurnState.FAILED, turn.usage, now, error)
        questions.cancel_turns(connection, [turn.id], now)
        leave_event(connection, job, turn.id, now)
        if _looks_by_itself(job):
            return
        language = people.get(connection, turn.principal_id).language or self._around.settings.default_language
        text = say(language, "failed_unknown", turn=turn.id)
        deliveries.add(connection, turn.conversation_id, [Part(text)], now, turn.id)

    async def _work(self, context: JobContext) -> Work | None:
        """What the turn works on: pinned by the first attempt, read by later ones; None if the turn is over."""
        if context.job.epoch > 1:
            work, over = await self._around.db.read(load, context.job.id)
            if work is not None or over:
                return work
        prompting = self._around.prompting

        def system(conversation: Conversation, principal: Principal) -> str:
            return prompting.system(self._around.agents.of(conversation.agent), conversation, principal)

        def sizes(conversation: Conversation) -> Sizes:
            return prompting.profile(self._around.agents.of(conversation.agent), conversation).sizes

        files = await prompting.files(context.job) if prompting.files is not None else ()
        recall = BY_ITSELF if _looks_by_itself(context.job) else prompting.recall
        reminder = Reminder(system, recall, sizes, files)
        return await context.write(pin, context.job.id, reminder, self._around.clock())

    async def _request(self, work: Work, context: JobContext, joined: Joined, heard: Heard) -> TurnRequest:
        around = self._around
        agent = around.agents.of(work.turn.agent)
        schedule = str(context.job.payload.get("schedule", ""))
        language, lifetime = self._language(work), around.prompting.ask_seconds
        desk = TurnDesk(around.db, work, context, language, lifetime, around.clock, unattended=bool(schedule))
        caller = ToolContext(
            work.principal,
            work.conversation.id,
            work.turn.id,
            work.conversation.place,
            mode=(work.conversation.mode or around.prompting.mode).stricter(_mode_of(context.job)),
            taint=tuple(dict.fromkeys((*work.taint, *heard.sources))),
            desk=desk,
            unattended=bool(schedule),
        )
        composed = work.prompt(heard.prompt)
        return TurnRequest(
            turn_id=work.turn.id,
            system=composed.system,
            history=composed.history,
            prompt=composed.prompt,
            limits=agent.limits,
            toolbox=await around.prompting.toolbox(agent, caller, context),
            journal=context,
            language=language,
            steering=joined if joined.wanted(around.settings.queue_mode) else None,
            media=heard.media,
            model=around.prompting.profile(agent, work.conversation).model,
            payer=replace(_payer(work, agent), schedule=schedule),
        )

    async def _hear(self, work: Work, said: Sequence[Message], context: JobContext, journal: Journal) -> Heard:
        """What was said and what came with it; looking at that may take its time, which is shown."""
        around = self._around
        fetching = self._fetching(work)
        if not any(message.attachments for message in said):
            return await hear(said, lambda message: spoken(work, message), fetching, journal)

        async def notice() -> None:
            text = say(self._language(work), "media_slow")
            await context.write(deliveries.add, work.conversation.id, [Part(text)], around.clock(), work.turn.id)

        patience = around.intake.patience if around.intake else 0.0
        async with signs_of_life(lambda: self._presence.typing(work), notice, patience):
            heard = await hear(said, lambda message: spoken(work, message), fetching, journal)
        if heard.told:
            await context.write(messages.tell, heard.told)
        return heard

    def _fetching(self, work: Work) -> Fetching:
        around, address = self._around, work.conversation.address
        caller = ToolContext(work.principal, work.conversation.id, work.turn.id, work.conversation.place)
        channel = around.channels.get((address.channel, address.account))
        agent = around.agents.of(work.turn.agent)
        takes = around.prompting.profile(agent, work.conversation).takes
        payer = _payer(work, agent)
        return Fetching(caller, channel, around.files, around.save_upload, around.intake, takes, payer)

    async def _think(self, work: Work, context: JobContext, joined: Joined) -> "Thought":
        """Let the runtime think, and the machine decide, until the machine says that the turn is over."""
        around = self._around
        agent = around.agents.of(work.turn.agent)
        heard = await self._hear(work, work.said, context, context)
        request = await self._request(work, context, joined, heard)
        channel = around.channels.get((work.conversation.address.channel, work.conversation.address.account))
        unseen = _looks_by_itself(context.job)
        state = machine.begin(
            Frame(
                turn_id=work.turn.id,
                language=self._language(work),
                limits=agent.limits,
                started_at=around.ticks(),
                heartbeat=0.0 if unseen else around.settings.heartbeat_seconds,
                previews=not unseen and channel is not None and channel.manifest.capabilities.preview,
                notes=tuple(trouble.told(self._language(work)) for trouble in heard.troubles),
            )
        )
        events: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        pump = loop.create_task(_pump(agent, request, events, work.approved))
        pump.add_done_callback(lambda _: events.put_nowait(Crashed()))  # means nothing behind the event that ended it
        try:
            while True:
                tick = loop.call_later(max(0.0, state.wake_at - around.ticks()), events.put_nowait, Tick())
                try:
                    event = await events.get()
                finally:
                    tick.cancel()
                if isinstance(event, BaseException):
                    raise event
                state, commands = machine.advance(state, event, around.ticks())
                for command in commands:
                    if isinstance(command, Finish):
                        return Thought(command, state.usage, request.toolbox.taint)
                    if not unseen:
                        await self._obey(command, work, context)
        finally:
            pump.cancel()
            _, stuck = await asyncio.wait([pump], timeout=RUNTIME_GRACE)
            if stuck:
                log.error("a runtime does not end when it is told to", agent=agent.name)

    def _language(self, work: Work) -> str:
        return work.principal.language or self._around.settings.default_language

    async def _obey(self, command: ShowTyping | ShowPreview | SendNotice, work: Work, context: JobContext) -> None:
        match command:
            case ShowTyping():
                self._presence.typing(work)
            case ShowPreview(text=text):
                self._presence.preview(work, text)
            case _:
                now = self._around.clock()
                await context.write(deliveries.add, work.conversation.id, [Part(command.text)], now, work.turn.id)

    async def _render(self, work: Work, reply: str) -> tuple[Part, ...]:
        """The parts that carry the reply; a document is stored as a file first, the same one at every attempt."""
        address = work.conversation.address
        channel = self._around.channels.get((address.channel, address.account))
        if channel is None or not reply:
            return (Part(reply),) if reply else ()
        if len(reply) > LONG_REPLY:
            rendered: Rendered = await asyncio.to_thread(channel.manifest.render, reply)
        else:
            rendered = channel.manifest.render(reply)
        if not rendered.document:
            return rendered.parts
        name = say(self._language(work), "document_name")
        path = Path(SENT) / str(work.turn.id) / name
        await asyncio.to_thread(_store, self._around.files / path, rendered.document)
        return (*rendered.parts, Part(file=OutgoingFile(str(path), name, "text/markdown")))

    def _finish(
        self,
        connection: Connection,
        work: Work,
        thought: "Thought",
        parts: Sequence[Part],
        joined: Joined,
    ) -> None:
        """End the turn: its state, the reply in the transcript and in the outbox, and what arrived too late for it."""
        now, finish = self._around.clock(), thought.finish
        turns.end(connection, work.turn.id, finish.state, thought.usage, now, finish.error, thought.taint)
        questions.cancel_turns(connection, [work.turn.id], now)
        if finish.reply:
            reply = Message(
                MessageId(0), work.conversation.id, Author.ASSISTANT, finish.reply, now, turn_id=work.turn.id
            )
            messages.add(connection, reply)
        for outgoing in finish.outgoing:
            to = ConversationId(outgoing.conversation or work.conversation.id)
            deliveries.add(connection, to, [as_part(outgoing)], now, work.turn.id)
        deliveries.add(connection, work.conversation.id, parts, now, work.turn.id)
        if self._around.prompting.keep is not None:
            history.trim(connection, work.conversation.id, self._around.prompting.keep, work.turn.id)
        self._around.prompting.answered(connection, work)
        late = joined.left_over(connection) if joined.wanted(self._around.settings.queue_mode) else []
        if late:
            next_turn = lane.start(connection, work.conversation, work.principal.id, now, now)
            messages.move(connection, [message.id for message in late], next_turn)


@dataclass(frozen=True, slots=True)
class Thought:
    """How thinking ended, what it used, and what it saw from outside."""

    finish: Finish
    usage: Usage
    taint: tuple[str, ...]


async def _pump(
    agent: Agent, request: TurnRequest, events: "asyncio.Queue[Event | BaseException]", approved: Question | None
) -> None:
    """Hand over what the runtime yields, and how it ended. What an admin approved is done before it thinks."""
    try:
        if approved is not None:
            request = await _carry_out(approved, request, events)
        async with aclosing(agent.runtime.run(request)) as stream:
            async for event in stream:
                events.put_nowait(event)
    except ThinkingError as error:
        events.put_nowait(Failed(error))
    except (StoreError, EngineError) as error:
        events.put_nowait(error)
    except Exception:
        log.exception("runtime failed", turn=request.turn_id, agent=agent.name)
        events.put_nowait(Crashed())


async def _carry_out(
    approved: Question, request: TurnRequest, events: "asyncio.Queue[Event | BaseException]"
) -> TurnRequest:
    """Run the very call that was approved, once; the prompt tells what came of it."""
    call = ToolCall(APPROVED_CALL, approved.about["tool"], approved.about["arguments"])
    events.put_nowait(ToolStarted(call.name, call.key))
    outcome = await request.toolbox.execute(call)
    events.put_nowait(ToolEnded(call.name, call.key, outcome.status, outcome.outgoing))
    return replace(request, prompt=told(request.prompt, outcome.text))


def _payer(work: Work, agent: Agent) -> Payer:
    return Payer(work.principal.id, agent.name, conversation_id=work.conversation.id)


def told(prompt: str, outcome: str) -> str:
    """The prompt of a turn that carried out what was approved."""
    return f"{prompt}\n\nWhat came of it:\n{outcome}"


def _mode_of(job: Job) -> Mode:
    """The mode that what began this turn asks for; the conversation's may be stricter."""
    return Mode(job.payload.get("mode") or Mode.FULL)


def _looks_by_itself(job: Job) -> bool:
    """Whether this turn is a heartbeat: nobody asked, so nobody is shown that it is at work, or that it failed."""
    return bool(job.payload.get("heartbeat"))


def leave_event(connection: Connection, job: Job, turn_id: TurnId, now: float) -> None:
    """A turn that a schedule began has failed, and nobody was there to see it: the next heartbeat looks at it."""
    schedule = job.payload.get("schedule")
    if schedule and not _looks_by_itself(job):
        text = f"turn {turn_id}, which the schedule {schedule} began, has failed"
        happened.add(connection, happened.Event(0, "job finished", text, now, key=f"turn:{turn_id}"))


def worth_saying(finish: Finish) -> Finish:
    """What a heartbeat says: nothing if it failed, or found nothing to say."""
    if finish.state is TurnState.FAILED:
        return replace(finish, reply="")
    said = finish.reply.replace(ALL_IS_WELL, "").strip()
    return replace(finish, reply=said if any(letter.isalnum() for letter in said) else "")


def as_part(outgoing: Outgoing) -> Part:
    """What a tool sends, as a channel carries it."""
    artifact = outgoing.artifact
    return Part(outgoing.text, file=OutgoingFile(artifact.path, artifact.name, artifact.mime) if artifact else None)


def spoken(work: Work, message: Message) -> str:
    """What was said; in a group, who said it comes first."""
    name = work.names.get(message.principal_id) if message.principal_id is not None else None
    return f"{name}: {message.text}" if name else message.text


def _store(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace")
