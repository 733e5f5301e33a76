"""The model loop: resumed anywhere, limited, steered, cancelled; in both dialects of OpenAI."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from lar.domain.artifact import Artifact
from lar.domain.message import Author, Exchange
from lar.domain.risk import Risk
from lar.domain.turn import Limits
from lar.errors import LimitReached, ThinkingError
from lar.providers.models import Models
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.settings import ProviderKind, ProviderSettings
from lar.runtimes.contract import ModelCalled, Runtime, Said, TextDelta, TextReset, ToolEnded
from lar.runtimes.loop.runtime import LoopRuntime
from lar.runtimes.loop.settings import LoopSettings
from lar.testing.journal import Killed, MemoryJournal
from lar.testing.models import ModelSim
from lar.testing.models.samples import png_bytes
from lar.testing.runtime_contract import RuntimeContract
from lar.testing.turns import Ask, Effects, answer_of, think
from lar.tools.contract import ToolContext, ToolResult, ToolStatus
from lar.tools.define import tool
from lar.tools.silence import stay_silent

PNG = png_bytes()
BUSY = 'do it [[tool:look {"at": "a"}]] [[tool:act {"on": "b"}]]'


@pytest.fixture(params=["openai", "openai_responses"])
def kind(request: pytest.FixtureRequest) -> ProviderKind:
    """The dialect."""
    return request.param


@pytest.fixture
async def sim() -> AsyncIterator[ModelSim]:
    """The model."""
    async with ModelSim() as sim:
        yield sim


@pytest.fixture
async def models(sim: ModelSim, kind: ProviderKind) -> AsyncIterator[Models]:
    """The provider."""
    settings = ProviderSettings(kind=kind, base_url=sim.openai_url, api_key=SecretStr("sk-test"), timeout_seconds=0.3)
    models = Models({"openai": OpenAIFactory("openai", settings)})
    yield models
    await models.close()


@pytest.fixture
def waits() -> list[float]:
    """Seconds the loop would have slept."""
    return []


@pytest.fixture
def runtime(models: Models, waits: list[float]) -> LoopRuntime:
    """The loop; it does not really sleep between attempts."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    return LoopRuntime(models, LoopSettings("openai:gpt-5-mini"), sleep=sleep)


def asked(sim: ModelSim) -> int:
    """How often the model was asked."""
    return len(sim.log)


class TestContract(RuntimeContract):
    """The loop keeps the runtime contract."""

    @pytest.fixture
    def runtime(self, models: Models) -> Runtime:
        """The loop."""
        return LoopRuntime(models, LoopSettings("openai:gpt-5-mini"))

    @pytest.fixture
    def plain(self) -> Ask:
        """A plain question."""
        return Ask("hello")

    @pytest.fixture
    def acting(self, effects: Effects) -> Ask:
        """A question that needs both tools, one after the other."""
        return Ask(BUSY, tools=effects.tools())


async def test_a_finished_model_call_is_never_asked_again(runtime: LoopRuntime, sim: ModelSim) -> None:
    """Dying at any point costs at most the one model call that had no answer in the journal yet."""
    effects = Effects()
    ask = Ask(BUSY, tools=effects.tools())
    whole = MemoryJournal()
    await think(runtime, ask, whole)
    calls = asked(sim)
    for point in range(whole.points):
        before = asked(sim)
        journal = MemoryJournal(die_at=point)
        with pytest.raises(Killed):
            await think(runtime, ask, journal)
        finished = sum(entry.kind == "model" and entry.state == "done" for entry in journal.entries.values())
        at_death = asked(sim) - before
        await think(runtime, ask, journal.reborn())
        assert asked(sim) - before - at_death == calls - finished
        assert at_death - finished in {0, 1}


async def test_an_interrupted_unsafe_call_is_told_as_unknown(runtime: LoopRuntime) -> None:
    """The model reads that the outcome is unknown, and the call is not made again."""
    effects = Effects()
    ask = Ask('[[tool:act {"on": "the boiler"}]]', tools=effects.tools())
    whole = MemoryJournal()
    await think(runtime, ask, whole)
    after_the_effect = [*range(whole.points)][-4]
    effects.acted.clear()
    journal = MemoryJournal(die_at=after_the_effect)
    with pytest.raises(Killed):
        await think(runtime, ask, journal)
    assert effects.acted == ["the boiler"]
    events = await think(runtime, ask, journal.reborn())
    assert effects.acted == ["the boiler"]
    assert [event.status for event in events if isinstance(event, ToolEnded)] == [ToolStatus.UNKNOWN]
    assert "may or may not have happened" in answer_of(events).text


async def test_journal_tells_what_was_asked(runtime: LoopRuntime) -> None:
    """A replay can say where prompt or code differ: each message, the system prompt and the tools have a digest."""
    first, same, other = MemoryJournal(), MemoryJournal(), MemoryJournal()
    history = (Exchange(Author.USER, "a"), Exchange(Author.ASSISTANT, "b"))
    await think(runtime, Ask("hello", history=history), first)
    await think(runtime, Ask("hello", history=history), same)
    await think(runtime, Ask("hello", history=history, system="Another."), other)
    asked_first, asked_other = first.entries["model:1"].input, other.entries["model:1"].input
    assert asked_first == same.entries["model:1"].input
    assert asked_first["messages"] == asked_other["messages"]
    assert len(asked_first["messages"]) == 3
    assert asked_first["system"] != asked_other["system"]
    assert asked_first["digest"] != asked_other["digest"]
    assert asked_first["model"] == "openai:gpt-5-mini"


async def test_text_before_a_tool_call_is_taken_back(runtime: LoopRuntime, sim: ModelSim) -> None:
    """What a model says before it goes on to call tools is not the answer."""
    sim.push({"text": "let me see", "tool_calls": [{"name": "look", "args": {"at": "x"}}]}, "done")
    events = await think(runtime, Ask("go", tools=Effects().tools()))
    kinds = [type(event) for event in events]
    assert kinds.index(TextReset) > kinds.index(TextDelta)
    assert answer_of(events).text == "done"


async def test_silence_ends_the_turn_without_a_reply(runtime: LoopRuntime, sim: ModelSim) -> None:
    """The model may decide not to reply; it is not asked for words it does not have."""
    events = await think(runtime, Ask('[[tool:stay_silent {"reason": "not for me"}]]', tools=(stay_silent,)))
    assert answer_of(events).silent
    assert asked(sim) == 1


async def test_an_endless_tool_loop_ends_by_the_limit_of_model_calls(runtime: LoopRuntime, sim: ModelSim) -> None:
    """A model that never stops calling tools is stopped, and the limit is named."""
    ask = Ask('[[loop:look {"at": "x"}]]', tools=Effects().tools(), limits=Limits(model_calls=4))
    with pytest.raises(LimitReached) as caught:
        await think(runtime, ask)
    assert caught.value.which == "model_calls"
    assert asked(sim) == 4


async def test_limit_of_tool_calls(runtime: LoopRuntime) -> None:
    """No more tools run than the turn may."""
    effects = Effects()
    ask = Ask('[[loop:look {"at": "x"}]]', tools=effects.tools(), limits=Limits(tool_calls=3))
    with pytest.raises(LimitReached) as caught:
        await think(runtime, ask)
    assert caught.value.which == "tool_calls"
    assert len(effects.looked) == 3


async def test_limit_of_money(runtime: LoopRuntime, sim: ModelSim) -> None:
    """A priced model stops when the turn has cost what it may."""
    ask = Ask('[[loop:look {"at": "x"}]]', tools=Effects().tools(), limits=Limits(usd=0.0000001))
    with pytest.raises(LimitReached) as caught:
        await think(runtime, ask)
    assert caught.value.which == "usd"
    assert asked(sim) == 1


async def test_an_unknown_price_is_none(models: Models) -> None:
    """A model without a known price costs an unknown sum, not nothing."""
    events = await think(LoopRuntime(models, LoopSettings("openai:my-own-model")), Ask("hello"))
    assert [event.usage.usd for event in events if isinstance(event, ModelCalled)] == [None]


async def test_a_silent_model_times_out(models: Models) -> None:
    """A model that says nothing for the configured time is given up, by kind `timeout`."""
    runtime = LoopRuntime(models, LoopSettings("openai:gpt-5-mini", retries=0))
    with pytest.raises(ThinkingError) as caught:
        await think(runtime, Ask("[[sleep:30]]"))
    assert caught.value.kind == "timeout"


async def test_waits_grow_and_end(runtime: LoopRuntime, sim: ModelSim, waits: list[float]) -> None:
    """A failing provider is asked three times in all, with growing waits, and then the person is told."""
    with pytest.raises(ThinkingError) as caught:
        await think(runtime, Ask("[[status:500 always]]"))
    assert caught.value.kind == "overloaded"
    assert waits == [1.0, 2.0]
    assert asked(sim) == 3


async def test_a_failed_call_leaves_the_journal_as_it_was(runtime: LoopRuntime) -> None:
    """A model call that failed is no answer: the next attempt of the turn asks again."""
    journal = MemoryJournal()
    with pytest.raises(ThinkingError):
        await think(runtime, Ask("[[status:400]]"), journal)
    assert answer_of(await think(runtime, Ask("[[status:400]]"), journal.reborn())).text


async def test_an_unreachable_provider_is_explained() -> None:
    """Nobody listening is told as a matter of the network."""
    settings = ProviderSettings(base_url="http://127.0.0.1:9/v1", api_key=SecretStr("sk-test"))
    models = Models({"openai": OpenAIFactory("openai", settings)})
    with pytest.raises(ThinkingError) as caught:
        await think(LoopRuntime(models, LoopSettings("openai:gpt-5-mini", retries=0)), Ask("hello"))
    assert caught.value.kind == "network"
    await models.close()


@dataclass(slots=True)
class Talk:
    """Steering of a test: messages by id, and which of them the turn answers."""

    messages: dict[int, str] = field(default_factory=dict[int, str])
    answered: set[int] = field(default_factory=set[int])

    async def arrived(self) -> Sequence[Said]:
        """Those not taken yet."""
        return [Said(number, text) for number, text in self.messages.items() if number not in self.answered]

    def taken(self, ids: Sequence[int]) -> None:
        """The turn answers these."""
        self.answered.update(ids)


async def test_steering_joins_the_turn_and_survives_a_restart(runtime: LoopRuntime, sim: ModelSim) -> None:
    """What is said during a turn reaches the next model call once, also after a restart that heard it before."""
    said = Talk({7: "and also this"})
    journal = MemoryJournal()
    await think(runtime, Ask("first", steering=said), journal)
    assert said.answered == {7}
    assert json.dumps(sim.log[-1]["body"]).count("and also this") == 1
    del journal.entries["model:1"]
    again = Talk({7: "and also this"})
    await think(runtime, Ask("first", steering=again), journal.reborn())
    assert again.answered == {7}
    assert json.dumps(sim.log[-1]["body"]).count("and also this") == 1


async def test_closing_ends_the_model_call(runtime: LoopRuntime, sim: ModelSim) -> None:
    """A stopped turn does not keep a model talking in the background."""
    sim.options["tps"] = 20
    events = runtime.run(Ask("[[len:3000]]").request(MemoryJournal()))
    assert isinstance(await anext(events), TextDelta)
    await asyncio.wait_for(events.aclose(), 1)


async def test_an_empty_answer_is_an_answer(runtime: LoopRuntime, sim: ModelSim) -> None:
    """A model that says nothing gives an empty text; what the person is told is not the runtime's matter."""
    sim.push({"text": ""})
    finished = answer_of(await think(runtime, Ask("hello")))
    assert (finished.text, finished.silent) == ("", False)


async def test_a_filtered_answer_is_a_refusal(sim: ModelSim) -> None:
    """An answer that the provider held back is told as such, and not sent as an empty message."""
    sim.push({"text": "", "finish": "content_filter"})
    settings = ProviderSettings(base_url=sim.openai_url, api_key=SecretStr("sk-test"))
    models = Models({"openai": OpenAIFactory("openai", settings)})
    with pytest.raises(ThinkingError) as caught:
        await think(LoopRuntime(models, LoopSettings("openai:gpt-5-mini")), Ask("hello"))
    assert caught.value.kind == "refused"
    await models.close()


async def test_a_long_wait_is_not_waited_out(runtime: LoopRuntime, sim: ModelSim, waits: list[float]) -> None:
    """A provider whose quota is used up is not waited for: it is left alone, and the person told when."""
    for _ in range(2):
        with pytest.raises(ThinkingError) as caught:
            await think(runtime, Ask("[[status:quota always]]"))
        assert caught.value.kind == "quota"
        assert caught.value.retry_after == pytest.approx(3600, abs=60)
    assert (len(sim.log), waits) == (1, [])


async def test_a_very_long_answer_is_whole(runtime: LoopRuntime) -> None:
    """A long answer arrives as it was written."""
    assert len(answer_of(await think(runtime, Ask("[[len:40000]]"))).text) >= 40_000


async def test_warming_up_asks_nothing(runtime: LoopRuntime, sim: ModelSim) -> None:
    """Warming up imports; it makes no request."""
    await runtime.warm()
    assert asked(sim) == 0


async def test_a_model_looks_at_what_a_tool_shows(sim: ModelSim, models: Models, tmp_path: Path) -> None:
    """R-TO-6: an image a tool shows reaches the model; one that is too large, no image, or gone is left out."""
    (tmp_path / "still.png").write_bytes(PNG)
    (tmp_path / "notes.txt").write_text("no image")
    shown = (
        Artifact("still.png", "still.png", "image/png", len(PNG)),
        Artifact("notes.txt", "notes.txt", "text/plain", 8),
        Artifact("gone.png", "gone.png", "image/png", 9),
        Artifact("still.png", "large.png", "image/png", 6_000_000),
    )

    @tool(risk=Risk.READ, repeatable=True)
    async def still(_context: ToolContext) -> ToolResult:
        """Take a still."""
        return ToolResult("a still", shown=shown)

    runtime = LoopRuntime(models, LoopSettings("openai:gpt-5-mini", files=tmp_path))
    await think(runtime, Ask("look [[tool:still {}]]", tools=(still,)))
    last = json.dumps(sim.log[-1])
    assert last.count(base64.b64encode(PNG).decode()) == 1
    assert "a still" in last


async def test_what_people_show_reaches_the_model(models: Models, sim: ModelSim, tmp_path: Path) -> None:
    """R-LM-4: files of the question and of what joins it are shown; one that is gone is left out, in the same words."""
    (tmp_path / "a.png").write_bytes(PNG)
    runtime = LoopRuntime(models, LoopSettings("openai:gpt-5-mini", files=tmp_path))
    media = (Artifact("a.png", "a.png", "image/png", len(PNG)), Artifact("gone.png", "gone.png", "image/png", 9))
    answer = answer_of(await think(runtime, Ask("what is it? [[image?]]", media=media)))
    assert answer.text == f"media: 1 in this message, 1 in all; image image/png {len(PNG)}B"
    journal = MemoryJournal()
    await think(runtime, Ask("hello", media=media[1:]), journal)
    assert json.dumps(sim.log[-1]["body"]).count("hello") == 1
