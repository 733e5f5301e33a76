"""When something is to happen, and one time it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from lar.domain.ids import ConversationId, FiringId, JobId, PrincipalId, ScheduleId, TurnId
from lar.domain.values import JsonObject


class ScheduleKind(StrEnum):
    """What a firing does."""

    REMINDER = "reminder"
    """Tells its text to the person, without a model."""
    PROMPT = "prompt"
    """Gives its text to the assistant, as a turn."""
    RUNBOOK = "runbook"
    """The same, as a file of the house says."""
    EVENT = "event"
    """Leaves its text for the next heartbeat."""
    TASK = "task"
    """Runs a part of Lar: maintenance, a digest, a heartbeat. Its text is the task's name."""


class ScheduleState(StrEnum):
    """Only an active schedule has a next due."""

    ACTIVE = "active"
    DONE = "done"
    """It fired for the last time."""
    CANCELLED = "cancelled"


class Missed(StrEnum):
    """What happens to firings that fell due while nothing ran."""

    ONCE = "once"
    """One firing makes up for all of them."""
    SKIP = "skip"
    """They are left out, and counted."""
    ALL = "all"
    """Every one of them comes late."""


class FiringState(StrEnum):
    """What became of a firing."""

    QUEUED = "queued"
    DONE = "done"
    SKIPPED = "skipped"
    """It was missed, and the schedule skips what it missed."""
    DROPPED = "dropped"
    """Its schedule was cancelled before it came to it."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Once:
    """At one moment, in seconds since the epoch."""

    at: float


@dataclass(frozen=True, slots=True)
class Every:
    """Every so many seconds, counted from `start` (seconds since the epoch), which is the first time."""

    seconds: float
    start: float


@dataclass(frozen=True, slots=True)
class Days:
    """Every so many days at the same time of day, from a local date and time on (`2026-11-25T09:00:00`)."""

    count: int
    start: str


@dataclass(frozen=True, slots=True)
class Cron:
    """By a cron line of five fields."""

    line: str


Rule = Once | Every | Days | Cron


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day in which nothing fires, in minutes since midnight; from 1320 to 420 goes over midnight."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule is due.

    `zone` is an IANA name; empty: that of its person. `until` is the last moment at which it may be due, None: no end.
    """

    rule: Rule
    zone: str = ""
    until: float | None = None
    quiet: Quiet | None = None

    def hushed(self, quiet: Quiet) -> "Timing":
        """The same with these quiet hours."""
        return replace(self, quiet=quiet)

    def to_json(self) -> JsonObject:
        """The same as a JSON object."""
        if isinstance(self.rule, Once):
            rule: JsonObject = {"at": self.rule.at}
        elif isinstance(self.rule, Every):
            rule = {"seconds": self.rule.seconds, "start": self.rule.start}
        elif isinstance(self.rule, Days):
            rule = {"days": self.rule.count, "start": self.rule.start}
        else:
            rule = {"cron": self.rule.line}
        quiet = [self.quiet.start, self.quiet.end] if self.quiet else None
        return {**rule, "zone": self.zone, "until": self.until, "quiet": quiet}

    @classmethod
    def from_json(cls, value: JsonObject) -> "Timing":
        """Read what `to_json` wrote."""
        if "at" in value:
            rule: Rule = Once(value["at"])
        elif "cron" in value:
            rule = Cron(value["cron"])
        elif "days" in value:
            rule = Days(value["days"], value["start"])
        else:
            rule = Every(value["seconds"], value["start"])
        return cls(rule, value["zone"], value["until"], Quiet(*value["quiet"]) if value["quiet"] else None)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something that is to happen. Times are seconds since the epoch.

    `principal_id` is whose it is and `conversation_id` where it happens; a task has neither. `key` names it where it
    must not be made twice. `left` is how often it is due at most from now on, None: without end. A firing begins up to
    `jitter` seconds after it is due. `taint` is the content from outside that was in sight when it was made. `missed`
    says what becomes of firings that were missed, `missed_count` how many were so far, the last at `missed_at`.
    """

    id: ScheduleId
    kind: ScheduleKind
    text: str
    timing: Timing
    principal_id: PrincipalId | None = None
    conversation_id: ConversationId | None = None
    key: str | None = None
    state: ScheduleState = ScheduleState.ACTIVE
    next_due: float | None = None
    left: int | None = None
    jitter: float = 0.0
    missed: Missed = Missed.ONCE
    missed_count: int = 0
    missed_at: float | None = None
    fired: int = 0
    taint: Sequence[str] = ()
    options: JsonObject = field(default_factory=dict[str, object])
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Firing:
    """One time a schedule was due. `missed` is how many more it makes up for; `late`: it begins after its time."""

    id: FiringId
    schedule_id: ScheduleId
    due_at: float
    state: FiringState
    late: bool = False
    missed: int = 0
    job_id: JobId | None = None
    turn_id: TurnId | None = None
    note: str = ""
    answered: str = ""
    fired_at: float = 0.0
    ended_at: float | None = None
