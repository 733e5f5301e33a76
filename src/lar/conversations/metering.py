"""The meter: what a call may cost is reserved before it is made, and what it did cost is settled after it."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection

from lar.domain.spend import Payer, Spent
from lar.domain.values import Clock
from lar.errors import BudgetReached, StoreError
from lar.policy import budgets as policy
from lar.policy.budgets import Period, Scope, Standing
from lar.policy.settings import BudgetSettings
from lar.providers.metering import Hold
from lar.store import budgets, lasting
from lar.store.database import Database

log = structlog.get_logger(__name__)

RAISED = "budget_raised"
"""Where it is kept what admins added: `day` (YYYY-MM-DD), and `by`: US dollars by `Account.key`."""

ORPHAN_SECONDS = 3600.0
"""What was reserved longer ago than this on PostgreSQL belongs to a call that nobody will settle."""

_ORDER = tuple(
    (scope, period)
    for scope in (Scope.TOTAL, Scope.PERSON, Scope.AGENT, Scope.SCHEDULE)
    for period in (Period.DAY, Period.MONTH)
)


class Notices(Protocol):
    """Tells people about their budgets, in the transaction that found out."""

    def refused(self, connection: Connection, standing: Standing, day: str, now: float, /) -> None:
        """A call was refused."""
        ...

    def warned(self, connection: Connection, payer: Payer, near: Sequence[Standing], day: str, now: float, /) -> None:
        """These are nearly used up."""
        ...


class StoreMeter:
    """Keeps every model call within the budgets, in the database. Days are those of `zone` (None: the machine's)."""

    def __init__(
        self, db: Database, settings: BudgetSettings, clock: Clock, zone: tzinfo | None, notices: Notices
    ) -> None:
        self._settings = settings
        self._db = db
        self._clock = clock
        self._zone = zone
        self._notices = notices
        self._settling: set[asyncio.Task[None]] = set()

    @property
    def settings(self) -> BudgetSettings:
        """The budgets, and the owner's prices."""
        return self._settings

    async def open(self) -> None:
        """Settle what a crash left behind."""
        age = 0.0 if self._db.dialect == "sqlite" else ORPHAN_SECONDS
        found = await self._db.write(budgets.settle_orphans, self._clock() - age)
        if found:
            log.warning("model calls of an earlier run are settled in full", calls=found)

    async def reserve(self, payer: Payer, model: str, most: Spent) -> Hold:
        """Put aside what a call may cost at most.

        Raises:
            BudgetReached: a cap does not allow it.

        """
        now = self._clock()
        day = self.day(now)
        if not most.usd:
            return Hold(payer, model, day, None)
        writing = asyncio.create_task(self._db.write(self._reserve, payer, model, most, day, now))
        try:
            found = await asyncio.shield(writing)
        except asyncio.CancelledError:
            self._begin(self._given_back(writing))
            raise
        if isinstance(found, Standing):
            account = found.account
            raise BudgetReached(account.scope, account.period, found.cap, retry_after=self._left(account.period, now))
        return Hold(payer, model, day, found)

    def settle(self, hold: Hold, spent: Spent) -> None:
        """Put what it cost in the place of what was put aside, in the background: nobody waits for it."""
        if hold.number is not None:
            self._begin(self._db.write(budgets.settle, hold.number, spent))
        elif spent.input_tokens or spent.output_tokens:
            self._begin(self._db.write(budgets.record, hold.payer, hold.model, spent, hold.day))

    async def close(self) -> None:
        """Wait until everything is settled."""
        while self._settling:
            await asyncio.wait(self._settling)

    def day(self, now: float) -> str:
        """The day of a moment, as YYYY-MM-DD."""
        return datetime.fromtimestamp(now, self._zone).date().isoformat()

    async def _given_back(self, writing: "asyncio.Task[int | Standing]") -> None:
        """Whoever wanted this was stopped, and what is being written is written nevertheless."""
        found = await writing
        if isinstance(found, int):
            await self._db.write(budgets.settle, found, Spent())

    def _begin(self, writing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_logged(writing))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _reserve(  # one unit of the store
        self, connection: Connection, payer: Payer, model: str, most: Spent, day: str, now: float
    ) -> int | Standing:
        sums = dict(zip(_ORDER, budgets.sums(connection, payer, day), strict=True))
        found = policy.standings(self._settings, payer, sums, {})
        if policy.refusal(found, most.usd) is not None:
            found = policy.standings(self._settings, payer, sums, raised(connection, day))
            refused = policy.refusal(found, most.usd)
            if refused is not None:
                self._notices.refused(connection, refused, day, now)
                return refused
        if near := policy.warnings(self._settings, found):
            self._notices.warned(connection, payer, near, day, now)
        return budgets.reserve(connection, payer, model, most, day, now)

    def _left(self, period: Period, now: float) -> float:
        """Seconds until the period begins anew."""
        today = datetime.fromtimestamp(now, self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = today + timedelta(days=1)
        if period is Period.MONTH:
            tomorrow = (today.replace(day=28) + timedelta(days=4)).replace(day=1)
        return tomorrow.timestamp() - now


def raised(connection: Connection, day: str) -> dict[str, float]:
    """What admins added for this day, in US dollars by `Account.key`."""
    kept = lasting.load(connection, RAISED)
    return dict(kept["by"]) if kept is not None and kept["day"] == day else {}


def add_for_today(connection: Connection, key: str, usd: float, day: str) -> None:
    """An admin allows more for this day."""
    by = raised(connection, day)
    by[key] = by.get(key, 0.0) + usd
    lasting.save(connection, RAISED, {"day": day, "by": by})


async def _logged(writing: Coroutine[Any, Any, None]) -> None:
    try:
        await writing
    except StoreError as error:
        log.warning("what a model call cost could not be written; its reservation stays", error=str(error))
