"""What leaves for a provider outside of questions, kept within the budgets: recordings that are transcribed."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lar.domain.spend import Payer, Spent
from lar.providers.loading import load
from lar.providers.models import Models


@dataclass(slots=True)
class Receipt:
    """What became of one recording: what the provider told of it; or that it was `refused`, which costs nothing."""

    told: Mapping[str, object] = field(default_factory=dict[str, object])
    refused: bool = False


class Till:
    """Puts aside what a recording may cost, and settles what it did cost."""

    def __init__(self, models: Models) -> None:
        self._models = models

    @asynccontextmanager
    async def recording(self, payer: Payer, reference: str, seconds: float) -> AsyncGenerator[Receipt]:
        """Send one recording of at most so many seconds meanwhile; where nobody tells, it is paid for in full.

        Raises:
            BudgetReached: a cap does not allow it.

        """
        receipt, meter = Receipt(), self._models.meter
        if meter is None:
            yield receipt
            return
        await load("lar.providers.prices")
        from lar.providers.prices import Prices

        prices, vendor = Prices(meter.settings), self._models.vendor(reference)
        hold = await meter.reserve(payer, reference, prices.sound(reference, vendor, seconds))
        try:
            yield receipt
        finally:
            heard = prices.heard(reference, vendor, receipt.told, seconds)
            meter.settle(hold, Spent() if receipt.refused else heard)
