"""Tools that come and go while Lar runs."""

from lar.domain.risk import Risk
from lar.policy.gate import Gate
from lar.testing.journal import MemoryJournal
from lar.testing.mcp import CONTEXT
from lar.testing.turns import Effects
from lar.tools.contract import Tool, ToolCall, ToolContext, ToolStatus
from lar.tools.define import tool
from lar.tools.execute import Registry, TurnTools


@tool(risk=Risk.READ, repeatable=True)
async def far__look(_context: ToolContext) -> str:
    """Look far away."""
    return "far"


@tool(risk=Risk.READ, repeatable=True)
async def far__new(_context: ToolContext) -> str:
    """Something that came later."""
    return "new"


async def test_a_turn_keeps_the_tools_it_began_with() -> None:
    """R-TO-8: what comes during a turn is of the next one; what has gone when a turn resumes is called gone."""
    coming: list[Tool] = [far__look]
    registry = Registry(Effects().tools(), lambda: coming)
    journal = MemoryJournal()
    begun = await registry.for_turn(journal)
    assert [one.name for one in begun.tools] == ["look", "act", "far__look"]
    coming[:] = [far__new]
    resumed = await registry.for_turn(journal.reborn())
    assert [one.name for one in resumed.tools] == ["look", "act"]
    outcome = await TurnTools(resumed, CONTEXT, journal, Gate()).execute(ToolCall("1.1", "far__look"))
    assert outcome.status is ToolStatus.ERROR
    assert "There is no tool called 'far__look'" in outcome.text
    assert [one.name for one in (await registry.for_turn(MemoryJournal())).tools] == ["look", "act", "far__new"]


async def test_what_is_always_there_wins() -> None:
    """R-TO-8: no server can put itself in the place of a tool of Lar's own; without servers nothing is journalled."""
    mine = far__look
    registry = Registry([mine], lambda: [far__look, far__new])
    assert [one.name for one in (await registry.for_turn(MemoryJournal())).tools] == ["far__look", "far__new"]
    journal = MemoryJournal()
    alone = Registry([mine])
    assert await alone.for_turn(journal) is alone
    assert journal.entries == {}
