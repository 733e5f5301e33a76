"""Agents as conversations see them: a runtime, its limits, its instructions and its tools."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lar.domain.turn import Limits
from lar.media.capabilities import Kind
from lar.runtimes.contract import Runtime
from lar.tools.execute import Registry


@dataclass(frozen=True, slots=True)
class Agent:
    """A configured agent.

    `kind` is the runtime's name; `instructions` go into the system prompt; `takes` is what its model takes beside text.
    """

    name: str
    kind: str
    runtime: Runtime
    instructions: str = ""
    limits: Limits = field(default_factory=Limits)
    registry: Registry = field(default_factory=lambda: Registry(()))
    takes: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Agents:
    """All agents, and which one serves a conversation that names none.

    `own` are Lar's own, which serve turns of commands, by the command.
    """

    by_name: Mapping[str, Agent]
    default: str
    own: Mapping[str, Agent] = field(default_factory=dict[str, Agent])

    def of(self, name: str) -> Agent:
        """The agent with this name; the default one for an empty or unknown name."""
        return self.own.get(name) or self.by_name.get(name) or self.by_name[self.default]
