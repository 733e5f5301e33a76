"""What a call costs, whatever becomes of it; and who pays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2
import pytest
from pydantic import SecretStr
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model

from lar.domain.ids import PrincipalId
from lar.domain.spend import NOBODY, Payer, Spent
from lar.errors import BudgetReached, ThinkingError
from lar.policy.settings import BudgetSettings, Price
from lar.providers.asking import Asker, asker
from lar.providers.contract import Parameters
from lar.providers.failover import Failover
from lar.providers.health import Way
from lar.providers.models import Models
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.patience import Patience
from lar.providers.plain import PlainQuestion
from lar.providers.settings import ModelSettings, ProviderSettings
from lar.providers.till import Till
from lar.testing.meter import Book
from lar.testing.models import ModelSim

A, B = "one:model-a", "one:model-b"
ANN = Payer(PrincipalId(7), "main")
QUICK = Patience(retries=0)


@pytest.fixture
def book() -> Book:
    """Where it is written down; a token costs a dollar."""
    return Book(BudgetSettings(prices=dict.fromkeys((A, B), Price(input=1_000_000, output=1_000_000))))


@pytest.fixture
async def sim() -> AsyncIterator[ModelSim]:
    """A provider."""
    async with ModelSim() as sim:
        yield sim


@pytest.fixture
async def models(sim: ModelSim, book: Book) -> AsyncIterator[Models]:
    """Its models, under a meter."""
    settings = ProviderSettings(base_url=sim.openai_url, api_key=SecretStr("sk-test-key"), timeout_seconds=0.5)
    models = Models({"one": OpenAIFactory("one", settings)}, meter=book)
    yield models
    await models.close()


async def test_an_answer(sim: ModelSim, models: Models, book: Book) -> None:
    """R-LM-5: the most it may cost is put aside on the payer's account, and the provider's own count is settled."""
    await Asker(models, A, 100, (), QUICK, ANN)("", "hello")
    [(payer, model, most)] = book.held
    [spent] = book.spent
    counted = sim.log[0]["tokens"]
    assert (payer, model) == (ANN, A)
    assert (spent.input_tokens, spent.output_tokens) == (counted["input"], counted["output"])
    assert spent.usd == counted["input"] + counted["output"] <= most.usd
    assert sim.log[0]["body"]["max_completion_tokens"] == most.output_tokens == 100


async def test_a_refusal_is_free_and_silence_is_not(sim: ModelSim, models: Models, book: Book) -> None:
    """R-LM-5: what a provider refused costs nothing; what it kept silent on may have cost the prompt."""
    for trouble, estimated in (({"status": "400"}, False), ({"text": "late", "sleep": 9.0}, True)):
        sim.push(trouble)
        with pytest.raises(ThinkingError):
            await Asker(models, A, 100, (), QUICK)("", "hello")
        assert (book.spent[-1].usd > 0, book.spent[-1].estimated) == (estimated, estimated)


async def test_a_call_that_is_stopped(sim: ModelSim, models: Models, book: Book) -> None:
    """R-LM-5: a call that /stop ended is settled by what was asked, marked as estimated."""
    await Asker(models, A, 100)("", "warm up")
    sim.push({"text": "late", "sleep": 9.0})
    asking = asyncio.create_task(Asker(models, A, 100, (), Patience(retries=0))("", "hello"))
    async with asyncio.timeout(10):
        while len(sim.log) < 2:  # noqa: ASYNC110  # the simulator has no event for it
            await asyncio.sleep(0)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert [spent.estimated for spent in book.spent] == [False, True]
    assert book.spent[1].usd > 0


class Half(PlainQuestion):
    """A question of whose answer half was shown before the connection broke."""

    async def ask(self, way: Way, model: Model, /) -> ModelResponse:
        """Ask, and lose the answer."""
        await super().ask(way, model)
        raise httpx2.ReadError("it broke")

    def shown(self) -> int:
        """Half."""
        return 40


async def test_half_an_answer(models: Models, book: Book) -> None:
    """R-LM-5: a broken stream is reckoned from the prompt and what was shown of the answer."""
    question = Half("", "hello")
    with pytest.raises(ThinkingError):
        await Failover(models, [A], Parameters(), QUICK).ask(question)
    assert book.spent == [Spent(question.size(), 20, question.size() + 20.0, estimated=True)]


async def test_no_money_no_question(sim: ModelSim, models: Models, book: Book) -> None:
    """R-LM-5: where a cap is reached nobody is asked, the models after it included; a recording neither."""
    book.open = False
    with pytest.raises(BudgetReached):
        await Asker(models, A, 100, [B])("", "hello")
    with pytest.raises(BudgetReached):
        async with Till(models).recording(NOBODY, A, 9.0):
            pytest.fail("it was sent")
    assert list(sim.log) == []


async def test_without_a_meter_nobody_counts(sim: ModelSim) -> None:
    """A tool of the house that uses models without budgets needs no meter."""
    models = Models({"one": OpenAIFactory("one", ProviderSettings(base_url=sim.openai_url))})
    async with Till(models).recording(NOBODY, A, 9.0) as receipt:
        assert not receipt.refused


async def test_whose_account(sim: ModelSim, models: Models, book: Book) -> None:
    """R-LM-2: a task has its own model, and where that fails the one that talks; Lar pays, or who is named."""
    settings = ModelSettings(chat=B, summary=A, solve=B)
    assert asker(models, settings, "triage", 100) is None
    summary = asker(models, settings, "summary", 100)
    solve = asker(models, settings, "solve", 100)
    assert summary
    assert solve
    sim.push({"status": "404"}, model="model-a")
    assert await summary("", "hello")
    assert await solve.paid_by(ANN)("", "hello")
    assert [(payer, model) for payer, model, _ in book.held] == [
        (Payer(agent="summary"), A),
        (Payer(agent="summary"), B),
        (ANN, B),
    ]
