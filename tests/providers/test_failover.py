"""Which way a question takes through keys and models, by what fails; and which ways rest."""

from collections.abc import AsyncIterator, Iterable

import pytest
from pydantic import SecretStr
from pydantic_ai.messages import BinaryContent, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.usage import RequestUsage

from lar.domain.spend import Spent
from lar.errors import ThinkingError, ThinkingKind
from lar.policy.settings import BudgetSettings, Price
from lar.providers.asking import Asker
from lar.providers.contract import Vendor
from lar.providers.health import Health, Way
from lar.providers.models import Models
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.patience import Patience
from lar.providers.prices import Prices, is_at_home, tokens_of
from lar.providers.settings import ProviderSettings
from lar.testing.clock import FakeClock
from lar.testing.models import ModelSim

A, B = "one:model-a", "two:model-b"
OUT = Vendor("", "https://models.example.org/v1")


class Bench:
    """Two providers, the first with two keys, at one simulator; time passes only when somebody waits."""

    def __init__(self, sim: ModelSim) -> None:
        self.sim = sim
        self.clock = FakeClock()
        self.waits: list[float] = []
        keys = {"one": ("sk-test-key-a1", "sk-test-key-a2"), "two": ("sk-test-key-b1",)}
        self.models = Models(
            {
                name: OpenAIFactory(
                    name, ProviderSettings(base_url=sim.openai_url, api_keys=tuple(map(SecretStr, each)))
                )
                for name, each in keys.items()
            },
            clock=self.clock,
        )

    async def ask(self, text: str = "hello", chain: Iterable[str] = (A, B)) -> str:
        """Ask along the chain."""
        first, *rest = chain
        return await Asker(self.models, first, 100, rest, Patience(sleep=self._sleep))("", text)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(seconds)

    def fail(self, **statuses: str) -> None:
        """These keys fail like this, all others do not."""
        self.sim.options["fail_keys"] = dict(statuses)

    def asked(self) -> list[str]:
        """The keys that were asked with since the last look."""
        found = [str(entry["key"])[-2:] for entry in self.sim.log]
        self.sim.log.clear()
        return found


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """The bench."""
    async with ModelSim() as sim:
        bench = Bench(sim)
        yield bench
        await bench.models.close()


@pytest.mark.parametrize(
    ("status", "first", "second"),
    [
        ("429", ["a1", "a2"], ["a2"]),
        ("quota", ["a1", "a2"], ["a2"]),
        ("401", ["a1", "a2"], ["a2"]),
        ("503", ["a1", "b1"], ["b1"]),
        ("500", ["a1", "b1"], ["b1"]),
        ("400", ["a1", "b1"], ["a1", "b1"]),
        ("404", ["a1", "b1"], ["a1", "b1"]),
        ("context", ["a1", "b1"], ["a1", "b1"]),
    ],
)
async def test_the_first_key_fails(bench: Bench, status: str, first: list[str], second: list[str]) -> None:
    """R-LM-3: by kind, the next key or the next model answers; what rests is not asked by the next question."""
    bench.fail(a1=status)
    assert await bench.ask()
    assert bench.asked() == first
    assert await bench.ask()
    assert bench.asked() == second
    assert bench.waits == []


@pytest.mark.parametrize(("status", "seconds"), [("429", 1.0), ("quota", 3600.0), ("401", 600.0)])
async def test_a_key_comes_back(bench: Bench, status: str, seconds: float) -> None:
    """R-LM-3: a key rests as long as the provider says, or as is the rule, and no longer."""
    bench.fail(a1=status)
    await bench.ask()
    bench.fail()
    bench.clock.advance(seconds - 0.5)
    await bench.ask()
    bench.clock.advance(0.5)
    await bench.ask()
    assert bench.asked() == ["a1", "a2", "a2", "a1"]


async def test_a_short_rest_is_waited_for(bench: Bench) -> None:
    """R-LM-3: where every way rests for a moment, the first to be back is waited for, twice, and no more."""
    bench.fail(a1="429", a2="429")
    with pytest.raises(ThinkingError) as caught:
        await bench.ask(chain=[A])
    assert (caught.value.kind, caught.value.retry_after) == ("rate", 1.0)
    assert bench.waits == [1.0, 1.0]
    assert bench.asked() == ["a1", "a2"] * 3


async def test_all_are_out(bench: Bench) -> None:
    """R-LM-3: the failure that is over first is told, with its time; the next question asks nobody."""
    bench.fail(a1="quota", a2="401", b1="quota")
    for _ in range(2):
        with pytest.raises(ThinkingError) as caught:
            await bench.ask()
        assert (caught.value.kind, caught.value.retry_after) == ("auth", 600.0)
    assert bench.asked() == ["a1", "a2", "b1"]


async def test_a_storm(bench: Bench) -> None:
    """R-LM-3: where everybody has trouble, the last model is asked twice more, and then told when to come back."""
    bench.fail(a1="500", a2="500", b1="500")
    with pytest.raises(ThinkingError) as caught:
        await bench.ask()
    assert (caught.value.kind, caught.value.retry_after) == ("overloaded", 30.0)
    assert bench.asked() == ["a1", "b1", "b1", "b1"]
    assert bench.waits == [1.0, 2.0]


async def test_what_everybody_refuses(bench: Bench) -> None:
    """R-LM-3: a request that every model refuses is asked of each once, and told as refused."""
    bench.sim.push({"status": "400", "message": "no"}, {"status": "400", "message": "no"})
    with pytest.raises(ThinkingError) as caught:
        await bench.ask()
    assert caught.value.kind == "invalid"
    assert bench.asked() == ["a1", "b1"]


async def test_a_long_pause_is_not_taken(bench: Bench) -> None:
    """R-LM-3: a provider in trouble that wants a longer pause than anybody waits is given up."""
    short = Patience(longest_wait=0.5, sleep=bench._sleep)  # pyright: ignore[reportPrivateUsage]  # its own
    bench.fail(b1="500")
    with pytest.raises(ThinkingError):
        await Asker(bench.models, B, 100, (), short)("", "hello")
    assert bench.asked() == ["b1"]


@pytest.mark.parametrize(
    ("kind", "retry_after", "seconds"),
    [
        ("rate", None, 60.0),
        ("rate", 7.0, 7.0),
        ("quota", 31.0, 3600.0),
        ("quota", 7200.0, 7200.0),
        ("auth", None, 600.0),
        ("network", None, 30.0),
        ("invalid", None, None),
        ("refused", 5.0, 5.0),
    ],
)
def test_how_long_ways_rest(kind: ThinkingKind, retry_after: float | None, seconds: float | None) -> None:
    """R-LM-3: 60 s for a limit, an hour for a quota, and what the provider says."""
    assert Health(FakeClock()).failed(Way(A), kind, retry_after) == seconds


def test_an_answer_ends_a_rest() -> None:
    """R-LM-3: a way that answered is well, and is the one in use."""
    health = Health(FakeClock())
    health.failed(Way(A, 1), "rate", 100.0)
    assert health.out(Way(A, 1)) is not None
    assert health.out(Way(A)) is None
    health.worked(Way(A, 1))
    assert health.resting() == []
    assert health.used(A) == Way(A, 1)


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("http://127.0.0.1:11434/v1", True),
        ("http://192.168.1.5/v1", True),
        ("http://nas.local/v1", True),
        ("http://ollama:11434", True),
        ("http://localhost", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("", False),
    ],
)
def test_what_is_at_home(url: str, home: bool) -> None:
    """R-LM-5: a model in this house costs nothing, one outside does."""
    assert is_at_home(url) is home


def test_prices() -> None:
    """R-LM-5: the owner's price wins, then the list's, then home is free, then the dear one."""
    prices = Prices(BudgetSettings(prices={"mine:x": Price(input=1, output=2)}))
    million = Spent(1_000_000, 1_000_000)
    assert prices.of("mine:x", OUT, million) == 3.0
    assert prices.of("openai:gpt-5-mini", Vendor("openai"), million) == pytest.approx(2.25)
    assert prices.of("ollama:llama3.2", Vendor("home", "http://far.example.org"), million) == 0.0
    for _ in range(2):
        assert prices.of("openai:unheard-of", Vendor("openai", "http://127.0.0.1:1"), million) == 0.0
        assert prices.of("openai:unheard-of", Vendor("openai"), million) == 90.0
    assert prices.of("other:x", OUT, million) == 90.0


def test_what_sound_costs() -> None:
    """R-LM-5: transcription is paid by the minute or by the token; what nobody told is reckoned high, home is free."""
    prices = Prices(
        BudgetSettings(prices={"mine:ear": Price(minute=0.6), "groq:whisper-large-v3": Price()})  # the owner's word
    )
    groq, openai, minute = Vendor("groq"), Vendor("openai"), {"duration": 60.0}
    turbo, mini = "groq:whisper-large-v3-turbo", "openai:gpt-4o-mini-transcribe"
    assert prices.heard("mine:ear", OUT, minute, 9) == Spent(usd=0.6)
    assert prices.heard("groq:whisper-large-v3", groq, minute, 9) == Spent()
    assert prices.heard(turbo, groq, minute, 9).usd == pytest.approx(0.04 / 60)
    told = {"usage": {"type": "duration", "seconds": 3600}}
    assert prices.heard("openai:whisper-1", openai, told, 9).usd == pytest.approx(0.36)
    told = {"usage": {"type": "tokens", "input_tokens": 600, "output_tokens": 100}}
    paid = prices.heard(mini, openai, told, 9)
    assert (paid.input_tokens, paid.output_tokens, paid.estimated) == (600, 100, False)
    assert paid.usd == pytest.approx(600 * 3e-6 + 100 * 5e-6)
    reckoned = prices.heard(mini, openai, {"usage": {"input_tokens": "many"}}, 60)
    assert reckoned == prices.sound(mini, openai, 60)
    assert (reckoned.usd, reckoned.estimated) == (pytest.approx(0.0066), True)
    assert prices.sound("other:ear", OUT, 60).usd == pytest.approx(0.02)
    assert prices.sound("openai:gpt-5-ear", openai, 60).usd == pytest.approx(0.02)
    assert prices.heard("other:ear", OUT, told, 60).usd == pytest.approx(600 * 15e-6 + 100 * 75e-6)
    assert prices.sound("pi:ear", Vendor("", "http://192.168.1.2/v1"), 60).usd == 0
    assert prices.sound("ollama:ear", Vendor("home"), 60).usd == 0


def test_what_an_answer_cost() -> None:
    """R-LM-5: the provider's count, what it read from a cache for less; reckoned where it does not count."""
    prices, vendor = Prices(BudgetSettings()), Vendor("anthropic")
    model = "anthropic:claude-sonnet-4-6"
    usage = RequestUsage(input_tokens=1000, output_tokens=100)
    plain = prices.paid(model, vendor, ModelResponse([TextPart("hi")], usage=usage), 9)
    assert (plain.input_tokens, plain.output_tokens, plain.estimated) == (1000, 100, False)
    assert plain.usd == pytest.approx(0.0045)
    usage = RequestUsage(input_tokens=1000, output_tokens=100, cache_read_tokens=900)
    assert prices.paid(model, vendor, ModelResponse([TextPart("hi")], usage=usage), 9).usd < plain.usd
    reckoned = prices.paid(model, vendor, ModelResponse([TextPart("hi there")]), 9)
    assert (reckoned.input_tokens, reckoned.output_tokens, reckoned.estimated) == (9, 5, True)


def test_how_large_a_prompt_is() -> None:
    """R-LM-5: more tokens than there are: of text, other scripts, calls, images and files."""
    image = BinaryContent(b"x" * 9, media_type="image/png")
    paper = BinaryContent(b"x" * 1000, media_type="application/pdf")
    assert tokens_of([ModelRequest([UserPromptPart("word " * 10)])]) == 26
    assert tokens_of([ModelRequest([UserPromptPart("字" * 10)])]) == 11
    assert tokens_of([ModelResponse([ToolCallPart("look", {"at": "x"})])]) > 3
    assert tokens_of([ModelRequest([UserPromptPart(["hi", image, paper])])]) == 2 + 3000 + 3100
