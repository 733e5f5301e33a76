"""Gemini's models, over Google's SDK."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
from pydantic_ai.models.google import GoogleModel, GoogleModelSettings
from pydantic_ai.profiles.google import GoogleModelProfile
from pydantic_ai.providers.google import GoogleProvider

from lar.providers.contract import Parameters
from lar.providers.settings import ProviderSettings
from lar.providers.transport import open_http

if TYPE_CHECKING:
    from pydantic_ai.models import Model

_AS_THEY_ARE = GoogleModelProfile(json_schema_transformer=None)
"""Schemas of tools are ours and plain."""


@dataclass(frozen=True)
class GoogleClient:
    """A `Client`."""

    provider: GoogleProvider
    http: httpx2.AsyncClient

    def model(self, name: str, parameters: Parameters, /) -> "Model":
        """The model of this name."""
        asked = GoogleModelSettings()
        if parameters.temperature is not None:
            asked["temperature"] = parameters.temperature
        if parameters.max_output_tokens is not None:
            asked["max_tokens"] = parameters.max_output_tokens
        if parameters.reasoning_effort is not None:
            asked["thinking"] = False if parameters.reasoning_effort == "none" else parameters.reasoning_effort
        return GoogleModel(name, provider=self.provider, profile=_AS_THEY_ARE, settings=asked)

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()


def connect(name: str, settings: ProviderSettings, key: str) -> GoogleClient:
    """Open a client; see `OpenClient`."""
    del name
    http = open_http(settings.timeout_seconds)
    return GoogleClient(
        GoogleProvider(api_key=key or "no-key-needed", base_url=settings.address or None, http_client=http), http
    )
