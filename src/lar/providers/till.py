"""What leaves for a provider outside of questions, kept within the budgets: recordings to write down, text to speak."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lar.domain.spend import Payer, Spent
from lar.providers.loading import load
from lar.providers.models import Models

if TYPE_CHECKING:
    from lar.providers.prices import Prices


@dataclass(slots=True)
class Receipt:
    """What became of it: what the provider told; or that it was `refused`, which costs nothing."""

    told: Mapping[str, object] = field(default_factory=dict[str, object])
    refused: bool = False


class Till:
    """Puts aside what something may cost, and settles what it did cost."""

    def __init__(self, models: Models) -> None:
        self._models = models

    @asynccontextmanager
    async def recording(self, payer: Payer, reference: str, seconds: float) -> AsyncGenerator[Receipt]:
        """Send one recording of at most so many seconds meanwhile; where nobody tells, it is paid for in full.

        Raises:
            BudgetReached: a cap does not allow it.

        """
        vendor = self._models.vendor(reference)

        def cost(prices: "Prices", receipt: Receipt | None) -> Spent:
            if receipt is None:
                return prices.sound(reference, vendor, seconds)
            return prices.heard(reference, vendor, receipt.told, seconds)

        async with self._hold(payer, reference, cost) as receipt:
            yield receipt

    @asynccontextmanager
    async def speech(self, payer: Payer, reference: str, characters: int) -> AsyncGenerator[Receipt]:
        """Have so many characters spoken meanwhile; nobody tells what that costs, so it is reckoned.

        Raises:
            BudgetReached: a cap does not allow it.

        """
        vendor = self._models.vendor(reference)
        async with self._hold(payer, reference, lambda prices, _: prices.spoken(reference, vendor, characters)) as it:
            yield it

    @asynccontextmanager
    async def _hold(
        self, payer: Payer, reference: str, cost: "Callable[[Prices, Receipt | None], Spent]"
    ) -> AsyncGenerator[Receipt]:
        """`cost` says what it costs: at most before there is a receipt, then by what that tells."""
        receipt, meter = Receipt(), self._models.meter
        if meter is None:
            yield receipt
            return
        await load("lar.providers.prices")
        from lar.providers.prices import Prices

        prices = Prices(meter.settings)
        hold = await meter.reserve(payer, reference, cost(prices, None))
        try:
            yield receipt
        finally:
            meter.settle(hold, Spent() if receipt.refused else cost(prices, receipt))
