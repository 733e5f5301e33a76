"""What settings of a provider come to in its requests, and what is known of models without asking."""

import sys
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from lar.errors import ConfigError, MissingComponent
from lar.providers.anthropic.factory import AnthropicFactory
from lar.providers.capabilities import taken_by
from lar.providers.contract import Parameters
from lar.providers.groq.factory import GroqFactory
from lar.providers.models import Models
from lar.providers.openrouter.factory import OpenRouterFactory
from lar.providers.settings import ProviderKind, ProviderSettings, RoutingSettings
from lar.runtimes.loop.runtime import LoopRuntime
from lar.runtimes.loop.settings import LoopSettings
from lar.testing.models import ModelSim
from lar.testing.turns import Ask, think

NOTHING: set[str] = set()


@pytest.fixture
async def sim() -> AsyncIterator[ModelSim]:
    """The model."""
    async with ModelSim() as sim:
        yield sim


async def test_openrouter_is_told_whom_to_ask(sim: ModelSim) -> None:
    """R-LM-1: pool, routing and plugins are sent as they are set, and nothing of them where they are not."""
    plain = ProviderSettings(kind="openrouter", base_url=sim.openai_url, api_key=SecretStr("sk-test"))
    routing = RoutingSettings(order=("azure",), allow_fallbacks=False)
    asked = {"models": ("a/one", "b/two"), "routing": routing, "plugins": ({"id": "web", "max_results": 3},)}
    tuned = plain.model_copy(update=asked)
    for settings in (plain, tuned):
        models = Models({"openrouter": OpenRouterFactory("openrouter", settings)})
        parameters = Parameters(0.5, 100, "low")
        await think(LoopRuntime(models, LoopSettings("openrouter:a/one", parameters)), Ask("hello"))
        await models.close()
    before, after = (entry["body"] for entry in sim.log)
    assert not {"models", "provider", "plugins"} & before.keys()
    assert (after["model"], after["models"]) == ("a/one", ["a/one", "b/two"])
    assert after["provider"] == {"order": ["azure"], "allow_fallbacks": False}
    assert after["plugins"] == [{"id": "web", "max_results": 3}]
    assert (after["temperature"], after["reasoning"]["effort"]) == (0.5, "low")


async def test_a_missing_sdk_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-LM-1: where a provider's package is not installed, the command that installs it is named."""
    monkeypatch.setitem(sys.modules, "lar.providers.anthropic.client", None)
    settings = ProviderSettings(kind="anthropic", api_key=SecretStr("sk-test"))
    models = Models({"anthropic": AnthropicFactory("anthropic", settings)})
    with pytest.raises(MissingComponent, match=r"pip install 'lar\[anthropic\]'"):
        await models.get("anthropic:claude-sonnet-4-6")
    monkeypatch.setitem(sys.modules, "lar.providers.groq.client", None)
    models = Models({"groq": GroqFactory("groq", settings)})
    with pytest.raises(ImportError):
        await models.get("groq:x")


async def test_a_key_that_is_missing_under_a_name_of_ones_own() -> None:
    """R-LM-1: the message names the setting, where there is no usual variable."""
    models = Models({"mine": GroqFactory("mine", ProviderSettings(kind="groq"))})
    with pytest.raises(ConfigError, match=r"providers\.mine: no api_key is set"):
        await models.get("mine:x")


@pytest.mark.parametrize(
    ("kind", "model", "takes"),
    [
        ("openai", "gpt-5-mini", {"image", "document"}),
        ("openai", "gpt-4o-audio-preview", {"audio"}),
        ("openai", "gpt-3.5-turbo", NOTHING),
        ("openai", "sim-1", NOTHING),
        ("openai", "llava:13b", {"image"}),
        ("openai", "gpt-4-turbo", {"image"}),
        ("google", "gemma-3n-e4b-it", NOTHING),
        ("google", "gemma-4-27b-it", {"image"}),
        ("openrouter", "mistralai/mistral-small-3.2", {"image"}),
        ("openrouter", "x-ai/grok-4", {"image"}),
        ("openrouter", "deepseek/deepseek-chat", NOTHING),
        ("ollama", "gemma3n:e4b", NOTHING),
        ("groq", "llama-3.3-70b-versatile", NOTHING),
        ("openai_responses", "o4-mini", {"image", "document"}),
        ("anthropic", "claude-haiku-4-5", {"image", "document"}),
        ("google", "gemini-3-flash-preview", {"image", "audio", "document"}),
        ("google", "gemini-embedding-001", NOTHING),
        ("groq", "meta-llama/llama-4-scout-17b-16e-instruct", {"image"}),
        ("groq", "openai/gpt-oss-120b", NOTHING),
        ("ollama", "qwen2.5vl:7b", {"image"}),
        ("ollama", "llama3.2", NOTHING),
        ("openrouter", "google/gemini-3-flash-preview", {"image", "audio", "document"}),
        ("openrouter", "openai/gpt-oss-120b", NOTHING),
        ("openrouter", "meta-llama/llama-4-maverick", {"image"}),
    ],
)
def test_what_models_take(kind: ProviderKind, model: str, takes: set[str]) -> None:
    """R-LM-4: which models take images, audio and documents is known by their names."""
    assert taken_by(kind, model) == takes


def test_the_owner_knows_better() -> None:
    """R-LM-4: settings overrule what is known by name, and an unknown provider takes nothing."""
    factory = GroqFactory("groq", ProviderSettings(kind="groq", api_key=SecretStr("sk-a-long-enough-key")))
    models = Models({"groq": factory}, {"groq:my-*": frozenset({"audio"})})
    assert models.takes("groq:my-model") == {"audio"}
    assert models.takes("groq:llama-4") == {"image"}
    assert models.takes("nobody:gpt-5-mini") == frozenset()
    assert models.endings("groq:x") == ("-key",)
