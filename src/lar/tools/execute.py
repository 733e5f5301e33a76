"""The single path on which tools run: look up, validate, ask the gate, journal, act."""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, replace
from difflib import get_close_matches
from typing import cast

import structlog

from lar.domain.artifact import Artifact, Outgoing
from lar.domain.values import JsonObject
from lar.engine.contract import Journal
from lar.errors import ConfigError, EngineError, OutcomeUnknown, ToolError
from lar.policy.gate import Act, Decision, Gate, Verdict
from lar.tools.contract import Tool, ToolCall, ToolContext, ToolOutcome, ToolResult, ToolStatus

log = structlog.get_logger(__name__)


class Registry:
    """All tools of this Lar, in the order they were given."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._by_name: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._by_name:
                raise ConfigError(f"two tools are called {tool.name!r}: leave one of them out")
            self._by_name[tool.name] = tool

    @property
    def tools(self) -> tuple[Tool, ...]:
        """All of them."""
        return tuple(self._by_name.values())

    def find(self, name: str) -> Tool | None:
        """The tool of this name."""
        return self._by_name.get(name)

    def nearest(self, name: str) -> list[str]:
        """Names that look like this one, or all names if none does."""
        return get_close_matches(name, self._by_name, n=3, cutoff=0.5) or sorted(self._by_name)


class TurnTools:
    """The tools of one turn, for one person in one place. A `Toolbox`.

    Every call becomes one step `tool:<key>` of the journal, with its arguments, the gate's decision and its outcome.
    A step that is done gives its recorded outcome, whatever the gate or the registry would say by now.
    """

    def __init__(
        self, registry: Registry, context: ToolContext, journal: Journal, gate: Gate, *, max_result_chars: int = 60_000
    ) -> None:
        self._registry = registry
        self._context = context
        self._journal = journal
        self._gate = gate
        self._max_result_chars = max_result_chars

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What may be offered to the model: tools the gate would deny are absent."""
        return tuple(tool for tool in self._registry.tools if self._decide(tool).verdict is Verdict.ALLOW)

    async def execute(self, call: ToolCall) -> ToolOutcome:
        """Run the call once: unknown names, bad arguments and refusals come back as an outcome for the model.

        Raises:
            Fenced: the job is no longer ours.

        """
        tool = self._registry.find(call.name)
        decision = self._decide(tool) if tool else None
        record = {
            "tool": call.name,
            "arguments": call.arguments,
            "decision": {"verdict": decision.verdict, "rule": decision.rule} if decision else None,
        }
        try:
            output = await self._journal.step(
                f"tool:{call.key}",
                "tool",
                record,
                self._act(call, tool, decision),
                repeatable=tool is not None and tool.repeatable,
            )
        except OutcomeUnknown:
            return ToolOutcome(ToolStatus.UNKNOWN, _unknown(call.name))
        return _outcome(output)

    def _decide(self, tool: Tool) -> Decision:
        who = self._context
        return self._gate.decide(Act(tool.name, tool.risk, who.principal.role, who.place, private=tool.private))

    def _act(self, call: ToolCall, tool: Tool | None, decision: Decision | None) -> Callable[[], Awaitable[JsonObject]]:
        async def act() -> JsonObject:
            if tool is None or decision is None:
                names = ", ".join(self._registry.nearest(call.name))
                return _output(ToolStatus.ERROR, f"There is no tool called {call.name!r}. There is: {names}")
            if decision.verdict is Verdict.DENY:
                return _output(ToolStatus.DENIED, f"Not permitted: {decision.reason}.")
            try:
                arguments = tool.parse(read_arguments(call.arguments))
                result = await tool.call(replace(self._context, call=call.key), arguments)
            except ToolError as error:
                return _output(ToolStatus.ERROR, str(error))
            except EngineError:
                raise
            except Exception as error:  # the owner of a tool call records what it did not expect
                log.exception("tool failed", tool=tool.name, turn=self._context.turn_id, step=call.key)
                return _output(ToolStatus.ERROR, f"{tool.name} failed unexpectedly ({type(error).__name__}).")
            return _output(ToolStatus.OK, self._capped(result.text), result)

        return act

    def _capped(self, text: str) -> str:
        if not text.strip():
            return "(no output)"  # providers refuse an empty result
        if len(text) <= self._max_result_chars:
            return text
        left_out = len(text) - self._max_result_chars
        return f"{text[: self._max_result_chars]}\n\n[Cut off here: {left_out} more characters were left out.]"


def read_arguments(arguments: JsonObject | str) -> JsonObject:
    """The arguments as an object, whichever way the model gave them.

    Raises:
        ToolError: they are not a JSON object.

    """
    if not isinstance(arguments, str):
        return arguments
    try:
        value: object = json.loads(arguments or "{}")
    except ValueError as error:
        raise ToolError(f"The arguments are not valid JSON ({error}). Send a JSON object.") from None
    if not isinstance(value, dict):
        raise ToolError(f"The arguments must be a JSON object, not {type(value).__name__}.")
    return cast("JsonObject", value)


def _output(status: ToolStatus, text: str, result: ToolResult | None = None) -> JsonObject:
    """A call's outcome as the journal keeps it."""
    output: JsonObject = {"status": status, "text": text}
    if result is not None:
        more = {
            "shown": [asdict(artifact) for artifact in result.shown],
            "outgoing": [asdict(outgoing) for outgoing in result.outgoing],
            "source": result.source,
        }
        output |= {name: value for name, value in more.items() if value}
    return output


def _outcome(output: JsonObject) -> ToolOutcome:
    """Read what `_output` wrote."""
    return ToolOutcome(
        ToolStatus(output["status"]),
        output["text"],
        tuple(Artifact(**kept) for kept in output.get("shown", ())),
        tuple(_outgoing(kept) for kept in output.get("outgoing", ())),
    )


def _outgoing(kept: JsonObject) -> Outgoing:
    artifact = kept["artifact"]
    return Outgoing(kept["text"], Artifact(**artifact) if artifact else None, kept["conversation"])


def _unknown(name: str) -> str:
    return (
        f"The outcome of {name} is unknown: Lar was interrupted while it ran, so it may or may not have happened. "
        "Do not repeat it blindly. Check first whether it happened if you can, and tell the person."
    )
