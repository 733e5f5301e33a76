"""What every provider must do, seen through the model loop. Subclass `ProviderContract` and give it a factory."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lar.domain.message import Author, Exchange
from lar.errors import ThinkingError
from lar.providers.contract import ModelFactory, Parameters
from lar.providers.models import Models
from lar.runtimes.contract import ModelCalled, TextDelta, TextReset, ToolEnded
from lar.runtimes.loop.runtime import LoopRuntime
from lar.runtimes.loop.settings import LoopSettings
from lar.testing.models import ModelSim
from lar.testing.turns import Ask, Effects, answer_of, think
from lar.tools.contract import ToolStatus


class ProviderContract:
    """The suite. It speaks to the model simulator. `model` is a name that the provider's own vendor uses."""

    model = "gpt-5-mini"
    effort = "effort"
    """What is found in a request that asks for an effort at reasoning, and in no other."""
    arguments_are_text = True
    """Whether a model writes the arguments of a call as text, and so may write them wrongly."""

    @property
    def reference(self) -> str:
        """The model as settings name it."""
        return f"under-test:{self.model}"

    @pytest.fixture
    async def sim(self) -> AsyncIterator[ModelSim]:
        """The simulator."""
        async with ModelSim() as sim:
            yield sim

    @pytest.fixture
    def factory(self, sim: ModelSim) -> ModelFactory:
        """The provider under test, pointed at the simulator."""
        raise NotImplementedError

    @pytest.fixture
    async def models(self, factory: ModelFactory) -> AsyncIterator[Models]:
        """The provider under test among all configured ones."""
        models = Models({"under-test": factory})
        yield models
        await models.close()

    @pytest.fixture
    def waits(self) -> list[float]:
        """Seconds the loop would have slept before each new attempt."""
        return []

    @pytest.fixture
    def runtime(self, models: Models, waits: list[float]) -> LoopRuntime:
        """The model loop over the provider; it does not really sleep."""

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        return LoopRuntime(models, LoopSettings(self.reference), sleep=sleep)

    async def test_streams(self, runtime: LoopRuntime) -> None:
        """The answer arrives in pieces that make the whole."""
        events = await think(runtime, Ask("say [[text:one two three four five six seven eight nine ten]]"))
        pieces = [event.text for event in events if isinstance(event, TextDelta)]
        assert len(pieces) > 1
        assert "".join(pieces) == answer_of(events).text == "one two three four five six seven eight nine ten"

    async def test_sends_system_prompt_and_history(self, runtime: LoopRuntime, sim: ModelSim) -> None:
        """The model sees who it is, what was said before, and what is asked now."""
        history = (Exchange(Author.USER, "my cat is Tom"), Exchange(Author.ASSISTANT, "noted"))
        await think(runtime, Ask("and now", history=history, system="You are the house."))
        body = str(sim.log[-1]["body"])
        assert all(said in body for said in ("You are the house.", "my cat is Tom", "noted", "and now"))

    async def test_calls_tools(self, runtime: LoopRuntime) -> None:
        """A tool's result reaches the model, which answers with it."""
        effects = Effects()
        events = await think(runtime, Ask('[[tool:look {"at": "the sky"}]]', tools=effects.tools()))
        assert effects.looked == ["the sky"]
        assert answer_of(events).text == "tool look said: saw the sky"

    async def test_calls_several_tools_of_one_answer(self, runtime: LoopRuntime) -> None:
        """Calls made at once all run, in their order."""
        effects = Effects()
        prompt = '[[par]] [[tool:look {"at": "a"}]] [[tool:look {"at": "b"}]]'
        await think(runtime, Ask(prompt, tools=effects.tools()))
        assert effects.looked == ["a", "b"]

    async def test_tells_the_model_of_malformed_arguments(self, runtime: LoopRuntime) -> None:
        """Arguments that are no JSON go back to the model as an error; where there can be none, it is asked again."""
        ask = Ask("[[badjson:look]]", tools=Effects().tools())
        if not self.arguments_are_text:
            with pytest.raises(ThinkingError, match="could not be read"):
                await think(runtime, ask)
            return
        events = await think(runtime, ask)
        assert [event.status for event in events if isinstance(event, ToolEnded)] == [ToolStatus.ERROR]
        assert "not valid JSON" in answer_of(events).text

    async def test_counts_tokens(self, runtime: LoopRuntime) -> None:
        """What a call cost is known."""
        events = await think(runtime, Ask("hello"))
        usage = next(event.usage for event in events if isinstance(event, ModelCalled))
        assert usage.model_calls == 1
        assert usage.input_tokens > 0
        assert usage.output_tokens > 0

    async def test_a_broken_stream_is_tried_again(self, runtime: LoopRuntime) -> None:
        """What was shown is taken back, and there is one answer."""
        events = await think(runtime, Ask("tell me a story [[stream_break]]"))
        assert any(isinstance(event, TextReset) for event in events)
        shown = ""
        for event in events:
            shown = "" if isinstance(event, TextReset) else shown + (event.text if isinstance(event, TextDelta) else "")
        assert shown == answer_of(events).text

    @pytest.mark.parametrize("status", ["429", "500", "503"])
    async def test_passing_trouble_is_waited_out(self, runtime: LoopRuntime, waits: list[float], status: str) -> None:
        """A failure that passes costs a wait, not the answer; both attempts are counted."""
        events = await think(runtime, Ask(f"hello [[status:{status}]]"))
        assert answer_of(events).text
        assert len(waits) == 1
        assert sum(event.usage.model_calls for event in events if isinstance(event, ModelCalled)) == 2

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            ("400", "invalid"),
            ("401", "auth"),
            ("403", "auth"),
            ("404", "invalid"),
            ("429", "rate"),
            ("500", "overloaded"),
            ("503", "overloaded"),
            ("quota", "quota"),
            ("context", "context"),
        ],
    )
    async def test_lasting_trouble_is_explained(self, runtime: LoopRuntime, status: str, kind: str) -> None:
        """A failure that stays is told by its kind, in a sentence for the person."""
        with pytest.raises(ThinkingError) as caught:
            await think(runtime, Ask(f"hello [[status:{status} always]]"))
        assert caught.value.kind == kind
        assert str(caught.value).endswith(".")

    async def test_sends_parameters_only_when_set(self, models: Models, sim: ModelSim) -> None:
        """An unset parameter is not in the request; a set one is."""
        await think(LoopRuntime(models, LoopSettings(self.reference)), Ask("plain"))
        plain = self.sent(sim)
        asked = Parameters(max_output_tokens=321, reasoning_effort="low")
        await think(LoopRuntime(models, LoopSettings(self.reference, asked)), Ask("tuned"))
        tuned = self.sent(sim)
        assert "321" not in str(plain)
        assert self.effort not in str(plain)
        assert "temperature" not in plain
        assert "321" in str(tuned)
        assert self.effort in str(tuned)

    def sent(self, sim: ModelSim) -> dict[str, Any]:
        """The body of the last request."""
        body: dict[str, Any] = sim.log[-1]["body"]
        return body
