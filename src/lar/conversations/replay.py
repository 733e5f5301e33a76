"""Run a recorded turn again, offline: every effect comes from its journal, and what differs now is told."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from lar.conversations.agents import Agent
from lar.conversations.attachments import Fetching
from lar.conversations.desk import APPROVED_CALL
from lar.conversations.driver import Prompting, spoken, told
from lar.conversations.hearing import hear
from lar.conversations.work import Work, names_of
from lar.domain.conversation import Address, Conversation, Mode, Place
from lar.domain.ids import ConversationId, JobId, MemoryId, MessageId, PrincipalId, TurnId
from lar.domain.inbound import Attachment, AttachmentKind
from lar.domain.memory import Kind, Memory
from lar.domain.message import Author, Message
from lar.domain.principal import Principal, Role
from lar.domain.turn import Turn, TurnState
from lar.domain.values import JsonObject
from lar.errors import LarError, OutcomeUnknown, ThinkingError
from lar.media.intake import Intake
from lar.media.settings import MediaSettings
from lar.memory.context import Sizes
from lar.runtimes.contract import Finished, TurnRequest
from lar.tools.contract import Nobody, ToolContext

Plain = Mapping[str, Any]


class Diverged(LarError):
    """Today's code wants an effect that the record does not have: from here on nothing can be compared."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found. `differences` are sentences, empty where code and prompt still do the same."""

    steps: int
    differences: tuple[str, ...]


@dataclass(slots=True)
class RecordedJournal:
    """A journal that acts on nothing: it knows what was done, and notes where something else is asked now."""

    steps: Mapping[str, Plain]
    used: list[str] = field(default_factory=list[str])
    differences: list[str] = field(default_factory=list[str])

    def output(self, key: str) -> JsonObject | None:  # noqa: ARG002  # as in the contract
        """Nothing is taken from the record before it is asked for, so that what is asked can be compared."""
        return None

    async def step(
        self,
        key: str,
        kind: str,
        input: JsonObject,  # noqa: A002  # the field's name in the journal
        act: Callable[[], Awaitable[JsonObject]],  # noqa: ARG002  # never acted
        *,
        repeatable: bool,  # noqa: ARG002  # never repeated
    ) -> JsonObject:
        """The recorded output of this step."""
        recorded = self.steps.get(key)
        if recorded is None or recorded["output"] is None:
            if recorded is not None and recorded["state"] == "unknown":
                self.used.append(key)
                raise OutcomeUnknown(key)
            raise Diverged(f"{kind} {key} is wanted now, and the record has no outcome of it")
        self.used.append(key)
        self.differences += [f"{kind} {key}: {text}" for text in compare(recorded["input"], input)]
        return cast("JsonObject", recorded["output"])


_NOT_AGAIN = ("steer:", "gate:")
"""Steps a replay does not ask for again: what people said meanwhile."""


def compare(recorded: JsonObject, now: JsonObject) -> list[str]:
    """Where two inputs of a step differ, one sentence per field; lists are compared item by item."""
    found: list[str] = []
    for name in sorted({*recorded, *now} - {"digest"}):
        old, new = recorded.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old, list) and isinstance(new, list):
            found.append(f"{name} {_first_difference(cast('list[Any]', old), cast('list[Any]', new))}")
        else:
            found.append(f"{name} was {old!r} and is {new!r}")
    return found


def _first_difference(old: Sequence[Any], new: Sequence[Any]) -> str:
    for number, (before, after) in enumerate(zip(old, new, strict=False), 1):
        if before != after:
            return f"differ first at number {number}: {before!r} then, {after!r} now"
    return f"were {len(old)} and are {len(new)}"


class RecordedDesk(Nobody):
    """A desk that knows what was permitted when the turn ran. Whoever was asked then is not asked again."""

    def __init__(self, steps: Mapping[str, Plain]) -> None:
        self._steps = steps
        self._rules = {
            step["input"]["tool"]: str(step["input"]["decision"]["rule"])
            for step in steps.values()
            if step["kind"] == "tool" and step["input"].get("decision")
        }

    async def mode(self, call: str, /) -> Mode | None:
        """The mode in which this call was judged."""
        step = self._steps.get(f"tool:{call}")
        decision = cast("Plain | None", step["input"]["decision"]) if step else None
        return Mode(decision["mode"]) if decision and "mode" in decision else None

    async def permitted(self, tool: str, _target: str, /) -> str:
        """What the record says about this tool."""
        rule = self._rules.get(tool, "")
        return rule if rule.startswith("permission.") else ""


async def replay(record: JsonObject, agent: Agent, prompting: Prompting) -> Replay:
    """Run the turn of an exported record with today's code, prompt and tools."""
    work = _work(record)
    journal = RecordedJournal({str(step["key"]): step for step in cast("list[Plain]", record["steps"])})
    if prompting.system(agent, work.conversation, work.principal) != work.system:
        journal.differences.append("the system prompt differs")
    try:
        await _compare_answer(record, agent, await _request(work, agent, prompting, journal), journal)
    except Diverged as error:
        journal.differences.append(str(error))
    unused = [key for key in journal.steps if key not in journal.used and not key.startswith(_NOT_AGAIN)]
    if unused:
        journal.differences.append(f"not asked for any more: {', '.join(unused)}")
    return Replay(len(journal.used), tuple(journal.differences))


async def _request(work: Work, agent: Agent, prompting: Prompting, journal: RecordedJournal) -> TurnRequest:
    caller = ToolContext(
        work.principal,
        work.conversation.id,
        work.turn.id,
        work.conversation.place,
        mode=Mode.FULL,  # the record says how each call was judged
        taint=work.taint,
        desk=RecordedDesk(journal.steps),
    )
    profile = prompting.profile(agent, work.conversation)
    looked = any(key.startswith("look:") for key in journal.steps)
    intake = Intake(Path(), MediaSettings(), "nobody listens") if looked else None  # never acts: it is all recorded
    fetching = Fetching(caller, None, Path(), intake=intake, takes=profile.takes)
    heard = await hear(work.said, lambda said: spoken(work, said), fetching, journal)
    caller = replace(caller, taint=tuple(dict.fromkeys((*work.taint, *heard.sources))))
    composed = work.prompt(heard.prompt)
    prompt = composed.prompt
    carried = f"tool:{APPROVED_CALL}"
    if carried in journal.steps and journal.steps[carried]["output"]:
        journal.used.append(carried)
        prompt = told(prompt, str(journal.steps[carried]["output"]["text"]))
    return TurnRequest(
        turn_id=work.turn.id,
        system=composed.system,
        history=composed.history,
        prompt=prompt,
        limits=agent.limits,
        toolbox=await prompting.toolbox(agent, caller, journal),
        journal=journal,
        language=work.principal.language,
        steering=None,
        media=heard.media,
        model=profile.model,
    )


async def _compare_answer(record: JsonObject, agent: Agent, request: TurnRequest, journal: RecordedJournal) -> None:
    replies = [m["text"] for m in cast("list[Plain]", record["messages"]) if m["author"] == Author.ASSISTANT]
    try:
        async with aclosing(agent.runtime.run(request)) as events:
            async for event in events:
                if isinstance(event, Finished) and not _is_among(event, replies):
                    journal.differences.append("the answer differs")
    except ThinkingError as error:
        ended = cast("Plain", record["turn"])["error"]
        if str(error) not in ended:
            journal.differences.append(f"it ends with an error now: {error}")


def _is_among(answer: Finished, replies: Sequence[str]) -> bool:
    return not replies if answer.silent else answer.text in "".join(replies)


def _work(record: JsonObject) -> Work:
    turn, where, who = (cast("Plain", record[name]) for name in ("turn", "conversation", "principal"))
    if not turn["context"]:
        raise LarError(f"turn {turn['id']} never began: there is nothing to replay")
    pinned = cast("Plain", turn["context"])
    spoken_in_turn = {m["id"]: _message(m) for m in cast("list[Plain]", record["messages"])}
    before = {m["id"]: _message(m) for m in cast("list[Plain]", record["history"])}
    return Work(
        Turn(
            TurnId(turn["id"]),
            ConversationId(turn["conversation_id"]),
            PrincipalId(turn["principal_id"]),
            JobId(turn["job_id"]),
            TurnState(turn["state"]),
            turn["agent"],
            turn["created_at"],
        ),
        Conversation(
            ConversationId(where["id"]),
            Address(where["channel"], where["account"], where["chat"], where["thread"]),
            Place(where["place"]),
            where["title"],
            where["agent"],
            mode=Mode(where["mode"]) if where["mode"] else None,
            model=where.get("model", ""),
        ),
        Principal(PrincipalId(who["id"]), who["name"], Role(who["role"]), who["language"]),
        tuple(spoken_in_turn[number] for number in pinned["said"] if number in spoken_in_turn),
        tuple(before[number] for number in pinned["history"] if number in before),
        str(record["system"]),
        names_of(pinned),
        tuple(pinned.get("taint", ())),
        memories=tuple(_memory(plain) for plain in cast("list[Plain]", record.get("memories", []))),
        files=tuple((plain["name"], plain["text"]) for plain in cast("list[Plain]", record.get("files", []))),
        sizes=Sizes(*pinned.get("sizes", ())),
    )


def _memory(plain: Plain) -> Memory:
    return Memory(
        MemoryId(plain["id"]), Kind(plain["kind"]), plain["owner"], plain["text"], plain["number"], plain["day"]
    )


def _message(plain: Plain) -> Message:
    return Message(
        MessageId(plain["id"]),
        ConversationId(plain["conversation_id"]),
        Author(plain["author"]),
        plain["text"],
        plain["created_at"],
        principal_id=None if plain["principal_id"] is None else PrincipalId(plain["principal_id"]),
        attachments=tuple(
            replace(Attachment(**stored), kind=AttachmentKind(stored["kind"])) for stored in plain["attachments"]
        ),
        source=plain.get("source", ""),
    )
