"""Settings of a provider of models."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

ProviderKind = Literal["openai", "openai_responses"]


class ProviderSettings(BaseModel):
    """How to reach an API that serves models."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: ProviderKind = Field("openai", description="The API it speaks: Chat Completions, or Responses.")
    base_url: str = Field("", description="Address of the API, with its version; by default the vendor's own.")
    api_key: SecretStr | None = Field(None, description="The key. `${NAME}` reads it from the environment.")
    api_keys: tuple[SecretStr, ...] = Field((), description="Further keys, which take over when one is exhausted.")
    timeout_seconds: float = Field(120.0, gt=0, description="How long a model may stay silent, in seconds.")
