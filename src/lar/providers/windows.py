"""How much text models take at once, as far as the price list knows them."""

from collections.abc import Mapping
from importlib import import_module

from lar.providers.contract import Vendor


class ContextWindows:
    """The contexts of some models, in tokens. Until `learn` was called, none is known."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def learn(self, models: Mapping[str, Vendor]) -> None:
        """Look these models (`provider:model`) up with their vendors; blocks while the price list is loaded."""
        snapshot = import_module("genai_prices.data_snapshot").get_snapshot()
        for reference, vendor in models.items():
            model = reference.partition(":")[2]
            try:
                _, found = snapshot.find_provider_model(model, None, vendor.id or "nobody", None)
            except LookupError:
                continue
            self._known[reference] = found.context_window or 0

    def of(self, reference: str) -> int:
        """The context of a model, 0 where it is not known."""
        return self._known.get(reference, 0)
