"""The OpenAI provider in both dialects, against the simulator."""

import pytest
from pydantic import SecretStr

from lar.errors import ConfigError
from lar.providers.contract import ModelFactory, Parameters
from lar.providers.models import Models
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.settings import ProviderKind, ProviderSettings
from lar.testing.models import ModelSim
from lar.testing.provider_contract import ProviderContract


def provider(sim: ModelSim, kind: ProviderKind) -> OpenAIFactory:
    """A provider of this kind at the simulator."""
    return OpenAIFactory("openai", ProviderSettings(kind=kind, base_url=sim.openai_url, api_key=SecretStr("sk-test")))


class TestChatCompletions(ProviderContract):
    """Chat Completions keeps the provider contract."""

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return provider(sim, "openai")


class TestResponses(ProviderContract):
    """Responses keeps the provider contract."""

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return provider(sim, "openai_responses")


class TestCompatibleServer(ProviderContract):
    """A server that is not OpenAI and speaks its API keeps the provider contract."""

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider."""
        return OpenAIFactory("home-server", ProviderSettings(base_url=sim.openai_url))


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
