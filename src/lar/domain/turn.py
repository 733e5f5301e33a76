"""One stimulus and everything done to answer it."""

from dataclasses import dataclass, field
from enum import StrEnum

from lar.domain.ids import ConversationId, JobId, PrincipalId, TurnId


class TurnState(StrEnum):
    """`queued` → `running` → one of the others, which are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one turn may use. `seconds` is wall time of one attempt; `usd` counts priced model calls, None: no cap."""

    model_calls: int = 12
    tool_calls: int = 20
    seconds: float = 300.0
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a turn used so far. `usd` is None where a model has no known price."""

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            None if self.usd is None or other.usd is None else self.usd + other.usd,
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as it is stored. Times are seconds since the epoch, None while they have not happened."""

    id: TurnId
    conversation_id: ConversationId
    principal_id: PrincipalId
    job_id: JobId
    state: TurnState
    agent: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    usage: Usage = field(default_factory=Usage)
    error: str = ""
