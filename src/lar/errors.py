"""The error tree. Every message says what happened and what to do about it.

LarError
├── ConfigError            the configuration cannot be used
├── StoreError             the database
│   ├── SchemaTooNew       written by a newer Lar
│   ├── DatabaseBusy       another process owns the file
│   └── CommitFailed       the commit failed; nothing of the batch was kept
├── EngineError            durable execution
│   ├── Fenced             the job belongs to somebody else by now, or was cancelled
│   ├── OutcomeUnknown     an effect that must not be repeated was interrupted
│   └── Suspended          the job waits for somebody's answer, and goes on when it comes
├── SandboxError           a command cannot be run behind walls
├── ToolError              a tool refuses or fails; its text goes to the model
├── MediaError             a file cannot be looked at, read or listened to; `kind` says why
├── ThinkingError          a runtime cannot go on; `kind` says why
│   ├── BudgetReached      no more may be spent on this
│   ├── LimitReached       a limit of the turn was reached
│   └── HandedOver         somebody else must decide; the turn ends, the decision starts a new one
├── ScheduleError          a time, a rule or a runbook that cannot be
├── ChannelError           a channel cannot do what was asked
│   ├── SendLater          not now: `after` seconds
│   ├── SendUncertain      no answer came: it may have arrived, or not
│   ├── SendRefused        the vendor refuses this part for good
│   ├── ChatGone           blocked, deleted or kicked: nothing can be sent there any more
│   └── FileTooLarge       over the channel's limit
└── MissingComponent       an optional part is not installed; names the command that installs it
"""

from typing import Literal


class LarError(Exception):
    """Base of every error Lar raises on purpose."""


class ConfigError(LarError):
    """The configuration cannot be used; the message names the key, the reason and the remedy."""


class StoreError(LarError):
    """The database cannot do what was asked."""


class SchemaTooNew(StoreError):
    """The database was written by a newer version of Lar."""


class DatabaseBusy(StoreError):
    """Another process owns the SQLite file."""


class CommitFailed(StoreError):
    """A commit failed: no unit of its batch was kept, every one of them may be tried again."""


class EngineError(LarError):
    """Durable execution cannot go on."""


class Fenced(EngineError):
    """This worker no longer owns the job: it was cancelled, or another worker took it over."""


class OutcomeUnknown(EngineError):
    """An effect that must not be repeated was interrupted; whether it happened is unknown."""

    def __init__(self, key: str) -> None:
        super().__init__(f"step {key!r} was interrupted and must not be repeated: its outcome is unknown")
        self.key = key


class Suspended(EngineError):
    """The job waits for an answer, at most until `until` (seconds since the epoch); then it is run again."""

    def __init__(self, until: float) -> None:
        super().__init__("the job waits for an answer")
        self.until = until


class SandboxError(LarError):
    """A sandbox cannot run what was asked; the message says why, and what to do."""


class ToolError(LarError):
    """A tool refuses or fails. The text is written for the model and says how to do better.

    `source` says where the text came from if that is outside. `unknown`: what was asked may have happened, or not.
    """

    def __init__(self, message: str, *, source: str = "", unknown: bool = False) -> None:
        super().__init__(message)
        self.source = source
        self.unknown = unknown


MediaKind = Literal["too_large", "too_many", "damaged", "unsupported", "unheard", "missing", "failed", "budget"]


class MediaError(LarError):
    """A file cannot be looked at, read or listened to; the text says why, beginning in the middle of a sentence."""

    def __init__(self, kind: MediaKind, message: str) -> None:
        super().__init__(message)
        self.kind: MediaKind = kind


ThinkingKind = Literal[
    "quota",
    "rate",
    "auth",
    "context",
    "overloaded",
    "network",
    "refused",
    "timeout",
    "limit",
    "budget",
    "invalid",
    "unknown",
]


class ThinkingError(LarError):
    """A runtime cannot go on. `retry_after` (seconds) is set where the provider said when to come back."""

    def __init__(self, kind: ThinkingKind, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind: ThinkingKind = kind
        self.retry_after = retry_after


class LimitReached(ThinkingError):
    """A limit of the turn was reached; `which` is the limit's name in `domain.turn.Limits`."""

    def __init__(self, which: str, message: str) -> None:
        super().__init__("limit", message)
        self.which = which


class BudgetReached(ThinkingError):
    """No more may be spent. `scope` (person, agent, schedule, total) and `period` (day, month) name the cap.

    `cap` is in US dollars; `retry_after` are the seconds until the period begins anew.
    """

    def __init__(self, scope: str, period: str, cap: float, *, retry_after: float) -> None:
        super().__init__("budget", f"the budget of ${cap:g} a {period} ({scope}) is used up", retry_after=retry_after)
        self.scope = scope
        self.period = period
        self.cap = cap


class HandedOver(ThinkingError):
    """Somebody else must decide about a call. `summary` says what it would do, in plain words."""

    def __init__(self, summary: str) -> None:
        super().__init__("limit", f"an admin must decide: {summary}")
        self.summary = summary


class ScheduleError(LarError):
    """A time, a rule or a runbook that cannot be: the message says what is wrong with it."""


class ChannelError(LarError):
    """A channel cannot do what was asked."""


class SendLater(ChannelError):
    """Not delivered; try again after `after` seconds."""

    def __init__(self, after: float, message: str) -> None:
        super().__init__(message)
        self.after = after


class SendUncertain(ChannelError):
    """No answer came: the part may have arrived, or not."""


class SendRefused(ChannelError):
    """The vendor refuses this part and would refuse it again."""


class ChatGone(ChannelError):
    """The chat is blocked, deleted, or we were removed from it."""


class FileTooLarge(ChannelError):
    """The file is larger than the channel carries."""


class MissingComponent(LarError):
    """An optional component is missing; the message names it and the command that installs it."""
