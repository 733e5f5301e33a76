"""What every tool must do. Subclass `ToolContract` in a test module and give it the fixtures."""

import re

import pytest

from lar.domain.ids import ConversationId, TurnId
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.testing.turns import ANN
from lar.tools.contract import Tool, ToolContext


class ToolContract:
    """The suite, for one tool and arguments it takes."""

    @pytest.fixture
    def tool(self) -> Tool:
        """The tool under test."""
        raise NotImplementedError

    @pytest.fixture
    def arguments(self) -> JsonObject:
        """Arguments it takes."""
        raise NotImplementedError

    @pytest.fixture
    def caller(self) -> ToolContext:
        """Who calls it."""
        return ToolContext(ANN, ConversationId(1), TurnId(1))

    def test_has_a_name_every_provider_takes(self, tool: Tool) -> None:
        """Providers refuse a whole request for one bad name."""
        assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,63}", tool.name)

    def test_explains_itself(self, tool: Tool) -> None:
        """A model knows of a tool only what it reads: what it does, and what each argument means."""
        assert len(tool.description) > 20
        for name, field in tool.schema["properties"].items():
            assert field.get("description"), f"argument {name} is not described"

    def test_refuses_unknown_arguments(self, tool: Tool, arguments: JsonObject) -> None:
        """A misspelt argument is said to be wrong instead of being ignored."""
        with pytest.raises(ToolError):
            tool.parse({**arguments, "no_such_argument": 1})

    async def test_gives_text(self, tool: Tool, caller: ToolContext, arguments: JsonObject) -> None:
        """Good arguments give text for the model."""
        assert await tool.call(caller, tool.parse(arguments))

    async def test_may_be_repeated_if_it_says_so(self, tool: Tool, caller: ToolContext, arguments: JsonObject) -> None:
        """A crash may make the engine run a repeatable tool twice: the second time must do no harm."""
        first = await tool.call(caller, tool.parse(arguments))
        if tool.repeatable:
            assert await tool.call(caller, tool.parse(arguments)) == first
