"""Ollama's models: its Chat Completions, over the OpenAI SDK."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_ai.models.ollama import OllamaModel
from pydantic_ai.models.openai import OpenAIChatModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.ollama import OllamaProvider

from lar.providers.contract import Parameters
from lar.providers.openai_sdk import AS_THEY_ARE, LeanClient, fill, open_client
from lar.providers.settings import ProviderSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

_PROFILE = OpenAIModelProfile(**AS_THEY_ARE)


@dataclass(frozen=True)
class OllamaClient:
    """A `Client`."""

    sdk: LeanClient

    def model(self, name: str, parameters: Parameters, /) -> "Model":
        """The model of this name."""
        asked = OpenAIChatModelSettings()
        fill(asked, parameters)
        return OllamaModel(name, provider=OllamaProvider(openai_client=self.sdk), profile=_PROFILE, settings=asked)

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()


def connect(name: str, settings: ProviderSettings, key: str) -> OllamaClient:
    """Open a client; see `OpenClient`. The address may be written with or without its version."""
    del name
    address = settings.address.rstrip("/")
    if not address.endswith("/v1"):
        settings = settings.model_copy(update={"base_url": f"{address}/v1"})
    return OllamaClient(open_client(settings, key))
