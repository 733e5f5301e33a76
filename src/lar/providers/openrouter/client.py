"""OpenRouter's models: Chat Completions with a pool of models, routing and plugins, over the OpenAI SDK."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_ai.models.openrouter import OpenRouterModel, OpenRouterModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openrouter import OpenRouterProvider

from lar.providers.contract import Parameters
from lar.providers.openai_sdk import AS_THEY_ARE, LeanClient, open_client
from lar.providers.settings import ProviderSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

_PROFILE = OpenAIModelProfile(**AS_THEY_ARE)


@dataclass(frozen=True)
class OpenRouterClient:
    """A `Client`."""

    settings: ProviderSettings
    sdk: LeanClient

    def model(self, name: str, parameters: Parameters, /) -> "Model":
        """The model of this name."""
        provider = OpenRouterProvider(openai_client=self.sdk)
        return OpenRouterModel(name, provider=provider, profile=_PROFILE, settings=self._settings(name, parameters))

    def _settings(self, name: str, parameters: Parameters) -> OpenRouterModelSettings:
        """What is set, as OpenRouter spells it. The model itself is no fallback of itself."""
        asked = OpenRouterModelSettings()
        if parameters.temperature is not None:
            asked["temperature"] = parameters.temperature
        if parameters.max_output_tokens is not None:
            asked["max_tokens"] = parameters.max_output_tokens
        if parameters.reasoning_effort is not None:
            asked["openrouter_reasoning"] = {"effort": parameters.reasoning_effort}
        body: dict[str, Any] = {}
        if pool := [model for model in self.settings.models if model != name]:
            body["models"] = [name, *pool]
        routing = self.settings.routing
        if routing is not None and routing.model_fields_set:
            body["provider"] = routing.model_dump(exclude_unset=True, mode="json")
        if self.settings.plugins:
            body["plugins"] = [dict(plugin) for plugin in self.settings.plugins]
        if body:
            asked["extra_body"] = body
        return asked

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()


def connect(name: str, settings: ProviderSettings, key: str) -> OpenRouterClient:
    """Open a client; see `OpenClient`."""
    del name
    return OpenRouterClient(settings, open_client(settings, key))
