"""Every provider keeps the provider contract, against the simulator of its API."""

import pytest
from pydantic import SecretStr

from lar.errors import ConfigError
from lar.providers.anthropic.factory import AnthropicFactory
from lar.providers.contract import ModelFactory, Parameters
from lar.providers.google.factory import GoogleFactory
from lar.providers.groq.factory import GroqFactory
from lar.providers.models import Models
from lar.providers.ollama.factory import OllamaFactory
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.openrouter.factory import OpenRouterFactory
from lar.providers.settings import ProviderKind, ProviderSettings
from lar.testing.models import ModelSim
from lar.testing.provider_contract import ProviderContract


def settings(kind: ProviderKind, url: str) -> ProviderSettings:
    """A provider of this kind at the simulator."""
    return ProviderSettings(kind=kind, base_url=url, api_key=SecretStr("sk-test"))


class TestChatCompletions(ProviderContract):
    """Chat Completions keeps the provider contract."""

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return OpenAIFactory("openai", settings("openai", sim.openai_url))


class TestResponses(ProviderContract):
    """Responses keeps the provider contract."""

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return OpenAIFactory("openai", settings("openai_responses", sim.openai_url))


class TestCompatibleServer(ProviderContract):
    """A server that is not OpenAI and speaks its API keeps the provider contract."""

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return OpenAIFactory("home-server", ProviderSettings(base_url=sim.openai_url))


class TestGroq(ProviderContract):
    """Groq keeps the provider contract."""

    model = "openai/gpt-oss-120b"

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return GroqFactory("groq", settings("groq", sim.openai_url))


class TestOpenRouter(ProviderContract):
    """OpenRouter keeps the provider contract."""

    model = "openai/gpt-5-mini"

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return OpenRouterFactory("openrouter", settings("openrouter", sim.openai_url))


class TestOllama(ProviderContract):
    """Ollama keeps the provider contract, its address written without a version."""

    model = "llama3.2"

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return OllamaFactory("ollama", ProviderSettings(kind="ollama", base_url=sim.url))


class TestAnthropic(ProviderContract):
    """Anthropic keeps the provider contract."""

    model = "claude-sonnet-4-6"

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return AnthropicFactory("anthropic", settings("anthropic", sim.url))


class TestGoogle(ProviderContract):
    """Gemini keeps the provider contract."""

    model = "gemini-3-flash-preview"
    effort = "thinking"
    arguments_are_text = False

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return GoogleFactory("gemini", settings("google", sim.url))


async def test_a_missing_key_is_explained() -> None:
    """Without a key the message names the variable that is missing, instead of a vendor's error in the first turn."""
    models = Models({"openai": OpenAIFactory("openai", ProviderSettings())})
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        await models.get("openai:gpt-5-mini")


@pytest.mark.parametrize("reference", ["gpt-5-mini", "openai:", ":x", "nobody:gpt-5-mini"])
def test_a_wrong_reference_is_explained(reference: str) -> None:
    """A model that cannot be meant is refused at the start, naming what is configured."""
    models = Models({"openai": OpenAIFactory("openai", ProviderSettings())})
    with pytest.raises(ConfigError, match="openai"):
        models.check(reference)


async def test_a_model_is_made_once() -> None:
    """Turns share the model and its connections."""
    models = Models({"openai": OpenAIFactory("openai", ProviderSettings(api_key=SecretStr("sk-test")))})
    assert await models.get("openai:a") is await models.get("openai:a")
    assert await models.get("openai:a") is not await models.get("openai:a", Parameters(temperature=0.5))
    await models.close()
