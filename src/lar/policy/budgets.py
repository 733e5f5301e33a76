"""What may be spent: caps per person, agent, schedule and in all, per day and month. Pure: sums in, a verdict out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lar.domain.spend import Payer
from lar.policy.settings import BudgetSettings, Cap

HEARTBEAT = "heartbeat"
"""What the heartbeat is called where it pays."""


class Scope(StrEnum):
    """Whose spending a cap is about."""

    PERSON = "person"
    AGENT = "agent"
    SCHEDULE = "schedule"
    TOTAL = "total"


class Period(StrEnum):
    """How long a cap holds before it begins anew."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Account:
    """What a cap is about. `name` is the person's id, or the name of the agent or schedule; empty for the total."""

    scope: Scope
    period: Period
    name: str = ""

    @property
    def key(self) -> str:
        """The same as one word, such as `person:day:7`."""
        return f"{self.scope}:{self.period}:{self.name}"

    @classmethod
    def from_key(cls, key: str) -> "Account | None":
        """Read what `key` wrote; None if it did not."""
        scope, _, rest = key.partition(":")
        period, _, name = rest.partition(":")
        known = scope in set(Scope) and period in set(Period)
        return cls(Scope(scope), Period(period), name) if known else None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands, in US dollars: its cap, raised or not, and what is spent or reserved."""

    account: Account
    cap: float
    spent: float


Sums = Mapping[tuple[Scope, Period], float]
"""What is spent or reserved of each account of one payer, in US dollars."""


def caps(settings: BudgetSettings, payer: Payer) -> Iterator[tuple[Account, float]]:
    """The caps that hold for this payer."""
    by_scope: list[tuple[Scope, str, Cap]] = [(Scope.TOTAL, "", settings.total)]
    if payer.principal_id:
        by_scope.append((Scope.PERSON, str(payer.principal_id), settings.person))
    if payer.agent:
        by_scope.append((Scope.AGENT, payer.agent, settings.agents.get(payer.agent, settings.agent)))
    if payer.schedule:
        by_scope.append((Scope.SCHEDULE, payer.schedule, _of_schedule(settings, payer.schedule)))
    for scope, name, cap in by_scope:
        if cap.day is not None:
            yield Account(scope, Period.DAY, name), cap.day
        if cap.month is not None:
            yield Account(scope, Period.MONTH, name), cap.month


def standings(settings: BudgetSettings, payer: Payer, sums: Sums, raised: Mapping[str, float]) -> list[Standing]:
    """How every account of this payer stands. `raised` is what an admin added for today, by `Account.key`."""
    return [
        Standing(account, cap + raised.get(account.key, 0.0), sums.get((account.scope, account.period), 0.0))
        for account, cap in caps(settings, payer)
    ]


def refusal(found: list[Standing], cost: float) -> Standing | None:
    """The account that this cost would overdraw; None: it may be spent."""
    return next((standing for standing in found if cost > 0 and standing.spent + cost > standing.cap), None)


def warnings(settings: BudgetSettings, found: list[Standing]) -> list[Standing]:
    """The accounts that are nearly used up."""
    return [standing for standing in found if standing.spent >= settings.warn_at * standing.cap > 0]


def more_for_today(settings: BudgetSettings, account: Account) -> float:
    """How much an admin's yes adds for today: a daily cap once more, a tenth of a monthly one."""
    cap: Cap = {
        Scope.PERSON: settings.person,
        Scope.AGENT: settings.agents.get(account.name, settings.agent),
        Scope.SCHEDULE: _of_schedule(settings, account.name),
        Scope.TOTAL: settings.total,
    }[account.scope]
    return (cap.day or 0.0) if account.period is Period.DAY else (cap.month or 0.0) / 10


def _of_schedule(settings: BudgetSettings, name: str) -> Cap:
    """The caps of a schedule."""
    usual = settings.heartbeat if name == HEARTBEAT else settings.schedule
    return settings.schedules.get(name, usual)
