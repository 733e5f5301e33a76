"""One question to a model outside of any turn."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from lar.errors import ThinkingError
from lar.providers.asking import Asker
from lar.providers.models import Models
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.patience import Patience
from lar.providers.settings import ProviderSettings
from lar.testing.models import ModelSim


@pytest.fixture
async def sim() -> AsyncIterator[ModelSim]:
    """The model."""
    async with ModelSim() as sim:
        yield sim


@pytest.fixture
async def ask(sim: ModelSim) -> AsyncIterator[Asker]:
    """Asks it, without waiting between two tries."""

    async def at_once(_seconds: float) -> None:
        """Do not wait."""

    settings = ProviderSettings(kind="openai", base_url=sim.openai_url, api_key=SecretStr("sk-test"))
    models = Models({"openai": OpenAIFactory("openai", settings)})
    yield Asker(models, "openai:gpt-5-mini", 100, patience=Patience(sleep=at_once))
    await models.close()


async def test_a_question_is_answered(sim: ModelSim, ask: Asker) -> None:
    """R-SU-1: system and question go out, with a bound on what the answer may cost."""
    assert await ask("You are brief.", "what is up?")
    assert len(sim.log) == 1


async def test_trouble_is_tried_again_and_then_told(sim: ModelSim, ask: Asker) -> None:
    """R-SU-1: what may pass is tried a few times; what does not pass says why."""
    with pytest.raises(ThinkingError) as told:
        await ask("You are brief.", "[[status:500 always]]")
    assert told.value.kind == "overloaded"
    assert len(sim.log) == Patience().retries + 1
