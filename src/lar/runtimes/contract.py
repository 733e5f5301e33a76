"""The seam for runtimes: a turn goes in, events come out."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from lar.domain.artifact import Artifact, Outgoing
from lar.domain.ids import TurnId
from lar.domain.message import Exchange
from lar.domain.spend import Payer
from lar.domain.turn import Limits, Usage
from lar.domain.values import JsonObject
from lar.engine.contract import Journal
from lar.tools.contract import Toolbox, ToolStatus


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What a runtime is asked to answer. The same on every attempt of a turn.

    `system` is the system prompt, `history` the transcript before this turn (oldest first), `prompt` what the person
    says now, `media` what they show with it: files below `LAR_HOME/files` of kinds that the agent's model takes.
    `language` is the one Lar speaks with them (an IETF tag, empty where that is not known), `model` the one chosen for
    this conversation (`provider:model`, empty where none was), `payer` on whose account its calls go.
    """

    turn_id: TurnId
    system: str
    history: tuple[Exchange, ...]
    prompt: str
    limits: Limits
    toolbox: Toolbox
    journal: Journal
    steering: "Steering | None" = field(default=None)
    language: str = ""
    model: str = ""
    payer: Payer = field(default_factory=Payer)
    media: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A message that arrived for a running turn. `sources` says where content from outside in it came from."""

    id: int
    text: str
    media: tuple[Artifact, ...] = ()
    sources: tuple[str, ...] = ()

    def plain(self) -> JsonObject:
        """The same as the journal keeps it."""
        return asdict(self)


def read_said(plain: JsonObject) -> Said:
    """Read what `Said.plain` wrote."""
    media = tuple(Artifact(**artifact) for artifact in plain["media"])
    return Said(plain["id"], plain["text"], media, tuple(plain["sources"]))


class Steering(Protocol):
    """Messages that arrived for the running turn."""

    async def arrived(self) -> Sequence[Said]:
        """Those not taken yet, oldest first."""
        ...

    def taken(self, ids: Sequence[int]) -> None:
        """The turn answers these. A runtime journals what arrived, and says so of every one, at every attempt."""
        ...


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TextReset:
    """What was shown of the answer is void: the stream broke and is tried again, or the model went on to call tools."""


@dataclass(frozen=True, slots=True)
class ModelCalled:
    """A model call ended. `usage` is that of this call alone."""

    usage: Usage
    model: str = ""


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool call begins."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """A tool call ended. `outgoing` is what it sends with the reply."""

    name: str
    key: str
    status: ToolStatus
    outgoing: tuple[Outgoing, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event: the whole answer in Markdown. `silent`: the assistant decided not to reply."""

    text: str
    silent: bool = False


RuntimeEvent = TextDelta | TextReset | ModelCalled | ToolStarted | ToolEnded | Finished


class Runtime(Protocol):
    """What thinks. To cancel it, close the iterator (or cancel the task that reads it): it stops what it started."""

    def run(self, request: TurnRequest) -> AsyncGenerator[RuntimeEvent, None]:
        """Think, yielding events; the last is `Finished`. Resumes from the journal by itself.

        Raises:
            ThinkingError: it cannot go on; `kind` says why.

        """
        ...
