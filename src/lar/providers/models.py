"""Which model is meant by `provider:model`, made once and kept."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lar.errors import ConfigError
from lar.providers.contract import ModelFactory, Parameters

if TYPE_CHECKING:
    from pydantic_ai.models import Model


class Models:
    """All configured providers by name."""

    def __init__(self, factories: Mapping[str, ModelFactory]) -> None:
        self._factories = factories
        self._made: dict[tuple[str, Parameters], Model] = {}
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

    async def get(self, reference: str, parameters: Parameters = Parameters()) -> "Model":  # noqa: B008  # frozen
        """The model of this reference. The first call imports the provider's SDK in a thread, about a second.

        Raises:
            ConfigError: it cannot be had.

        """
        self.check(reference)
        key = (reference, parameters)
        if key not in self._made:
            async with self._making:
                if key not in self._made:
                    provider, _, model = reference.partition(":")
                    self._made[key] = await asyncio.to_thread(self._factories[provider], model, parameters)
        return self._made[key]

    async def close(self) -> None:
        """Give all connections back."""
        for factory in self._factories.values():
            await factory.close()
