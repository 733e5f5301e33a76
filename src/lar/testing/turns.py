"""A turn for a runtime under test: a person, some tools, a journal in memory."""

from dataclasses import dataclass, field

from lar.domain.artifact import Artifact
from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.message import Exchange
from lar.domain.principal import Principal, Role
from lar.domain.risk import Risk
from lar.domain.turn import Limits
from lar.policy.gate import Gate
from lar.runtimes.contract import Finished, Runtime, RuntimeEvent, Steering, TurnRequest
from lar.testing.journal import MemoryJournal
from lar.tools.contract import Tool, ToolContext
from lar.tools.define import tool
from lar.tools.execute import Registry, TurnTools

ANN = Principal(PrincipalId(1), "Ann", Role.ADMIN, "en")


@dataclass(slots=True)
class Effects:
    """Two tools that count what they did: `look` may be repeated, `act` must not be."""

    looked: list[str] = field(default_factory=list[str])
    acted: list[str] = field(default_factory=list[str])

    def tools(self) -> tuple[Tool, ...]:
        """The two."""

        @tool(risk=Risk.READ, repeatable=True)
        async def look(_context: ToolContext, at: str) -> str:
            """Look at something.

            Args:
                at: What to look at.
            """
            self.looked.append(at)
            return f"saw {at}"

        @tool(risk=Risk.WRITE, repeatable=False)
        async def act(_context: ToolContext, on: str) -> str:
            """Change something for good.

            Args:
                on: What to change.
            """
            self.acted.append(on)
            return f"changed {on}"

        return look, act


@dataclass(frozen=True, slots=True)
class Ask:
    """What a test asks a runtime; `request` makes the turn of it, the same for every journal."""

    prompt: str
    tools: tuple[Tool, ...] = ()
    history: tuple[Exchange, ...] = ()
    limits: Limits = field(default_factory=Limits)
    system: str = "You are Lar."
    place: Place = Place.PRIVATE
    steering: Steering | None = None
    media: tuple[Artifact, ...] = ()

    def request(self, journal: MemoryJournal) -> TurnRequest:
        """The turn over this journal."""
        context = ToolContext(ANN, ConversationId(1), TurnId(1), self.place)
        return TurnRequest(
            turn_id=context.turn_id,
            system=self.system,
            history=self.history,
            prompt=self.prompt,
            limits=self.limits,
            toolbox=TurnTools(Registry(self.tools), context, journal, Gate()),
            journal=journal,
            steering=self.steering,
            media=self.media,
        )


async def think(runtime: Runtime, ask: Ask, journal: MemoryJournal | None = None) -> list[RuntimeEvent]:
    """All events of a turn."""
    return [event async for event in runtime.run(ask.request(journal or MemoryJournal()))]


def answer_of(events: list[RuntimeEvent]) -> Finished:
    """The answer: the last event, which is the only one of its kind."""
    assert [type(event) for event in events].count(Finished) == 1
    last = events[-1]
    assert isinstance(last, Finished)
    return last
