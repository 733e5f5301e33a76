"""Settings of a provider of models."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

ProviderKind = Literal["openai", "openai_responses"]


class ProviderSettings(BaseModel):
    """How to reach an API that serves models."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: ProviderKind = Field(default="openai", description="The API it speaks: Chat Completions, or Responses.")
    base_url: str = Field(default="", description="Address of the API, with its version; by default the vendor's own.")
    api_key: SecretStr | None = Field(default=None, description="The key. `${NAME}` reads it from the environment.")
    api_keys: tuple[SecretStr, ...] = Field(
        default=(), description="Several keys, in order of preference: the first is used where `api_key` is not set."
    )
    timeout_seconds: float = Field(default=120.0, gt=0, description="How long a model may stay silent, in seconds.")

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys in the order they are tried, none twice."""
        keys = (self.api_key, *self.api_keys)
        return tuple(dict.fromkeys(value for key in keys if key and (value := key.get_secret_value())))


@dataclass(frozen=True, slots=True)
class Usual:
    """What a provider of this name usually is: the variable that holds its key, and its address ("": the default)."""

    variable: str
    base_url: str = ""


USUAL = {
    "openai": Usual("OPENAI_API_KEY"),
    "anthropic": Usual("ANTHROPIC_API_KEY", "https://api.anthropic.com/v1"),
    "gemini": Usual("GEMINI_API_KEY", "https://generativelanguage.googleapis.com/v1beta/openai"),
    "groq": Usual("GROQ_API_KEY", "https://api.groq.com/openai/v1"),
    "openrouter": Usual("OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
}
"""Providers whose key is found without configuration. All of them also speak Chat Completions at their address."""
