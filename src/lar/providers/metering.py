"""The seam for budgets: who keeps model calls within them. What a call may cost is reserved, what it did is settled."""

from dataclasses import dataclass
from typing import Protocol

from lar.domain.spend import Payer, Spent
from lar.policy.settings import BudgetSettings


@dataclass(frozen=True, slots=True)
class Hold:
    """A call that is under way. `number` is its reservation, None where it costs nothing."""

    payer: Payer
    model: str
    day: str
    number: int | None


class Meter(Protocol):
    """Keeps every model call within the budgets."""

    @property
    def settings(self) -> BudgetSettings:
        """The budgets, and the owner's prices."""
        ...

    async def reserve(self, payer: Payer, model: str, most: Spent) -> Hold:
        """Put aside what a call may cost at most.

        Raises:
            BudgetReached: a cap does not allow it.

        """
        ...

    def settle(self, hold: Hold, spent: Spent) -> None:
        """Put what it cost in the place of what was put aside, in the background: nobody waits for it."""
        ...
