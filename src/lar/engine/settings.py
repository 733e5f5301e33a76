"""What the engine can be told."""

from pydantic import BaseModel, ConfigDict, Field


class EngineSettings(BaseModel):
    """How much the engine does at once, and how patient it is with failing jobs and dead workers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    max_concurrent: int = Field(default=256, ge=1, description="How many jobs one process runs at the same time.")
    lease: float = Field(
        default=6.0,
        gt=0,
        description="Seconds after which a worker that gave no sign of life is dead (PostgreSQL only).",
    )
    max_failures: int = Field(
        default=3, ge=1, description="How often a job's handler may fail before the job is given up."
    )
    max_crashes: int = Field(
        default=10, ge=1, description="How often the process may die while running a job before the job is given up."
    )
    retry_after: float = Field(
        default=1.0, ge=0, description="Seconds before the first retry; each further one doubles them."
    )
    retry_at_most: float = Field(default=300.0, ge=0, description="The longest wait before a retry, in seconds.")
    nap: float = Field(
        default=30.0,
        gt=0,
        description="The longest sleep of the claim loop in seconds, so that a clock jump is noticed.",
    )
