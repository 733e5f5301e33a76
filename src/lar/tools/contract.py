"""The seam for tools: a typed async function, its risk class, and whether repeating it is safe."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from lar.domain.artifact import Artifact, Outgoing
from lar.domain.conversation import Mode, Place
from lar.domain.ids import ConversationId, TurnId
from lar.domain.principal import Principal
from lar.domain.risk import WORST, Deed, Risk
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.policy.gate import Decision


@dataclass(frozen=True, slots=True)
class Effect:
    """What one call would do. `summary` says it in plain words, with the exact command or target.

    `target` is what a standing permission covers: a host, a recipient, a program; empty where there is none. `before`
    is shown in front of a question about it: what whoever decides has to know.
    """

    deed: Deed
    summary: str
    target: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model wants this. `key` is unique in the turn and the same when the turn is resumed."""

    key: str
    name: str
    arguments: JsonObject | str = field(default_factory=dict[str, "str"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person decided about a call. `reason` is what they said, for the model; `rule` names the decision."""

    allowed: bool
    rule: str
    reason: str = ""


class Desk(Protocol):
    """Where a turn asks people, and what they have permitted already."""

    async def mode(self, call: str, /) -> Mode | None:
        """The conversation's mode now that this call (its key) is judged; None: as it was when the turn began."""
        ...

    async def permitted(self, tool: str, target: str, /) -> str:
        """The name of a standing permission that covers this; empty where there is none."""
        ...

    async def ask(self, call: ToolCall, effect: Effect, why: Decision, taint: Sequence[str], /) -> Answer:
        """What was decided about this call.

        Raises:
            Suspended: it was asked and is not answered; the turn is run again when it is.
            HandedOver: somebody else was asked, and this turn does not wait for them.

        """
        ...

    async def choose(self, call: str, text: str, options: Sequence[str], /) -> str:
        """What the person answered to a question of the call with this key: one of the options, or their own words.

        Raises:
            Suspended: as `ask`.
            ToolError: nobody answered in time.

        """
        ...


class Nobody:
    """A desk where nobody can be asked. A `Desk`."""

    async def mode(self, _call: str, /) -> Mode | None:
        """Nobody changes it."""

    async def permitted(self, _tool: str, _target: str, /) -> str:
        """Nothing is."""
        return ""

    async def ask(self, _call: ToolCall, _effect: Effect, why: Decision, _taint: Sequence[str]) -> Answer:
        """No."""
        reason = f"{why.reason or 'a person must agree'}, and nobody can be asked here"
        return Answer(allowed=False, rule=why.rule, reason=reason)

    async def choose(self, _call: str, _text: str, _options: Sequence[str]) -> str:
        """Nobody answers."""
        raise ToolError("Nobody can be asked here.")


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who calls a tool, and where.

    `call` is the key of the call, unique in the turn and the same when the turn is resumed. `taint` names the content
    from outside that is in the context by now; `desk` is where the person can be asked. `unattended`: a schedule began
    the turn, so that nobody is there to approve of anything.
    """

    principal: Principal
    conversation_id: ConversationId
    turn_id: TurnId
    place: Place = Place.PRIVATE
    mode: Mode = Mode.RW
    taint: tuple[str, ...] = ()
    call: str = ""
    desk: Desk = field(default_factory=Nobody)
    unattended: bool = False


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gives. `text` is for the model; most tools give nothing else.

    `shown` are files the model looks at, if it can. `outgoing` leaves with the reply. `source` says where the content
    came from if that is outside ("web: example.org"), empty if it is the person's own: it taints the conversation.
    """

    text: str
    shown: tuple[Artifact, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    source: str = ""


def take_as_they_are(arguments: JsonObject) -> JsonObject:
    """Arguments of a tool that checks them itself."""
    return arguments


def always() -> bool:
    """Yes: of a tool that can be used at any time."""
    return True


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. `schema` is the JSON schema of its arguments; `description` is what the model reads.

    `call` gets the context and the validated arguments by name and returns what it gives; it raises `ToolError` to
    refuse. `effect` says what a call with these validated arguments would do, None: the worst of its class;
    `effect_here` says it where that depends on who calls and where. `repeatable`: may it run again if a crash hid
    whether it ran. `parse` turns arguments as the model wrote them into those `call` gets; it raises `ToolError`
    saying what is wrong with them.
    """

    name: str
    description: str
    schema: JsonObject
    risk: Risk
    repeatable: bool
    call: Callable[[ToolContext, JsonObject], Awaitable[ToolResult]]
    silences: bool = False
    """After this tool the turn ends without a reply."""
    private: bool = False
    """It shows or changes what belongs to one person, and is therefore never available in a group."""
    parse: Callable[[JsonObject], JsonObject] = take_as_they_are
    effect: Callable[[JsonObject], Effect] | None = None
    there: Callable[[], bool] = always
    """Whether it can be used now; while it cannot, no model is offered it."""
    effect_here: Callable[[ToolContext, JsonObject], Effect] | None = None

    def would(self, arguments: JsonObject, context: ToolContext | None = None) -> Effect:
        """What a call with these validated arguments would do, made by whom the context tells."""
        if self.effect_here is not None and context is not None:
            return self.effect_here(context, arguments)
        if self.effect is not None:
            return self.effect(arguments)
        said = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        return Effect(WORST[self.risk], f"{self.name}({said})")


class ToolStatus(StrEnum):
    """How a call ended. `unknown`: it was interrupted and must not be repeated."""

    OK = "ok"
    ERROR = "error"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a call gave. `text` goes to the model as it is; `shown` are files for it to look at."""

    status: ToolStatus
    text: str
    shown: tuple[Artifact, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()


class Toolbox(Protocol):
    """The tools of one turn, behind the gate and the journal: all that a runtime sees of tools."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What may be offered to the model: tools the gate would deny are absent."""
        ...

    @property
    def taint(self) -> tuple[str, ...]:
        """Where content from outside came from that the turn has seen so far."""
        ...

    def saw(self, sources: Sequence[str]) -> None:
        """Content from outside came in that no tool brought."""
        ...

    async def execute(self, call: ToolCall) -> ToolOutcome:
        """Run the call once: unknown names and bad arguments come back as an error for the model.

        Raises:
            Suspended: a person was asked; run the turn again when they have answered.
            HandedOver: somebody else was asked; the turn ends.

        """
        ...
