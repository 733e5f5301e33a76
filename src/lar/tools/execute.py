"""The single path on which tools run: look up, validate, ask the gate, journal, act."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from typing import cast

import structlog

from lar.domain.artifact import Artifact, Outgoing
from lar.domain.conversation import Mode
from lar.domain.values import JsonObject
from lar.engine.contract import Journal
from lar.errors import ConfigError, EngineError, OutcomeUnknown, ToolError
from lar.policy.gate import Act, Decision, Gate, Verdict
from lar.tools.contract import Answer, Effect, Tool, ToolCall, ToolContext, ToolOutcome, ToolResult, ToolStatus

log = structlog.get_logger(__name__)


class Registry:
    """All tools of an agent, in the order they were given. `more` gives those that come and go while Lar runs."""

    def __init__(self, tools: Iterable[Tool], more: Callable[[], Sequence[Tool]] | None = None) -> None:
        self._more = more
        self._by_name: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._by_name:
                raise ConfigError(f"two tools are called {tool.name!r}: leave one of them out")
            self._by_name[tool.name] = tool

    @property
    def tools(self) -> tuple[Tool, ...]:
        """All that are always there."""
        return tuple(self._by_name.values())

    async def for_turn(self, journal: Journal) -> "Registry":
        """What a turn works with: what there is when it begins. What has gone when it resumes is not there any more."""
        if self._more is None:
            return self
        coming = {tool.name: tool for tool in self._more() if tool.name not in self._by_name}

        async def act() -> JsonObject:
            return {"names": list(coming)}

        begun_with = await journal.step("tools", "tools", {}, act, repeatable=True)
        return Registry((*self.tools, *(coming[name] for name in begun_with["names"] if name in coming)))

    def named(self, name: str) -> Tool:
        """The tool of this name.

        Raises:
            ToolError: there is none; names what looks like it, or all there is.

        """
        found = self._by_name.get(name)
        if found is None:
            near = get_close_matches(name, self._by_name, n=3, cutoff=0.5) or sorted(self._by_name)
            raise ToolError(f"There is no tool called {name!r}. There is: {', '.join(near)}")
        return found


class TurnTools:
    """The tools of one turn, for one person in one place. A `Toolbox`.

    Every call becomes one step `tool:<key>` of the journal, with its arguments, the gate's decision and its outcome; a
    call somebody was asked about has a step `gate:<key>` before it. A step that is done gives its recorded outcome,
    whatever the gate or the registry would say by now.
    """

    def __init__(
        self, registry: Registry, context: ToolContext, journal: Journal, gate: Gate, *, max_result_chars: int = 60_000
    ) -> None:
        self._registry = registry
        self._context = context
        self._journal = journal
        self._gate = gate
        self._desk = context.desk
        self._max_result_chars = max_result_chars
        self._taint = list(context.taint)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What may be offered to the model: tools that cannot be used now, or that the gate would deny, are absent."""
        place, offers = self._context.place, self._gate.offers
        return tuple(t for t in self._registry.tools if t.there() and offers(t.name, place, private=t.private))

    @property
    def taint(self) -> tuple[str, ...]:
        """Where content from outside came from that the turn has seen so far."""
        return tuple(self._taint)

    def saw(self, sources: Sequence[str]) -> None:
        """Content from outside came in that no tool brought."""
        self._taint += [source for source in dict.fromkeys(sources) if source and source not in self._taint]

    async def execute(self, call: ToolCall) -> ToolOutcome:
        """Run the call once: unknown names, bad arguments and refusals come back as an outcome for the model.

        Raises:
            Fenced: the job is no longer ours.
            Suspended: a person was asked; run the turn again when they have answered.
            HandedOver: somebody else was asked; the turn ends.

        """
        step = f"tool:{call.key}"
        output = self._journal.output(step)
        if output is None:
            try:
                tool = self._registry.named(call.name)
                arguments = tool.parse(read_arguments(call.arguments))
                effect = tool.would(arguments, self._context)
            except ToolError as error:
                return await self._record(call, ToolStatus.ERROR, str(error))
            output = await self._run(step, call, tool, arguments, effect)
        self.saw([output.get("source", "")])
        return _outcome(output)

    async def _record(self, call: ToolCall, status: ToolStatus, text: str) -> ToolOutcome:
        """Journal a call that is not even put to the gate; one that ran before its tool vanished stays unknown."""

        async def act() -> JsonObject:
            return _output(status, text)

        record = {"tool": call.name, "arguments": call.arguments, "decision": None}
        try:
            return _outcome(await self._journal.step(f"tool:{call.key}", "tool", record, act, repeatable=False))
        except OutcomeUnknown:
            return ToolOutcome(ToolStatus.UNKNOWN, _unknown(call.name))

    async def _run(self, step: str, call: ToolCall, tool: Tool, arguments: JsonObject, effect: Effect) -> JsonObject:
        mode = await self._mode(call)
        decision = await self._decide(call, tool, effect, mode)
        told: JsonObject = {"verdict": str(decision.verdict), "rule": decision.rule, "mode": str(mode)}
        if self._taint:
            told["taint"] = list(self._taint)
        record = {"tool": call.name, "arguments": call.arguments, "decision": told}
        act = self._act(call, tool, arguments, decision)
        try:
            return await self._journal.step(step, "tool", record, act, repeatable=tool.repeatable)
        except OutcomeUnknown:
            return _output(ToolStatus.UNKNOWN, _unknown(call.name))

    async def _mode(self, call: ToolCall) -> Mode:
        """The turn's mode, or a stricter one that the conversation was given since."""
        now = await self._desk.mode(call.key)
        return self._context.mode.stricter(now) if now else self._context.mode

    async def _decide(self, call: ToolCall, tool: Tool, effect: Effect, mode: Mode) -> Decision:
        """What the gate says; where it says ask, what the person says."""
        who = self._context
        act = Act(
            tool.name,
            effect.deed,
            who.principal.role,
            who.place,
            private=tool.private,
            target=effect.target,
            mode=mode,
            taint=self.taint,
        )
        decision = self._gate.decide(act)
        if decision.verdict is Verdict.ASK:
            permission = await self._desk.permitted(tool.name, effect.target)
            decision = self._gate.decide(replace(act, permitted=permission, unattended=who.unattended))
        if decision.verdict is not Verdict.ASK:
            return decision

        async def ask() -> JsonObject:
            return asdict(await self._desk.ask(call, effect, decision, self.taint))

        asked = {"tool": tool.name, "summary": effect.summary, "rule": decision.rule}
        answer = Answer(**await self._journal.step(f"gate:{call.key}", "gate", asked, ask, repeatable=True))
        return Decision(Verdict.ALLOW if answer.allowed else Verdict.DENY, answer.rule, answer.reason)

    def _act(
        self, call: ToolCall, tool: Tool, arguments: JsonObject, decision: Decision
    ) -> Callable[[], Awaitable[JsonObject]]:
        async def act() -> JsonObject:
            if decision.verdict is Verdict.DENY:
                return _output(ToolStatus.DENIED, f"Not permitted: {decision.reason}.")
            try:
                result = await tool.call(replace(self._context, call=call.key, taint=self.taint), arguments)
            except ToolError as error:
                status = ToolStatus.UNKNOWN if error.unknown else ToolStatus.ERROR
                return _output(status, self._capped(str(error)), ToolResult("", source=error.source))
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
