"""OpenAI's models, over its SDK."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_ai.models.openai import (
    OpenAIChatModel,
    OpenAIChatModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from lar.providers.contract import Parameters
from lar.providers.openai_sdk import AS_THEY_ARE, LeanClient, fill, open_client
from lar.providers.settings import ProviderSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model


@dataclass(frozen=True)
class OpenAIClient:
    """A `Client`. A provider called openai, or without a base URL, is OpenAI itself."""

    name: str
    settings: ProviderSettings
    sdk: LeanClient

    def model(self, name: str, parameters: Parameters, /) -> "Model":
        """The model of this name."""
        is_openai = self.name == "openai" or not self.settings.base_url
        provider = (
            OpenAIProvider(openai_client=self.sdk)
            if is_openai
            else OpenAICompatibleProvider(self.name, openai_client=self.sdk)
        )
        if self.settings.kind == "openai_responses":
            asked = OpenAIResponsesModelSettings(openai_store=False)
            fill(asked, parameters)
            return OpenAIResponsesModel(name, provider=provider, profile=AS_THEY_ARE, settings=asked)
        chat = OpenAIChatModelSettings()
        fill(chat, parameters)
        return OpenAIChatModel(name, provider=provider, profile=AS_THEY_ARE, settings=chat)

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()


def connect(name: str, settings: ProviderSettings, key: str) -> OpenAIClient:
    """Open a client; see `OpenClient`."""
    return OpenAIClient(name, settings, open_client(settings, key))
