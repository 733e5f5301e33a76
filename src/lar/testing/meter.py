"""A meter that keeps its books in memory."""

from lar.domain.spend import Payer, Spent
from lar.errors import BudgetReached
from lar.policy.settings import BudgetSettings
from lar.providers.metering import Hold


class Book:
    """A `Meter` that writes down what it is told. While it is not `open`, nothing may be spent."""

    def __init__(self, settings: BudgetSettings | None = None) -> None:
        self.open = True
        self.held: list[tuple[Payer, str, Spent]] = []
        self.spent: list[Spent] = []
        self._settings = settings or BudgetSettings()

    @property
    def settings(self) -> BudgetSettings:
        """The budgets."""
        return self._settings

    async def reserve(self, payer: Payer, model: str, most: Spent) -> Hold:
        """Put aside; see `Meter`."""
        if not self.open:
            raise BudgetReached("person", "day", 5.0, retry_after=60.0)
        self.held.append((payer, model, most))
        return Hold(payer, model, "2026-01-01", len(self.held))

    def settle(self, hold: Hold, spent: Spent) -> None:
        """Write down; see `Meter`."""
        assert hold.number == len(self.held)
        self.spent.append(spent)
