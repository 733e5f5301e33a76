"""A typed function becomes a tool."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from lar.domain.ids import ConversationId, TurnId
from lar.domain.risk import Risk
from lar.errors import ToolError
from lar.testing.turns import ANN
from lar.tools.contract import ToolContext
from lar.tools.define import tool


@tool(risk=Risk.REACH, repeatable=False)
async def knock(
    context: ToolContext, door: str, times: Annotated[int, Field(ge=1, le=9)] = 2, how: Literal["soft", "loud"] = "soft"
) -> str:
    """Knock at a door.

    Nobody may be home.

    Args:
        context: Who knocks.
        door: Which door,
            with its floor.
        times: How often.
        how: How hard: `soft` or `loud`.
    """
    return f"{context.principal.name} knocks {times} times at {door}, {how}"


def test_the_model_reads_the_docstring() -> None:
    """Name, description and arguments come from the function; the context is not the model's matter."""
    assert (knock.name, knock.description) == ("knock", "Knock at a door. Nobody may be home.")
    assert knock.schema == {
        "type": "object",
        "properties": {
            "door": {"description": "Which door, with its floor.", "type": "string"},
            "times": {"default": 2, "description": "How often.", "maximum": 9, "minimum": 1, "type": "integer"},
            "how": {
                "default": "soft",
                "description": "How hard: `soft` or `loud`.",
                "enum": ["soft", "loud"],
                "type": "string",
            },
        },
        "required": ["door"],
        "additionalProperties": False,
    }
    assert (knock.risk, knock.repeatable, knock.silences, knock.private) == (Risk.REACH, False, False, False)


async def test_it_is_called_by_name_with_its_defaults() -> None:
    """What the model leaves out is what the function says."""
    caller = ToolContext(ANN, ConversationId(1), TurnId(1))
    assert (await knock.call(caller, knock.parse({"door": "4"}))).text == "Ann knocks 2 times at 4, soft"
    assert (await knock.call(caller, knock.parse({"door": "4", "times": "3"}))).text == "Ann knocks 3 times at 4, soft"


@pytest.mark.parametrize("arguments", [{}, {"door": "4", "times": 10}, {"door": "4", "how": "wild"}, {"door": None}])
def test_constraints_hold(arguments: dict[str, object]) -> None:
    """What breaks a constraint is refused, naming the argument."""
    with pytest.raises(ToolError, match=r"knock are wrong: (door|times|how):"):
        knock.parse(arguments)


def test_a_tool_without_arguments() -> None:
    """No arguments is an object without properties, as providers want it."""

    @tool(risk=Risk.READ, repeatable=True)
    async def ping(_context: ToolContext) -> str:
        """Answer."""
        return "pong"

    assert ping.schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert ping.parse({}) == {}


def test_a_docstring_is_read_to_the_end_of_its_arguments() -> None:
    """Empty lines between arguments are passed over, and a section behind them describes none."""

    @tool(risk=Risk.READ, repeatable=True)
    async def sort(_context: ToolContext, what: str, how: str = "up") -> str:
        """Sort things.

        Args:
            what: The things,
                all of them.

            how: Which way.

        Returns:
            They, sorted.
        """
        return f"{what} {how}"

    properties = sort.schema["properties"]
    assert (properties["what"]["description"], properties["how"]["description"]) == (
        "The things, all of them.",
        "Which way.",
    )
