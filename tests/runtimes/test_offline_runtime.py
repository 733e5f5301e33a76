"""The offline runtime: understood phrases call real tools, the rest is answered honestly."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.domain.risk import Risk
from lar.domain.turn import Limits
from lar.domain.values import JsonObject
from lar.errors import LimitReached
from lar.runtimes.contract import Runtime, ToolEnded
from lar.runtimes.offline.phrases import Call, Help, expression_of, read, understand
from lar.runtimes.offline.runtime import OfflineRuntime
from lar.testing.runtime_contract import RuntimeContract
from lar.testing.turns import Ask, Effects, answer_of, think
from lar.tools.calculator import calculator_tool
from lar.tools.clock import clock_tool
from lar.tools.contract import ToolContext
from lar.tools.define import tool
from lar.tools.settings import CalculatorSettings

CALCULATOR = calculator_tool(CalculatorSettings())
OFFLINE = OfflineRuntime()


class TestContract(RuntimeContract):
    """The offline runtime keeps the runtime contract."""

    @pytest.fixture
    def runtime(self) -> Runtime:
        """The runtime."""
        return OFFLINE

    @pytest.fixture
    def plain(self) -> Ask:
        """A plain question."""
        return Ask("what can you do?")

    @pytest.fixture
    def acting(self, effects: Effects) -> Ask:
        """A wish that acts for good."""

        @tool(risk=Risk.WRITE, repeatable=False)
        async def delete_note(_context: ToolContext, note: str) -> str:
            """Stand in for the tool of this name.

            Args:
                note: Which.
            """
            effects.acted.append(note)
            return f"Deleted {note}"

        return Ask("delete note 3", tools=(delete_note,))


@pytest.mark.parametrize(
    ("sentence", "name", "arguments"),
    [
        ("what is 17.5% of 2340?", "calculate_expression", {"expression": "17.5% of 2340"}),
        ("2+2", "calculate_expression", {"expression": "2+2"}),
        ("How much is 12 times 3?", "calculate_expression", {"expression": "12 * 3"}),
        ("1,234 * 2 =", "calculate_expression", {"expression": "1234 * 2"}),
        ("3 x 4", "calculate_expression", {"expression": "3*4"}),
        ("what is the square root of 16?", "calculate_expression", {"expression": "sqrt 16"}),
        ("¿Cuánto es 17,5% de 2.340?", "calculate_expression", {"expression": "17.5% of 2340"}),
        ("calcula 2,5 * 2", "calculate_expression", {"expression": "2.5 * 2"}),
        ("what time is it?", "current_datetime", {}),
        ("What's the time in Europe/Madrid?", "current_datetime", {"time_zone": "Europe/Madrid"}),
        ("¿qué hora es?", "current_datetime", {}),
        ("note: the boiler code is 4411", "save_note", {"text": "the boiler code is 4411"}),
        ("Remember that Ann likes tea", "save_note", {"text": "Ann likes tea"}),
        ("nota: comprar pan", "save_note", {"text": "comprar pan"}),
        ("which notes do I have?", "list_notes", {}),
        ("notes page 2", "list_notes", {"page": 2}),
        ("¿Qué notas tengo?", "list_notes", {}),
        ("find note boiler", "search_notes", {"query": "boiler"}),
        ("busca nota caldera", "search_notes", {"query": "caldera"}),
        ("show note 3", "get_note", {"note": "3"}),
        ("muestra la nota 3", "get_note", {"note": "3"}),
        ("delete note #3", "delete_note", {"note": "#3"}),
        ("borra la nota 3", "delete_note", {"note": "3"}),
    ],
)
def test_understands(sentence: str, name: str, arguments: JsonObject) -> None:
    """The phrases the help promises, in both languages."""
    wish = read(sentence)
    assert isinstance(wish, Call)
    assert (wish.tool, wish.arguments) == (name, arguments)


@pytest.mark.parametrize("sentence", ["tell me a joke", "what is love?", "2340", "cuéntame un chiste", "of", "-", ""])
def test_does_not_pretend(sentence: str) -> None:
    """What it does not know is not understood, whatever it resembles."""
    assert isinstance(read(sentence), Help)


async def test_is_honest_in_the_language_of_the_question() -> None:
    """An honest answer says that there is no model, what works, and how to configure one."""
    english = answer_of(await think(OFFLINE, Ask("tell me a joke"))).text
    spanish = answer_of(await think(OFFLINE, Ask("cuéntame un chiste"))).text
    assert "no language model is configured" in english
    assert "ningún modelo" in spanish
    assert all("OPENAI_API_KEY" in text for text in (english, spanish))


async def test_calculates() -> None:
    """The promise of the first two commands."""
    events = await think(OFFLINE, Ask("what is 17.5% of 2340?", tools=(CALCULATOR,)))
    assert "409.5" in answer_of(events).text
    assert len([event for event in events if isinstance(event, ToolEnded)]) == 1


async def test_answers_every_message_of_a_turn() -> None:
    """Messages that were collected into one turn are all answered, in order."""
    clock = clock_tool(lambda: 0.0, "UTC")
    text = answer_of(await think(OFFLINE, Ask("2+2\n\nwhat time is it?\n\n3+3", tools=(CALCULATOR, clock)))).text
    assert text.index("4") < text.index("1970") < text.index("6")


def test_a_note_keeps_its_paragraphs() -> None:
    """A note of several paragraphs is one note."""
    assert understand("note: shopping\n\nbread and milk") == [Call("save_note", {"text": "shopping\n\nbread and milk"})]


async def test_a_failing_tool_is_told() -> None:
    """What a tool refuses is said as it is."""
    assert "Division by zero" in answer_of(await think(OFFLINE, Ask("1/0", tools=(CALCULATOR,)))).text


async def test_keeps_the_limit_of_tool_calls() -> None:
    """The limits of a turn hold without a model, too."""
    with pytest.raises(LimitReached):
        await think(OFFLINE, Ask("1+1\n\n2+2\n\n3+3", tools=(CALCULATOR,), limits=Limits(tool_calls=2)))


@given(st.text(max_size=300))
def test_reads_anything(text: str) -> None:
    """No text makes reading it fail."""
    assert understand(text)
    expression_of(text, "es")


@pytest.mark.parametrize("text", ["notes" * 2000, "what is " + "1+" * 5000, "note " * 5000, " " * 20000 + "x"])
def test_reads_long_text_quickly(text: str) -> None:
    """No text makes reading it slow."""
    started = time.process_time()
    understand(text)
    assert time.process_time() - started < 1
