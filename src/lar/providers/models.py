"""Which model is meant by `provider:model`, made once and kept."""

import asyncio
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from lar.domain.values import Clock
from lar.errors import ConfigError
from lar.providers.contract import Input, ModelFactory, Parameters, Vendor
from lar.providers.health import Health
from lar.providers.loading import loading
from lar.providers.metering import Meter

if TYPE_CHECKING:
    from pydantic_ai.models import Model


class Models:
    """All configured providers by name. `takes` overrules what is known of models, see `ModelSettings.takes`.

    `health` is what is known of their keys; `meter` keeps calls within the budgets, None: nobody does.
    """

    def __init__(
        self,
        factories: Mapping[str, ModelFactory],
        takes: Mapping[str, frozenset[Input]] | None = None,
        clock: Clock = time.time,
        meter: Meter | None = None,
    ) -> None:
        self.meter = meter
        self.health = Health(clock)
        self._factories = factories
        self._takes = takes or {}
        self._made: dict[tuple[str, Parameters, int], Model] = {}
        self._making = asyncio.Lock()

    def check(self, reference: str) -> None:
        """Whether this reference can be resolved, without importing anything.

        Raises:
            ConfigError: it cannot; the message says why and what to write instead.

        """
        provider, colon, model = reference.partition(":")
        if not (colon and provider and model):
            raise ConfigError(f"model {reference!r} must be written as provider:model, for example openai:gpt-5-mini")
        if provider not in self._factories:
            known = ", ".join(sorted(self._factories)) or "none"
            raise ConfigError(f"model {reference!r}: no provider {provider!r} is configured (configured: {known})")

    def knows(self, reference: str) -> bool:
        """Whether this reference can be resolved."""
        provider, _, model = reference.partition(":")
        return bool(model) and provider in self._factories

    def endings(self, reference: str) -> tuple[str, ...]:
        """The last characters of each key this model may be asked with, in order of preference."""
        return self._factories[reference.partition(":")[0]].endings

    def vendor(self, reference: str) -> Vendor:
        """Who sends the bill for this model."""
        return self._factories[reference.partition(":")[0]].vendor

    def takes(self, reference: str) -> frozenset[Input]:
        """What this model may be given besides text: by the settings, else as far as is known."""
        for pattern, takes in self._takes.items():
            if fnmatchcase(reference, pattern):
                return takes
        provider, _, model = reference.partition(":")
        factory = self._factories.get(provider)
        return factory.takes(model) if factory else frozenset()

    async def get(
        self,
        reference: str,
        parameters: Parameters = Parameters(),  # noqa: B008  # frozen
        key: int = 0,
    ) -> "Model":
        """The model of this reference, asked with the key of this number (from 0).

        The first call imports the provider's SDK in a thread, about a second.

        Raises:
            ConfigError: it cannot be had.
            MissingComponent: its SDK is not installed.

        """
        self.check(reference)
        which = (reference, parameters, key)
        if which not in self._made:
            async with self._making:
                if which not in self._made:
                    provider, _, model = reference.partition(":")
                    self._made[which] = await loading(self._factories[provider], model, parameters, key)
        return self._made[which]

    async def close(self) -> None:
        """Give all connections back."""
        for factory in self._factories.values():
            await factory.close()
