"""The door to the OpenAI SDK: imports nothing of it until a model is asked for."""

import threading
from typing import TYPE_CHECKING

from lar.errors import ConfigError
from lar.providers.contract import Parameters
from lar.providers.settings import ProviderSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from lar.providers.openai.client import LeanClient


class OpenAIFactory:
    """Models of one provider. All of them share one client and its connections. A `ModelFactory`."""

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        self._name = name
        self._settings = settings
        self._client: LeanClient | None = None
        self._opening = threading.Lock()

    def __call__(self, model: str, parameters: Parameters, /) -> "Model":
        """The model of this name.

        Raises:
            ConfigError: OpenAI itself is meant and no key is set.

        """
        from lar.providers.openai.client import make_model, open_client

        with self._opening:
            if self._client is None:
                self._client = open_client(self._settings, self._key())
        return make_model(self._client, self._name, self._settings, model, parameters)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _key(self) -> str:
        keys = [key for key in (self._settings.api_key, *self._settings.api_keys) if key is not None]
        if keys:
            return keys[0].get_secret_value()
        if self._settings.base_url:
            return "no-key-needed"  # servers at home often want none, and the SDK wants one
        raise ConfigError(
            f"providers.{self._name}: no api_key is set; set OPENAI_API_KEY or providers.{self._name}.api_key"
        )
