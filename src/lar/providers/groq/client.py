"""Groq's models: Chat Completions with a field for reasoning, over the OpenAI SDK."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from lar.providers.contract import Parameters
from lar.providers.openai_sdk import LeanClient, fill, open_client
from lar.providers.settings import ProviderSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

_PROFILE = OpenAIModelProfile(
    json_schema_transformer=None, openai_chat_thinking_field="reasoning", openai_chat_send_back_thinking_parts=False
)
"""What it reasoned is not sent back to it: Groq refuses that."""


@dataclass(frozen=True)
class GroqClient:
    """A `Client`."""

    sdk: LeanClient

    def model(self, name: str, parameters: Parameters, /) -> "Model":
        """The model of this name."""
        asked = OpenAIChatModelSettings()
        fill(asked, parameters)
        provider = OpenAICompatibleProvider("groq", openai_client=self.sdk)
        return OpenAIChatModel(name, provider=provider, profile=_PROFILE, settings=asked)

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()


def connect(name: str, settings: ProviderSettings, key: str) -> GroqClient:
    """Open a client; see `OpenClient`."""
    del name
    return GroqClient(open_client(settings, key))
