"""Settings of conversations."""

from pydantic import BaseModel, ConfigDict, Field

from lar.domain.conversation import QueueMode


class ConversationSettings(BaseModel):
    """How turns queue, and how long they are given."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    queue_mode: QueueMode = Field(
        default=QueueMode.COLLECT,
        description="What a message does that arrives during a turn: collect, queue, steer or interrupt.",
    )
    max_queued_per_chat: int = Field(default=20, ge=1, description="Turns that may wait in one conversation.")
    max_queued: int = Field(default=1000, ge=1, description="Turns that may wait or run in all.")
    heartbeat_seconds: float = Field(
        default=60.0, ge=0, description="First sign of life on long work, then at doubling intervals; 0 turns it off."
    )
    part_wait_seconds: float = Field(
        default=0.8, ge=0, le=10, description="How long further parts of an album or of a split paste are awaited."
    )
    file_hours: float = Field(
        default=72.0, gt=0, description="How long a file without a word waits for the next message of its sender."
    )
    file_hint_seconds: float = Field(
        default=20.0,
        ge=0,
        description="Seconds after which whoever sent a file without a word is asked what to do with it; 0: never.",
    )
    default_language: str = Field(
        default="en", description="Language of Lar's own sentences for people whose channel names none."
    )
    retention_days: int = Field(default=90, ge=1, description="How long the records of finished turns are kept.")
    raw_days: int = Field(default=7, ge=1, description="How long the raw updates of channels are kept.")
