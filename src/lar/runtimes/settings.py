"""Settings of an agent: what thinks, with which model, and how far it may go."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lar.domain.turn import Limits

_FROZEN = ConfigDict(frozen=True, extra="ignore")


class LimitSettings(BaseModel):
    """What one turn may use. Reaching a limit ends the turn with an explanation."""

    model_config = _FROZEN

    model_calls: int = Field(default=12, ge=1, description="Model calls of one turn.")
    tool_calls: int = Field(default=20, ge=0, description="Tool calls of one turn.")
    seconds: float = Field(default=300.0, gt=0, description="Wall time of one attempt of a turn, in seconds.")
    usd: float | None = Field(default=None, gt=0, description="Price of the model calls of one turn, in US dollars.")

    def limits(self) -> Limits:
        """The same as a record of the domain."""
        return Limits(self.model_calls, self.tool_calls, self.seconds, self.usd)


class AgentSettings(BaseModel):
    """A configured runtime, model and tools."""

    model_config = _FROZEN

    runtime: Literal["loop", "offline"] | None = Field(
        default=None, description="What thinks: `loop` with a model, `offline` without; by default whichever fits."
    )
    model: str = Field(
        default="", description="`provider:model`; by default one of the first provider that has a key: `models.chat`."
    )
    fallback_models: tuple[str, ...] = Field(
        default=(), description="Models that take over, in this order, where the one before cannot answer."
    )
    tools: tuple[str, ...] = Field(default=(), description="Names of the tools it is offered; none named: all.")
    instructions: str = Field(default="", description="Added to the system prompt.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="Sent to the model only when set.")
    max_output_tokens: int | None = Field(
        default=None, ge=1, description="Longest answer, in tokens; sent only when set."
    )
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = Field(
        default=None, description="How hard a reasoning model thinks; sent only when set."
    )
    limits: LimitSettings = Field(default_factory=LimitSettings, description="What one turn may use.")
