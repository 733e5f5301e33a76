"""What can be set about memory."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CLOCK_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


class MemorySettings(BaseModel):
    """What a prompt is reminded of, how it is made, and how notes are shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    style: Literal["summaries", "window"] = Field(
        default="summaries",
        description="`summaries`: the last exchanges word for word, sentences for what came before; needs a model. "
        "`window`: the last messages and nothing else.",
    )
    window: int = Field(default=32, ge=0, description="Messages of the conversation a prompt carries at most.")
    exchanges: int = Field(
        default=3, ge=1, description="Exchanges that stay word for word; older ones become sentences."
    )
    sentences: int = Field(default=20, ge=1, description="Sentences of a conversation's exchanges a prompt carries.")
    today_every: int = Field(
        default=10, ge=1, description="After how many new sentences of a conversation today is summed up again."
    )
    compress_after_seconds: float = Field(
        default=20.0, ge=0, description="Pause after an answer before older exchanges are made sentences."
    )
    summary_max_output_tokens: int = Field(
        default=2000, ge=100, description="Longest answer of a model that sums up, in tokens."
    )
    daily_at: str = Field(
        default="04:00",
        pattern=CLOCK_TIME,
        description="Local time (`tools.time_zone`) at which a day is over and summed up.",
    )
    weekly_at: str = Field(
        default="05:00", pattern=CLOCK_TIME, description="Local time on Sundays at which the week is summed up."
    )
    max_chars: int = Field(
        default=120_000,
        ge=1000,
        description="Longest prompt in characters, without Lar's own instructions and the tools.",
    )
    context_tokens: int = Field(
        default=0, ge=0, description="The model's context in tokens; 0: as the price list knows it."
    )
    file_chars: int = Field(default=8_000, ge=100, description="Most of one workspace file a prompt carries.")
    max_history_messages: int | None = Field(
        default=None, ge=1, description="Messages kept per conversation; older ones are deleted. Unset: all are kept."
    )
    page_size: int = Field(default=20, ge=1, le=100, description="Notes or messages a tool shows at once.")
    system_prompt: str = Field(default="", description="Replaces the built-in system prompt.")
