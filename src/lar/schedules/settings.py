"""What schedules can be told."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class HeartbeatSettings(BaseModel):
    """How Lar looks around by itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: bool = Field(
        default=True,
        description="Whether Lar looks by itself at what happened, and at what HEARTBEAT.md asks for. "
        "It costs nothing while there is neither.",
    )
    minutes: float = Field(default=30.0, gt=0, description="Minutes between two heartbeats.")
    active_hours: str = Field(
        default="08:00-22:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="When it beats, by the clocks of the house.",
    )
    agent: str = Field(default="", description="The agent that looks; empty: that of the conversation.")


class MaintenanceSettings(BaseModel):
    """How Lar keeps its own house."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: str = Field(
        default="03:30",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="When old rows are forgotten and the database is looked after, by the clocks of the house.",
    )
    jitter_seconds: float = Field(
        default=300.0, ge=0, le=3600, description="A task begins up to so many seconds after it is due."
    )
    spend_days: int = Field(default=400, ge=32, description="How many days it is kept what models cost.")


class EventSettings(BaseModel):
    """Something that the next heartbeat is told by the clock."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cron: str = Field(default="", description="When, as a cron line; or give `every`.")
    every: str = Field(default="", description="How often, such as `2h` or `1 day`.")
    text: str = Field(default="", description="What the heartbeat is told; empty: the name.")
    jitter: str = Field(default="", description="It is told up to so much later, such as `5 minutes`.")


class HookSettings(BaseModel):
    """A door by which another program tells Lar that something happened."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    secret: SecretStr = Field(
        min_length=16, description="What the program shows in `Authorization: Bearer ...`; at least 16 characters."
    )


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
    digest_at: str = Field(
        default="08:00",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="When the notification chat is told of the day before, by the clocks of the house; empty: never.",
    )
    heartbeat: HeartbeatSettings = Field(default_factory=HeartbeatSettings, description="Looking around by itself.")
    maintenance: MaintenanceSettings = Field(default_factory=MaintenanceSettings, description="Keeping house.")
    events: Mapping[str, EventSettings] = Field(
        default={}, description="What heartbeats are told by the clock, by their names."
    )
    hooks: Mapping[str, HookSettings] = Field(
        default={}, description="Doors at `POST /hooks/<name>` for what other programs have to tell, by their names."
    )
