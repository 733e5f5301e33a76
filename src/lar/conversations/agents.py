"""Agents as conversations see them: a runtime, its limits, its instructions and its tools."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lar.domain.turn import Limits
from lar.memory.context import Sizes
from lar.providers.contract import Input
from lar.runtimes.contract import Runtime
from lar.tools.execute import Registry


@dataclass(frozen=True, slots=True)
class Agent:
    """A configured agent.

    `kind` is the runtime's name; `instructions` go into the system prompt.
    """

    name: str
    kind: str
    runtime: Runtime
    instructions: str = ""
    limits: Limits = field(default_factory=Limits)
    registry: Registry = field(default_factory=lambda: Registry(()))


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of the model that answers in a conversation, unless it fails.

    `model` is written `provider:model`, empty where none thinks; `takes` is what it takes beside text, and `sizes` says
    how large its prompt may be.
    """

    model: str = ""
    takes: frozenset[Input] = frozenset()
    sizes: Sizes = field(default_factory=Sizes)


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
