"""The clock and the decision to stay silent."""

import pytest

from lar.domain.ids import ConversationId, TurnId
from lar.domain.values import JsonObject
from lar.errors import ConfigError, ToolError
from lar.testing.clock import FakeClock
from lar.testing.tool_contract import ToolContract
from lar.testing.turns import ANN
from lar.tools.clock import clock_tool
from lar.tools.contract import Tool, ToolContext
from lar.tools.silence import stay_silent

MARCH_29 = 1_774_746_000.0
"""Sunday, 29 March 2026, 01:00 UTC: the moment Berlin goes to summer time."""


async def read(tool: Tool, **arguments: object) -> str:
    """What the clock says."""
    return (await tool.call(ToolContext(ANN, ConversationId(1), TurnId(1)), tool.parse(arguments))).text


class TestClock(ToolContract):
    """The clock keeps the tool contract."""

    @pytest.fixture
    def tool(self) -> Tool:
        """The tool."""
        return clock_tool(FakeClock())

    @pytest.fixture
    def arguments(self) -> JsonObject:
        """A zone."""
        return {"time_zone": "America/Bogota"}


class TestSilence(ToolContract):
    """Staying silent keeps the tool contract."""

    @pytest.fixture
    def tool(self) -> Tool:
        """The tool."""
        return stay_silent

    @pytest.fixture
    def arguments(self) -> JsonObject:
        """A reason."""
        return {"reason": "not meant for me"}

    def test_it_silences(self) -> None:
        """After it the turn ends without a reply."""
        assert stay_silent.silences


async def test_tells_date_time_weekday_zone_and_week() -> None:
    """All that a question about time may need."""
    tool = clock_tool(FakeClock(MARCH_29), "Europe/Berlin")
    assert await read(tool) == "Sunday, 2026-03-29 03:00:00 CEST (UTC+02:00), week 13"


async def test_knows_summer_time() -> None:
    """One second before, it is winter."""
    tool = clock_tool(FakeClock(MARCH_29 - 1), "Europe/Berlin")
    assert await read(tool) == "Sunday, 2026-03-29 01:59:59 CET (UTC+01:00), week 13"


async def test_tells_another_zone() -> None:
    """A person may ask for the time elsewhere."""
    tool = clock_tool(FakeClock(MARCH_29), "Europe/Berlin")
    assert "20:00:00" in await read(tool, time_zone="America/Bogota")


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd", "/etc/passwd", "Europe", "x" * 5000, "\0"])
async def test_an_unknown_zone_is_explained(zone: str) -> None:
    """A zone that does not exist is an error for the model, not a crash, and no file is looked at."""
    with pytest.raises(ToolError, match="There is no time zone"):
        await read(clock_tool(FakeClock()), time_zone=zone)


def test_a_wrong_setting_is_refused_at_the_start() -> None:
    """A misspelt zone would make every reminder wrong."""
    with pytest.raises(ConfigError, match=r"tools\.time_zone"):
        clock_tool(FakeClock(), "Europe/Berlim")
