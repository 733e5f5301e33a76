"""What can be set about memory."""

from pydantic import BaseModel, ConfigDict, Field


class MemorySettings(BaseModel):
    """How much of a conversation a prompt carries, and how notes are shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    window: int = Field(default=32, ge=0, description="Messages of the conversation a prompt carries at most.")
    max_chars: int = Field(default=120_000, ge=1000, description="Longest history a prompt carries, in characters.")
    max_history_messages: int | None = Field(
        default=None, ge=1, description="Messages kept per conversation; older ones are deleted. Unset: all are kept."
    )
    page_size: int = Field(default=20, ge=1, le=100, description="Notes or messages a tool shows at once.")
    system_prompt: str = Field(default="", description="Replaces the built-in system prompt.")
