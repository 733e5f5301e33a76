"""The single path on which tools run: looked up, checked, gated, journalled, done once."""

import asyncio
import json

import pytest

from lar.domain.artifact import Artifact, Outgoing
from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.principal import Principal, Role
from lar.domain.risk import Risk
from lar.domain.values import JsonObject
from lar.errors import ConfigError, Fenced, ToolError
from lar.policy.gate import Gate
from lar.policy.settings import PolicySettings
from lar.testing.journal import Killed, MemoryJournal
from lar.testing.turns import ANN, Effects
from lar.tools.contract import Effect, Nobody, Tool, ToolCall, ToolContext, ToolResult, ToolStatus
from lar.tools.define import tool
from lar.tools.execute import Registry, TurnTools


def box(
    journal: MemoryJournal, *tools: Tool, role: Role = Role.ADMIN, denied: str = "", max_result_chars: int = 1000
) -> TurnTools:
    """These tools for a person of this role."""
    context = ToolContext(Principal(PrincipalId(1), "Ann", role), ConversationId(1), TurnId(1))
    gate = Gate(PolicySettings(denied_tools=frozenset({denied})))
    return TurnTools(Registry(tools), context, journal, gate, max_result_chars=max_result_chars)


@tool(risk=Risk.EXEC, repeatable=False)
async def detonate(_context: ToolContext) -> str:
    """Something only an admin may do."""
    return "boom"


def raising(error: BaseException, *, repeatable: bool = True) -> Tool:
    """A tool that fails so."""

    @tool(risk=Risk.READ, repeatable=repeatable)
    async def fail(_context: ToolContext) -> str:
        """Fail."""
        raise error

    return fail


async def test_a_call_is_one_step_with_all_that_is_to_know() -> None:
    """The journal has the tool, its arguments, the gate's decision and the outcome."""
    journal = MemoryJournal()
    outcome = await box(journal, *Effects().tools()).execute(ToolCall("1.1", "look", {"at": "x"}))
    assert (outcome.status, outcome.text) == (ToolStatus.OK, "saw x")
    entry = journal.entries["tool:1.1"]
    decision = {"verdict": "allow", "rule": "default.look", "mode": "rw"}
    assert (entry.kind, entry.input) == ("tool", {"tool": "look", "arguments": {"at": "x"}, "decision": decision})
    assert entry.output == {"status": "ok", "text": "saw x"}


async def test_arguments_may_be_json_text() -> None:
    """Models send arguments as text."""
    effects = Effects()
    await box(MemoryJournal(), *effects.tools()).execute(ToolCall("1", "look", json.dumps({"at": "x"})))
    assert effects.looked == ["x"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ('{"at": ', "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ("", "at: Field required"),
        ({}, "at: Field required"),
        ({"at": 1}, "valid string"),
        ({"at": "x", "ta": "y"}, "ta: Extra inputs"),
    ],
)
async def test_bad_arguments_are_explained_to_the_model(arguments: str | dict[str, object], hint: str) -> None:
    """The model can correct itself; nothing ran."""
    effects = Effects()
    outcome = await box(MemoryJournal(), *effects.tools()).execute(ToolCall("1", "look", arguments))
    assert outcome.status is ToolStatus.ERROR
    assert hint in outcome.text
    assert effects.looked == []


async def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    """A model that misremembers a name is told the right one."""
    tools = box(MemoryJournal(), *Effects().tools())
    assert "There is: look" in (await tools.execute(ToolCall("1", "lok"))).text
    assert "There is: act, look" in (await tools.execute(ToolCall("2", "zzzzzz"))).text


async def test_what_is_denied_is_not_offered_and_does_not_run() -> None:
    """R-PO-1: a tool that is switched off is neither shown to the model nor run when it is called all the same."""
    journal = MemoryJournal()
    tools = box(journal, detonate, *Effects().tools(), denied="detonate")
    assert [tool.name for tool in tools.tools] == ["look", "act"]
    outcome = await tools.execute(ToolCall("1", "detonate"))
    assert (outcome.status, outcome.text) == (
        ToolStatus.DENIED,
        "Not permitted: detonate is switched off in the configuration.",
    )


async def test_where_nobody_can_be_asked_nothing_is_done_that_asks() -> None:
    """R-PO-1: without a desk a call that would ask is refused, with the reason; that it was is in the journal."""
    journal = MemoryJournal()
    outcome = await box(journal, detonate).execute(ToolCall("1", "detonate"))
    assert (outcome.status, "nobody can be asked" in outcome.text) == (ToolStatus.DENIED, True)
    assert (journal.entries["gate:1"].output or {})["rule"] == "default.run_out"
    with pytest.raises(ToolError):
        await Nobody().choose("1", "Which?", ())


async def test_a_private_tool_is_denied_in_a_group() -> None:
    """What belongs to one person is not shown in front of others."""

    @tool(risk=Risk.READ, repeatable=True, private=True)
    async def diary(_context: ToolContext) -> str:
        """Read the diary."""
        return "dear diary"

    context = ToolContext(ANN, ConversationId(1), TurnId(1), Place.GROUP)
    tools = TurnTools(Registry([diary]), context, MemoryJournal(), Gate())
    assert (await tools.execute(ToolCall("1", "diary"))).status is ToolStatus.DENIED


async def test_a_done_call_is_never_made_again() -> None:
    """A resumed turn reads the outcome, whatever the registry or the gate would say by now."""
    journal, effects = MemoryJournal(), Effects()
    call = ToolCall("1", "act", {"on": "x"})
    first = await box(journal, *effects.tools()).execute(call)
    for later in (box(journal, *effects.tools()), box(journal), box(journal, *effects.tools(), denied="act")):
        assert await later.execute(call) == first
    assert effects.acted == ["x"]


async def test_an_interrupted_unsafe_call_is_unknown_for_good() -> None:
    """It may have happened: it is not made again, and both model and person are told."""
    journal, effects = MemoryJournal(die_at=2), Effects()
    call = ToolCall("1", "act", {"on": "x"})
    with pytest.raises(Killed):
        await box(journal, *effects.tools()).execute(call)
    assert effects.acted == ["x"]
    for _ in range(2):
        outcome = await box(journal.reborn(), *effects.tools()).execute(call)
        assert outcome.status is ToolStatus.UNKNOWN
        assert "may or may not have happened" in outcome.text
    assert effects.acted == ["x"]


async def test_an_interrupted_safe_call_is_made_again() -> None:
    """What may be repeated is repeated, so that the turn gets its answer."""
    journal, effects = MemoryJournal(die_at=2), Effects()
    call = ToolCall("1", "look", {"at": "x"})
    with pytest.raises(Killed):
        await box(journal, *effects.tools()).execute(call)
    assert (await box(journal.reborn(), *effects.tools()).execute(call)).text == "saw x"


async def test_a_tools_refusal_goes_to_the_model() -> None:
    """A `ToolError` is text for the model, and an outcome like any other."""
    journal = MemoryJournal()
    outcome = await box(journal, raising(ToolError("no such page"))).execute(ToolCall("1", "fail"))
    assert (outcome.status, outcome.text) == (ToolStatus.ERROR, "no such page")
    assert journal.entries["tool:1"].output == {"status": "error", "text": "no such page"}


async def test_an_unexpected_failure_ends_the_call_and_not_the_turn() -> None:
    """The model is told that it failed, without what may be a secret in the message."""
    outcome = await box(MemoryJournal(), raising(ValueError("key sk-123"))).execute(ToolCall("1", "fail"))
    assert (outcome.status, outcome.text) == (ToolStatus.ERROR, "fail failed unexpectedly (ValueError).")


@pytest.mark.parametrize("error", [Fenced("gone"), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_what_ends_a_turn_passes(error: BaseException) -> None:
    """Cancellation and fencing are not a tool's failure."""
    journal = MemoryJournal()
    with pytest.raises(type(error)):
        await box(journal, raising(error, repeatable=False)).execute(ToolCall("1", "fail"))
    assert journal.entries["tool:1"].state == "started"


async def test_a_long_result_is_cut_with_a_note() -> None:
    """A tool that floods does not flood the model."""

    @tool(risk=Risk.READ, repeatable=True)
    async def flood(_context: ToolContext) -> str:
        """Give too much."""
        return "x" * 5000

    outcome = await box(MemoryJournal(), flood, max_result_chars=1000).execute(ToolCall("1", "flood"))
    assert outcome.text.startswith("x" * 1000 + "\n\n[Cut off here: 4000")


async def test_an_empty_result_says_so() -> None:
    """Providers refuse a whole conversation for one empty tool result."""

    @tool(risk=Risk.READ, repeatable=True)
    async def hush(_context: ToolContext) -> str:
        """Say nothing."""
        return " "

    assert (await box(MemoryJournal(), hush).execute(ToolCall("1", "hush"))).text == "(no output)"


def test_two_tools_of_one_name_are_refused() -> None:
    """Which of them would run must not be a matter of order."""
    with pytest.raises(ConfigError, match="two tools are called 'detonate'"):
        Registry([detonate, detonate])


async def test_files_and_their_source_are_in_the_journal() -> None:
    """What a tool shows and sends, and where it came from, is the same when the turn is resumed."""
    picture = Artifact("artifacts/1/plot.png", "plot.png", "image/png", 3)
    calls: list[str] = []

    @tool(risk=Risk.READ, repeatable=True)
    async def draw(context: ToolContext) -> ToolResult:
        """Draw."""
        calls.append(context.call)
        sent = (Outgoing("look", picture), Outgoing("done", conversation=7))
        return ToolResult("drawn", shown=(picture,), outgoing=sent, source="web: example.org")

    journal = MemoryJournal()
    first = await box(journal, draw).execute(ToolCall("1.1", "draw", {}))
    assert (first.shown, first.outgoing[1]) == ((picture,), Outgoing("done", conversation=7))
    assert (journal.entries["tool:1.1"].output or {})["source"] == "web: example.org"
    json.dumps(journal.entries["tool:1.1"].output)
    assert await box(journal, draw).execute(ToolCall("1.1", "draw", {})) == first
    assert calls == ["1.1"]


async def test_an_effect_that_cannot_be_told_is_an_error_of_the_call() -> None:
    """R-PO-1: a call whose effect cannot be judged is refused with the reason; the turn goes on."""

    def refuse(_arguments: JsonObject) -> Effect:
        raise ToolError("That is no host.")

    @tool(risk=Risk.REACH, repeatable=False, effect=refuse)
    async def reach(_context: ToolContext) -> str:
        """Reach out."""
        return "reached"

    outcome = await box(MemoryJournal(), reach).execute(ToolCall("1", "reach"))
    assert (outcome.status, outcome.text) == (ToolStatus.ERROR, "That is no host.")


async def test_a_call_whose_tool_vanished_in_the_middle_stays_unknown() -> None:
    """R-CV-7: it was interrupted and may have happened; that its tool is gone by now does not make it harmless."""
    journal = MemoryJournal(die_at=2)
    with pytest.raises(Killed):
        await box(journal, *Effects().tools()).execute(ToolCall("1", "act", {"on": "x"}))
    outcome = await box(journal.reborn()).execute(ToolCall("1", "act", {"on": "x"}))
    assert outcome.status is ToolStatus.UNKNOWN
