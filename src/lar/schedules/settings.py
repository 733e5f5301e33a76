"""What schedules can be told."""

from pydantic import BaseModel, ConfigDict, Field


class ScheduleSettings(BaseModel):
    """How schedules are kept. The time zone of the house is `tools.time_zone`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    min_interval_seconds: float = Field(
        default=60.0, ge=1, description="The least number of seconds between two firings of a schedule."
    )
    max_per_person: int = Field(default=1000, ge=1, description="How many active schedules a person may have.")
    late_seconds: float = Field(
        default=20.0, ge=0, description="Seconds after which a firing counts as missed, and is told as late."
    )
    keep_days: int = Field(default=90, ge=1, description="How long the records of firings are kept.")
