"""The turn machine: events in, commands out. No I/O, no clock, no await.

The driver feeds it what the runtime yields and the passing of time, and carries out what it commands. What a turn's
reply says is decided here, in one place.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from lar.conversations.strings import about, duration, say
from lar.domain.artifact import Outgoing
from lar.domain.turn import Limits, TurnState, Usage
from lar.errors import BudgetReached, HandedOver, LimitReached, ThinkingError
from lar.runtimes.contract import (
    Finished,
    ModelCalled,
    RuntimeEvent,
    TextDelta,
    TextReset,
    ToolEnded,
    ToolStarted,
)
from lar.tools.contract import ToolStatus

TYPING_FIRST = 0.5
"""Seconds after which typing is first shown: a quicker answer needs none."""
TYPING_EVERY = 4.5
"""Seconds between two typing actions; Telegram shows one for five."""
PREVIEW_EVERY = 1.5
"""Seconds between two previews."""
PREVIEW_MIN = 120
"""A preview is worth showing from this many characters on."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The runtime ended with an error."""

    error: ThinkingError


@dataclass(frozen=True, slots=True)
class Crashed:
    """The runtime ended with an error nobody foresaw; the driver has recorded it."""


Event = RuntimeEvent | Tick | Failed | Crashed


@dataclass(frozen=True, slots=True)
class ShowTyping:
    """Show that we are at work."""


@dataclass(frozen=True, slots=True)
class ShowPreview:
    """Show the answer so far."""

    text: str


@dataclass(frozen=True, slots=True)
class SendNotice:
    """Send a sign of life, as a message of its own."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The turn is over: stop the runtime, store this reply. An empty reply is not sent; `outgoing` goes before it."""

    state: TurnState
    reply: str
    error: str = ""
    outgoing: tuple[Outgoing, ...] = ()


Command = ShowTyping | ShowPreview | SendNotice | Finish


@dataclass(frozen=True, slots=True)
class Frame:
    """What stays the same during a turn. `heartbeat` is in seconds, 0: none; `notes` go below whatever it says."""

    turn_id: int
    language: str
    limits: Limits
    started_at: float
    heartbeat: float = 0.0
    previews: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Where the turn is. Times are seconds since the epoch."""

    frame: Frame
    text: str = ""
    usage: Usage = field(default_factory=Usage)
    tool: str = ""
    tools_done: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    typing_at: float = 0.0
    preview_at: float = 0.0
    previewed: int = 0
    notice_at: float = 0.0
    notice_gap: float = 0.0
    finished: bool = False

    @property
    def wake_at(self) -> float:
        """When the next `Tick` is due."""
        times = [self.typing_at, self.frame.started_at + self.frame.limits.seconds]
        if self.notice_at:
            times.append(self.notice_at)
        if self.frame.previews and len(self.text) - self.previewed >= PREVIEW_MIN:
            times.append(self.preview_at)
        return min(times)


def begin(frame: Frame) -> State:
    """The turn starts."""
    return State(
        frame,
        typing_at=frame.started_at + TYPING_FIRST,
        preview_at=frame.started_at + PREVIEW_EVERY,
        notice_at=frame.started_at + frame.heartbeat if frame.heartbeat else 0.0,
        notice_gap=frame.heartbeat,
    )


def advance(state: State, event: Event, now: float) -> tuple[State, list[Command]]:
    """What the event means. After a `Finish` nothing has any effect."""
    if state.finished:
        return state, []
    match event:
        case Tick():
            return _tick(state, now)
        case Finished():
            return _finished(state, event)
        case Failed(error=error):
            return _failed(state, error)
        case Crashed():
            text = say(state.frame.language, "failed_unknown", turn=state.frame.turn_id)
            return _explain(state, text, "internal error")
        case _:
            return _progress(state, event), []


def _progress(state: State, event: TextDelta | TextReset | ModelCalled | ToolStarted | ToolEnded) -> State:
    match event:
        case TextDelta(text=text):
            return replace(state, text=state.text + text)
        case TextReset():
            return replace(state, text="", previewed=0)
        case ModelCalled(usage=usage):
            return replace(state, usage=state.usage + usage)
        case ToolStarted(name=name):
            return replace(state, tool=name)
        case _:
            return _tool_ended(state, event)


def _tool_ended(state: State, event: ToolEnded) -> State:
    usage = replace(state.usage, tool_calls=state.usage.tool_calls + 1)
    if event.status is ToolStatus.UNKNOWN:
        return replace(state, usage=usage, tool="", unknown=(*state.unknown, event.name))
    if event.status is ToolStatus.OK:
        outgoing = (*state.outgoing, *event.outgoing)
        return replace(state, usage=usage, tool="", tools_done=(*state.tools_done, event.name), outgoing=outgoing)
    return replace(state, usage=usage, tool="")


def _finished(state: State, event: Finished) -> tuple[State, list[Command]]:
    if event.silent:
        return _end(state, TurnState.DONE, "", "")
    text = event.text if event.text.strip() else say(state.frame.language, "empty")
    return _end(state, TurnState.DONE, text, "")


def _failed(state: State, error: ThinkingError) -> tuple[State, list[Command]]:
    language = state.frame.language
    if isinstance(error, HandedOver):
        text = say(language, "handed_over", summary=error.summary)
        return _end(state, TurnState.DONE, "\n\n".join(line for line in (state.text.strip(), text) if line), "")
    if isinstance(error, BudgetReached):
        return _explain(state, _budget(language, error), str(error))
    if isinstance(error, LimitReached):
        return _explain(state, _limit(state, error.which), str(error))
    when = "" if error.retry_after is None else say(language, "when", time=about(language, error.retry_after))
    text = say(language, f"failed_{error.kind}", when=when, error=error, turn=state.frame.turn_id)
    return _explain(state, text, f"{error.kind}: {error}")


def _budget(language: str, error: BudgetReached) -> str:
    when = say(language, "when", time=about(language, error.retry_after or 0.0))
    whose = say(language, f"budget_of_{error.scope}")
    period = say(language, f"period_{error.period}")
    return say(language, "budget_stop", whose=whose, cap=f"{error.cap:g}", period=period, when=when)


def _limit(state: State, which: str) -> str:
    limit = getattr(state.frame.limits, which)
    return say(state.frame.language, f"limit_{which}", limit=f"{limit:g}" if isinstance(limit, float) else limit)


def _explain(state: State, reason: str, error: str) -> tuple[State, list[Command]]:
    lines = [state.text.strip(), reason]
    if state.tools_done:
        done = Counter(state.tools_done).items()
        tools = ", ".join(f"{name} \u00d7 {count}" if count > 1 else name for name, count in done)
        lines.append(say(state.frame.language, "did_so_far", tools=tools))
    return _end(state, TurnState.FAILED, "\n\n".join(line for line in lines if line), error)


def _end(state: State, end: TurnState, reply: str, error: str) -> tuple[State, list[Command]]:
    warnings = [say(state.frame.language, "unknown_outcome", tool=name) for name in state.unknown]
    whole = "\n\n".join(part for part in (reply, *warnings, *state.frame.notes) if part)
    return replace(state, finished=True), [Finish(end, whole, error, state.outgoing)]


def _tick(state: State, now: float) -> tuple[State, list[Command]]:
    frame = state.frame
    if now >= frame.started_at + frame.limits.seconds:
        return _explain(state, _limit(state, "seconds"), "limit: seconds")
    commands: list[Command] = []
    if now >= state.typing_at:
        commands.append(ShowTyping())
        state = replace(state, typing_at=now + TYPING_EVERY)
    if frame.previews and now >= state.preview_at and len(state.text) - state.previewed >= PREVIEW_MIN:
        commands.append(ShowPreview(state.text))
        state = replace(state, preview_at=now + PREVIEW_EVERY, previewed=len(state.text))
    if state.notice_at and now >= state.notice_at:
        elapsed = duration(frame.language, now - frame.started_at)
        key = "heartbeat_tool" if state.tool else "heartbeat"
        commands.append(SendNotice(say(frame.language, key, elapsed=elapsed, tool=state.tool)))
        gap = state.notice_gap * 2
        state = replace(state, notice_at=now + gap, notice_gap=gap)
    return state, commands
