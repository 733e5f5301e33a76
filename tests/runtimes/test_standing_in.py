"""While every model is away, what can be done without one is done without one."""

from contextlib import aclosing

import pytest

from lar.errors import ThinkingError, ThinkingKind
from lar.runtimes.contract import Finished, ToolStarted
from lar.runtimes.offline.runtime import OfflineRuntime
from lar.runtimes.standing_in import StandingIn
from lar.testing.journal import MemoryJournal
from lar.testing.runtime import ScriptedRuntime
from lar.testing.turns import Ask, answer_of, think
from lar.tools.calculator import calculator_tool
from lar.tools.settings import CalculatorSettings

SUM = Ask("what is 6*7?", tools=(calculator_tool(CalculatorSettings()),))
NOTICE = "No model answers right now"


@pytest.fixture
def scripted() -> ScriptedRuntime:
    """What thinks with a model."""
    return ScriptedRuntime()


@pytest.fixture
def both(scripted: ScriptedRuntime) -> StandingIn:
    """The two."""
    return StandingIn(scripted, OfflineRuntime())


async def test_nobody_stands_in_while_a_model_answers(both: StandingIn) -> None:
    """R-LM-6: the model's answer is the answer."""
    assert answer_of(await think(both, SUM)).text == "echo: what is 6*7?"


async def test_it_is_said_once(scripted: ScriptedRuntime, both: StandingIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-LM-6: the first answer says that the models are away, the next ones do not, until a model answered again."""
    monkeypatch.setattr("lar.runtimes.standing_in._MOST_TOLD", 0)
    answers: list[str] = []
    for failing in (True, False, True):
        if failing:
            scripted.then(ThinkingError("quota", "used up"))
        answers.append(answer_of(await think(both, SUM)).text)
    assert answers[0].startswith(NOTICE)
    assert "42" in answers[0]
    assert answers[2].startswith(NOTICE)
    monkeypatch.undo()
    said: list[str] = []
    for _ in range(3):
        scripted.then(ThinkingError("network", "gone"))
        said.append(answer_of(await think(both, SUM)).text)
    assert [text.startswith(NOTICE) for text in said] == [True, False, False]


@pytest.mark.parametrize(
    ("kind", "prompt"), [("invalid", "what is 6*7?"), ("quota", "tell me a story"), ("quota", "help")]
)
async def test_what_it_cannot_do_is_explained(
    scripted: ScriptedRuntime, both: StandingIn, kind: ThinkingKind, prompt: str
) -> None:
    """R-LM-3: what needs a model, and a failure that is ours, ends with the explanation."""
    scripted.then(ThinkingError(kind, "no"))
    with pytest.raises(ThinkingError):
        await think(both, Ask(prompt, tools=SUM.tools))


async def test_after_a_tool_nobody_stands_in(scripted: ScriptedRuntime, both: StandingIn) -> None:
    """R-LM-7: a turn that has done something is not begun again by somebody else."""
    scripted.then(ToolStarted("calculate_expression", "1.1"), ThinkingError("quota", "used up"))
    with pytest.raises(ThinkingError):
        await think(both, SUM)


async def test_who_began_goes_on(scripted: ScriptedRuntime, both: StandingIn) -> None:
    """R-EN-4: a turn that was taken over stays taken over when it is resumed, though the models are back."""
    journal = MemoryJournal()
    scripted.then(ThinkingError("quota", "used up"))
    first = answer_of(await think(both, SUM, journal))
    again = answer_of(await think(both, SUM, journal.reborn()))
    assert first == again
    assert isinstance(first, Finished)
    assert len(scripted.requests) == 1


async def test_who_listens_no_further_than_the_end(scripted: ScriptedRuntime, both: StandingIn) -> None:
    """R-LM-6: a model has answered once its answer is there, though nobody asks for more events after it."""

    async def answered() -> str:
        async with aclosing(both.run(SUM.request(MemoryJournal()))) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.text
        return ""

    scripted.then(ThinkingError("network", "gone"))
    assert (await answered()).startswith(NOTICE)
    assert await answered() == "echo: what is 6*7?"
    scripted.then(ThinkingError("network", "gone"))
    assert (await answered()).startswith(NOTICE)
