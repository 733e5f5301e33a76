"""Anthropic's models, over its SDK."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anthropic import AsyncAnthropic
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.profiles.anthropic import AnthropicModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider

from lar.providers.contract import Parameters
from lar.providers.settings import ProviderSettings
from lar.providers.transport import open_http

if TYPE_CHECKING:
    from pydantic_ai.models import Model

_AS_THEY_ARE = AnthropicModelProfile(json_schema_transformer=None)
"""Schemas of tools are ours and plain."""


@dataclass(frozen=True)
class AnthropicClient:
    """A `Client`."""

    sdk: AsyncAnthropic

    def model(self, name: str, parameters: Parameters, /) -> "Model":
        """The model of this name."""
        asked = AnthropicModelSettings()
        if parameters.temperature is not None:
            asked["temperature"] = parameters.temperature
        if parameters.max_output_tokens is not None:
            asked["max_tokens"] = parameters.max_output_tokens
        if parameters.reasoning_effort is not None:
            asked["thinking"] = False if parameters.reasoning_effort == "none" else parameters.reasoning_effort
        provider = AnthropicProvider(anthropic_client=self.sdk)
        return AnthropicModel(name, provider=provider, profile=_AS_THEY_ARE, settings=asked)

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()


def connect(name: str, settings: ProviderSettings, key: str) -> AnthropicClient:
    """Open a client; see `OpenClient`. The SDK adds the version to the address itself."""
    del name
    http = open_http(settings.timeout_seconds)
    address = settings.address.rstrip("/").removesuffix("/v1")
    return AnthropicClient(
        AsyncAnthropic(
            api_key=key or "no-key-needed", base_url=address, http_client=http, timeout=http.timeout, max_retries=0
        )
    )
