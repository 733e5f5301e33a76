"""A recorded turn is run again without a vendor, and tells where today's code would do something else."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

import pytest

from lar.conversations.agents import Agent
from lar.conversations.replay import Replay, compare, replay
from lar.domain.ids import TurnId
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.errors import LarError, ThinkingError
from lar.runtimes.contract import Finished, TurnRequest
from lar.store.records import turn_record
from lar.testing.household import Household, Plan, living
from lar.testing.runtime import Move, ScriptedRuntime
from lar.testing.turns import Effects
from lar.tools.contract import ToolCall
from lar.tools.execute import Registry

Record = dict[str, Any]


def calls(tool: str, key: str = "1", **arguments: str) -> Callable[[TurnRequest], Any]:
    """A call of a tool."""

    async def call(request: TurnRequest) -> None:
        await request.toolbox.execute(ToolCall(key, tool, arguments))

    return call


LOOK, ACT = calls("look", "1", at="x"), calls("act", "2", on="y")


@pytest.fixture
async def house(plan: Plan) -> AsyncGenerator[Household]:
    """A household with two tools."""
    async with living(replace(plan, registry=Registry(Effects().tools()))) as household:
        yield household


async def recorded(house: Household, *moves: Move, said: str | Text = "hello") -> Record:
    """The record of a turn that went like this."""
    house.runtime.then(*moves)
    await house.say(said)
    await house.quiet()
    found = await house.db.read(turn_record, TurnId(len(house.runtime.requests)))
    assert found
    return found


async def again(house: Household, record: Record, *moves: Move, name: str = "main") -> Replay:
    """Replay a record with a runtime that goes like this now."""
    runtime = ScriptedRuntime()
    runtime.then(*moves)
    agent = Agent(name, "scripted", runtime, registry=house.plan.registry)
    return await replay(record, agent, house.prompting)


async def test_the_same_again_has_no_differences(house: Household) -> None:
    """R-CV-6: a turn replays from its record alone: same history, prompt and files, and no tool runs a second time."""
    house.channel.files["r"] = b"12345"
    await house.ask("before")
    await house.quiet()
    file = Attachment(AttachmentKind.PHOTO, "r", "a.jpg")
    record = await recorded(house, LOOK, ACT, Finished("done"), said=Text("hello", "m1", (file,)))
    runtime = ScriptedRuntime()
    runtime.then(LOOK, ACT, Finished("done"))
    found = await replay(record, Agent("main", "scripted", runtime, registry=house.plan.registry), house.prompting)
    assert found == Replay(3, ())
    then, now = house.runtime.requests[-1], runtime.requests[-1]
    assert (now.system, now.history, now.prompt, now.turn_id) == (then.system, then.history, then.prompt, then.turn_id)


@pytest.mark.parametrize(
    ("now", "difference"),
    [
        ((LOOK, ACT, Finished("other")), "the answer differs"),
        ((LOOK, ACT, Finished("", silent=True)), "the answer differs"),
        ((LOOK, Finished("done")), "not asked for any more: tool:2"),
        ((LOOK, ACT, calls("look", "3", at="z"), Finished("done")), "tool tool:3 is wanted now, and the record has no"),
        (
            (calls("look", "1", at="z"), ACT, Finished("done")),
            "tool tool:1: arguments was {'at': 'x'} and is {'at': 'z'}",
        ),
        ((LOOK, ACT, ThinkingError("auth", "bad key")), "it ends with an error now: bad key"),
    ],
)
async def test_what_differs_is_told(house: Household, now: tuple[Move, ...], difference: str) -> None:
    """R-CV-6: a replay names the effect, the answer or the end that today's code changes."""
    record = await recorded(house, LOOK, ACT, Finished("done"))
    found = await again(house, record, *now)
    assert len(found.differences) == 1
    assert found.differences[0].startswith(difference)


async def test_a_new_system_prompt_is_told(house: Household) -> None:
    """R-CV-6: whoever changes the instructions sees which turns were asked with others."""
    record = await recorded(house, Finished("done"))
    found = await again(house, record, Finished("done"), name="butler")
    assert found.differences == ("the system prompt differs",)


async def test_a_silent_turn_replays_silent(house: Household) -> None:
    """R-CV-4: a turn that sent nothing is the same if it sends nothing, and differs if it speaks."""
    record = await recorded(house, Finished("", silent=True))
    assert (await again(house, record, Finished("", silent=True))).differences == ()
    assert (await again(house, record, Finished("hi"))).differences == ("the answer differs",)


async def test_a_failure_replays_as_one(house: Household) -> None:
    """R-CV-6: a turn that failed in its time is the same if it fails the same."""
    record = await recorded(house, ThinkingError("auth", "bad key"))
    assert (await again(house, record, ThinkingError("auth", "bad key"))).differences == ()


async def test_an_unknown_outcome_replays_as_one(house: Household) -> None:
    """R-CV-7: an effect nobody knows the outcome of is as unknown in the replay; one without an end is told of."""
    record = await recorded(house, LOOK, ACT, Finished("done"))
    for state, differences in (
        ("unknown", ()),
        ("started", ("tool tool:2 is wanted now, and the record has no outcome of it",)),
    ):
        steps = [{**row, "state": state, "output": None} if row["key"] == "tool:2" else row for row in record["steps"]]
        found = await again(house, {**record, "steps": steps}, LOOK, ACT, Finished("done"))
        assert found.differences[: len(differences)] == differences
        assert bool(found.differences) == bool(differences)


async def test_a_file_without_its_record_is_told(house: Household) -> None:
    """R-CV-6: a record that lacks the fetching of a file is compared as far as it goes."""
    file = Attachment(AttachmentKind.PHOTO, "r", "a.jpg")
    record = await recorded(house, Finished("done"), said=Text("look", "m1", (file,)))
    found = await again(house, {**record, "steps": []}, Finished("done"))
    assert found.differences == ("fetch fetch:1-0 is wanted now, and the record has no outcome of it",)


async def test_a_turn_that_never_began_cannot_be_replayed(plan: Plan) -> None:
    """R-CV-6: a turn that waits has no prompt yet, and says so."""
    house = Household(plan)
    await house.open()
    await house.say("hello")
    record = await house.db.read(turn_record, TurnId(1))
    assert record
    with pytest.raises(LarError, match="turn 1 never began"):
        await again(house, record)
    await house.stop()


def test_inputs_are_compared_field_by_field() -> None:
    """R-CV-6: a difference is named where it is, in lists by its place."""
    old = {"a": 1, "b": [1, 2], "c": [1], "digest": "x", "same": 0}
    new = {"a": 2, "b": [1, 3], "c": [1, 2], "digest": "y", "same": 0, "d": None, "e": 5}
    assert compare(old, new) == [
        "a was 1 and is 2",
        "b differ first at number 2: 2 then, 3 now",
        "c were 1 and are 2",
        "e was None and is 5",
    ]


async def test_steering_is_not_missed(house: Household) -> None:
    """R-CV-6: steps that steering made are not missed when they are not asked for."""
    record = await recorded(house, Finished("done"))
    steering: Record = {"key": "steer:1", "kind": "steer", "state": "done", "input": {}, "output": {"messages": []}}
    found = await again(house, {**record, "steps": [steering]}, Finished("done"))
    assert found == Replay(0, ())


async def test_a_mode_that_changed_meanwhile_replays_the_same(house: Household) -> None:
    """A call that was refused because the conversation had become read-only is refused in the replay, too."""

    async def read_only(_request: TurnRequest) -> None:
        await house.say("/mode ro")

    act_again = calls("act", "3", on="z")
    record = await recorded(house, ACT, read_only, act_again, LOOK, Finished("done"))
    [refused] = [step for step in record["steps"] if step["key"] == "tool:3"]
    assert refused["input"]["decision"] == {"verdict": "deny", "rule": "mode.ro", "mode": "ro"}
    assert (await again(house, record, ACT, act_again, LOOK, Finished("done"))).differences == ()
