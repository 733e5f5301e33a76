"""Settings of a provider of models, and of which model does what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lar.providers.contract import Input

ProviderKind = Literal["openai", "openai_responses", "openrouter", "google", "groq", "anthropic", "ollama"]

ADDRESSES: Mapping[ProviderKind, str] = {
    "openai": "",
    "openai_responses": "",
    "openrouter": "https://openrouter.ai/api/v1",
    "google": "",
    "groq": "https://api.groq.com/openai/v1",
    "anthropic": "https://api.anthropic.com",
    "ollama": "http://127.0.0.1:11434/v1",
}
"""The vendor's own address of each API; "": its SDK knows."""

_FROZEN = ConfigDict(frozen=True, extra="ignore")


class RoutingSettings(BaseModel):
    """Whom OpenRouter may ask; see its documentation of provider routing. Only what is set is sent."""

    model_config = _FROZEN

    order: tuple[str, ...] = Field(default=(), description="Providers in the order they are tried.")
    only: tuple[str, ...] = Field(default=(), description="Providers that may be asked at all.")
    ignore: tuple[str, ...] = Field(default=(), description="Providers that are never asked.")
    allow_fallbacks: bool = Field(default=True, description="Whether others are asked where these fail.")
    require_parameters: bool = Field(default=False, description="Only providers that know every parameter sent.")
    data_collection: Literal["allow", "deny"] = Field(
        default="allow", description="Whether providers that may keep what they are sent are asked."
    )
    sort: Literal["price", "throughput", "latency"] = Field(default="price", description="What is preferred.")
    quantizations: tuple[str, ...] = Field(default=(), description="Quantizations that will do, such as fp8.")
    max_price: Mapping[str, float] = Field(
        default={}, description="Highest price in dollars: prompt and completion per million tokens."
    )


class ProviderSettings(BaseModel):
    """How to reach an API that serves models."""

    model_config = _FROZEN

    kind: ProviderKind = Field(
        default="openai",
        description="The API it speaks: openai is Chat Completions, which most servers speak. By default that of its "
        "name (anthropic, gemini, groq, openrouter, ollama), else openai.",
    )
    base_url: str = Field(default="", description="Address of the API, with its version; by default the vendor's own.")
    api_key: SecretStr | None = Field(default=None, description="The key. `${NAME}` reads it from the environment.")
    api_keys: tuple[SecretStr, ...] = Field(
        default=(), description="More keys, in order of preference: where one is used up, the next is asked with."
    )
    timeout_seconds: float = Field(default=120.0, gt=0, description="How long a model may stay silent, in seconds.")
    models: tuple[str, ...] = Field(
        default=(), description="OpenRouter: models it asks where the one named fails, in this order."
    )
    routing: RoutingSettings | None = Field(default=None, description="OpenRouter: whom it may ask.")
    plugins: tuple[Mapping[str, object], ...] = Field(
        default=(), description='OpenRouter: plugins, as it takes them, such as `[{id = "web"}]`.'
    )

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys in the order they are tried, none twice."""
        keys = (self.api_key, *self.api_keys)
        return tuple(dict.fromkeys(value for key in keys if key and (value := key.get_secret_value())))

    @property
    def address(self) -> str:
        """Where the API is; "": where its SDK looks for it."""
        return self.base_url or ADDRESSES[self.kind]

    @property
    def usable(self) -> bool:
        """Whether it can be asked: it has a key, or is a server of one's own, which often wants none."""
        return bool(self.keys or self.base_url or self.kind == "ollama")


@dataclass(frozen=True, slots=True)
class Usual:
    """What a provider of this name usually is: the variable that holds its key, its API, and what it is good for.

    `chat`, `summary` and so on are models used for that task where nothing else is set; "": none is known.
    """

    variable: str
    kind: ProviderKind
    chat: str = ""
    summary: str = ""
    reasoning: str = ""
    transcription: str = ""


USUAL: Mapping[str, Usual] = {
    "openai": Usual("OPENAI_API_KEY", "openai", "gpt-5-mini", "gpt-5-nano", "", "gpt-4o-mini-transcribe"),
    "anthropic": Usual("ANTHROPIC_API_KEY", "anthropic", "claude-sonnet-4-6", "claude-haiku-4-5"),
    "gemini": Usual("GEMINI_API_KEY", "google", "gemini-3-flash-preview"),
    "openrouter": Usual("OPENROUTER_API_KEY", "openrouter", "openai/gpt-5-mini", "openai/gpt-5-nano"),
    "groq": Usual(
        "GROQ_API_KEY",
        "groq",
        "openai/gpt-oss-120b",
        "qwen/qwen3-32b",
        "openai/gpt-oss-120b",
        "whisper-large-v3-turbo",
    ),
    "ollama": Usual("OLLAMA_API_KEY", "ollama"),
}
"""Providers whose key is found without configuration, in the order in which they are chosen for talking."""

FALLBACKS = ("_FALLBACK", "_FALLBACKS")
"""Endings of variables that hold one more key, or several with commas."""


class ModelSettings(BaseModel):
    """Which model does what, each written `provider:model`. By default whatever fits the keys that are there."""

    model_config = _FROZEN

    chat: str = Field(default="", description="Talks, for agents that name no model.")
    summary: str = Field(default="", description="Sums up what was said, for memory.")
    triage: str = Field(default="", description="Analyses error reports.")
    solve: str = Field(default="", description="Plans the commands of `/solve`.")
    transcription: str = Field(default="", description="Writes down what is said in recordings.")
    speech: str = Field(default="", description="Speaks answers, where somebody wants to hear them.")
    choices: tuple[str, ...] = Field(
        default=(), description="Models a conversation may be switched to, besides those that are named elsewhere."
    )
    takes: Mapping[str, frozenset[Input]] = Field(
        default={},
        description="What models may be given besides text, by `provider:model` with * and ?: image, audio, document. "
        "By default what Lar knows of them.",
    )
