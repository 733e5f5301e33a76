"""What a firing does, through a whole household: reminders are told, prompts become turns, a crash loses neither."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from making import only, reminder

from lar.domain.conversation import Address, Place
from lar.domain.ids import PrincipalId
from lar.domain.message import Author
from lar.domain.principal import Principal, Role
from lar.domain.risk import Risk
from lar.domain.schedule import Every, FiringState, Once, Schedule, ScheduleKind, Timing
from lar.domain.turn import TurnState
from lar.engine.contract import JobContext
from lar.engine.settings import EngineSettings
from lar.errors import LarError, ThinkingError
from lar.policy.access import AccessRules
from lar.runtimes.contract import Finished, RuntimeEvent, TurnRequest
from lar.schedules.firing import Ended, Finish
from lar.store import conversations, events, messages, people, schedules, turns
from lar.store.database import Connection
from lar.testing.household import Household, Plan, living
from lar.tools.asking import ask_person
from lar.tools.contract import ToolCall, ToolContext
from lar.tools.define import tool
from lar.tools.execute import Registry

HOUR = 3600.0


@tool(risk=Risk.SPEND, repeatable=False)
async def buy(_context: ToolContext) -> str:
    """Buy something."""
    return "bought"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    """A household with a person who has written once."""
    async with living(
        Plan(tmp_path, registry=Registry([buy, ask_person]), engine=EngineSettings(max_failures=1))
    ) as household:
        await household.ask("hello")
        yield household


async def add(house: Household, new: Schedule) -> Schedule:
    """Keep a schedule of user 1 for their private chat."""

    def put(connection: Connection) -> Schedule:
        known = people.find(connection, "fake", "main", "1")
        assert known is not None
        here = conversations.ensure(connection, Address("fake", "main", "1"), Place.PRIVATE, "", house.clock())
        return schedules.add(connection, replace(new, principal_id=known.principal.id, conversation_id=here.id))

    return await house.db.write(put)


async def test_a_reminder_is_told_without_a_model(house: Household) -> None:
    """R-SC-1: a plain reminder says its text at its time, with buttons; no turn is begun for it."""
    made = await add(house, reminder(house.clock() + 60))
    await house.advance(59)
    assert len(house.channel.sent) == 1
    await house.advance(1)
    await house.until(lambda: len(house.channel.sent) == 2)
    part = house.channel.sent[-1].part
    assert part.text == "⏰ water the plants"
    assert [[button.label for button in row] for row in part.buttons] == [
        ["💤 10 min", "💤 1 h", "💤 tomorrow"],
        ["✅ done"],
    ]
    assert len(house.runtime.requests) == 1
    await house.until_stored(lambda c: schedules.firings(c, made.id)[0].state is FiringState.DONE)


async def test_a_prompt_is_a_turn(house: Household) -> None:
    """R-SC-1: a scheduled prompt is thought about like what a person writes; the firing knows its turn."""
    prompt = replace(reminder(house.clock() + 60), kind=ScheduleKind.PROMPT, text="what is new?")
    made = await add(house, prompt)
    await house.advance(60)
    await house.until(lambda: len(house.channel.sent) == 2)
    assert house.channel.texts()[-1] == "echo: [scheduled]\nwhat is new?"
    request = house.runtime.requests[-1]
    assert request.payer.schedule == f"#{made.id}"
    assert (await only(house.db, made.id)).turn_id == request.turn_id
    await house.quiet()
    (last,) = await house.db.read(schedules.last_turns, made.id, 5)
    assert last.state is TurnState.DONE


async def test_a_prompt_that_fails_is_an_event(house: Household) -> None:
    """R-SC-3: a turn that a schedule began and that failed waits for a heartbeat; what a person asked does not."""
    house.runtime.then(ThinkingError("overloaded", "down"))
    await house.ask("hello")
    house.runtime.then(ThinkingError("overloaded", "down"))
    made = await add(house, replace(reminder(house.clock() + 60), kind=ScheduleKind.PROMPT, text="what is new?"))
    await house.advance(60)
    await house.until_stored(events.count_waiting)
    (event,) = await house.db.read(events.waiting, PrincipalId(1), owner=True, limit=9)
    assert event.kind == "job finished"
    assert event.text == f"turn 3, which the schedule #{made.id} began, has failed"


async def test_a_prompt_made_in_sight_of_outside_content_carries_it_on(house: Household) -> None:
    """R-PO-3: what taints when a schedule is made taints when it fires."""
    prompt = replace(reminder(house.clock()), kind=ScheduleKind.PROMPT, taint=("web: example.org",))
    await add(house, prompt)
    await house.until(lambda: len(house.channel.sent) == 2)
    assert house.runtime.requests[-1].toolbox.taint == ("web: example.org",)


async def test_nobody_is_asked_at_night(house: Household) -> None:
    """R-PO-1: a scheduled turn does not wait for anybody's yes: it is told no."""

    async def try_to_buy(request: TurnRequest) -> RuntimeEvent:
        outcome = await request.toolbox.execute(ToolCall("1", "buy"))
        return Finished(f"{outcome.status}: {outcome.text}")

    house.runtime.then(try_to_buy)
    await add(house, replace(reminder(house.clock()), kind=ScheduleKind.PROMPT, text="buy milk"))
    await house.until(lambda: len(house.channel.sent) == 2)
    assert house.channel.texts()[-1].startswith("denied: Not permitted")
    assert "nobody is there to be asked" in house.channel.texts()[-1]


async def test_what_was_due_while_nothing_ran(house: Household) -> None:
    """R-SC-2: after a crash the reminder comes once, and says when it was due and how often it was missed."""
    at = house.clock()
    await add(house, reminder(at + 30))
    daily = Timing(Every(24 * HOUR, at + 60))
    await add(house, replace(reminder(daily, at + 60), text="feed the cat"))
    await house.crash()
    house.clock.advance(2 * 24 * HOUR + 2 * HOUR)
    after = await house.again()
    more = "and 2 more times before. I was not running then."
    try:
        await after.until(lambda: len(after.channel.sent) >= 3)
        await after.quiet()
        assert sorted(after.channel.texts()[1:]) == [
            f"⏰ feed the cat\n(It was due at Thursday, 2023-11-16 22:14:20 (UTC), {more})",
            "⏰ water the plants\n(It was due at Tuesday, 2023-11-14 22:13:50 (UTC).)",
        ]
        status = await after.ask("/status")
        assert "2 firing(s) came late, and 2 were left out" in status
    finally:
        await after.stop()


@pytest.mark.parametrize("kind", [ScheduleKind.REMINDER, ScheduleKind.PROMPT])
async def test_whoever_is_let_in_no_more_is_told_nothing(house: Household, kind: ScheduleKind) -> None:
    """R-TG-3: what somebody had planned ends with their access: no turn, no word, and a record that says why."""
    made = await add(house, replace(reminder(house.clock() + 30), kind=kind))
    await house.crash()
    after = await house.again(rules=AccessRules(users=frozenset({"2"})))
    try:
        await after.advance(60)
        await after.until_stored(lambda c: [f for f in schedules.firings(c, made.id) if f.state is FiringState.DROPPED])
        await after.quiet()
        assert "not let in any more" in (await after.db.read(schedules.firings, made.id))[0].note
        assert (len(after.channel.sent), after.runtime.requests) == (1, [])
    finally:
        await after.stop()


async def test_nobody_is_asked_where_nobody_is(house: Household) -> None:
    """R-SC-1: in a turn that a schedule began a question comes back at once, and the lane is free for the person."""

    async def asks(request: TurnRequest) -> RuntimeEvent:
        outcome = await request.toolbox.execute(ToolCall("1", "ask_person", {"question": "Red or blue?"}))
        return Finished(f"{outcome.status}: {outcome.text}")

    house.runtime.then(asks)
    await add(house, replace(reminder(house.clock()), kind=ScheduleKind.PROMPT))
    await house.until(lambda: "Nobody is there to answer" in house.channel.texts()[-1])
    assert house.channel.texts()[-1].startswith("error: ")
    assert house.channel.texts()[-1].endswith("Red or blue?")
    assert await house.ask("hello?")


async def test_a_late_prompt_says_so(house: Household) -> None:
    """R-SC-2: the assistant knows that a prompt comes late."""
    await add(house, replace(reminder(house.clock() - HOUR), kind=ScheduleKind.PROMPT, text="good morning"))
    await house.until(lambda: len(house.channel.sent) == 2)
    assert house.runtime.prompts[-1].startswith("[scheduled; it was due at Tuesday, 2023-11-14 21:13:20 (UTC)]\n")


async def test_cancelled_before_it_came(house: Household) -> None:
    """R-SC-1: what is cancelled is not told, also when its job is queued already."""
    made = await add(house, replace(reminder(house.clock()), jitter=10_000.0))
    await house.until_stored(lambda c: schedules.firings(c, made.id))
    assert not await house.db.write(schedules.cancel, made.id)  # it is done: it fired for the last time
    hourly = Timing(Every(HOUR, house.clock()))
    again = await add(house, replace(reminder(hourly, house.clock()), jitter=10_000.0))
    await house.until_stored(lambda c: schedules.firings(c, again.id))
    assert await house.db.write(schedules.cancel, again.id)
    await house.advance(3 * HOUR)
    await house.until(lambda: len(house.channel.sent) == 2)
    await house.until_stored(lambda c: schedules.firings(c, again.id)[0].state is FiringState.DROPPED)
    assert house.channel.texts()[1:] == [
        "⏰ water the plants",
    ]


async def test_deleted_before_it_came(house: Household) -> None:
    """R-SC-1: what is deleted is forgotten with its firings; its job ends without a word."""
    made = await add(house, replace(reminder(house.clock()), jitter=1000.0))
    await house.until_stored(lambda c: schedules.firings(c, made.id))
    assert await house.db.write(schedules.remove, made.id)
    assert not await house.db.write(schedules.remove, made.id)
    await house.advance(2000)
    await house.quiet()
    assert len(house.channel.sent) == 1


async def test_tasks(house: Household) -> None:
    """R-SC-5: a task of Lar's own runs by its name, and its record says what came of it; an unknown one is recorded."""

    async def count(_context: JobContext, _schedule: Schedule, _firing: object) -> Finish:
        return lambda _connection: Ended("counted")

    async def fail(_context: JobContext, _schedule: Schedule, _firing: object) -> Finish:
        raise LarError("no")

    house.time.tasks.update(count=count, fail=fail)
    now = house.clock()
    made = {
        name: await house.db.write(
            schedules.add, replace(reminder(Timing(Once(now))), kind=ScheduleKind.TASK, text=name, next_due=now)
        )
        for name in ("count", "fail", "gone")
    }

    async def ended(name: str) -> tuple[FiringState, str]:
        await house.until_stored(lambda c: schedules.firings(c, made[name].id)[0].state is not FiringState.QUEUED)
        found = await only(house.db, made[name].id)
        return found.state, found.note

    await house.until_stored(lambda c: schedules.firings(c, made["gone"].id))
    assert await ended("count") == (FiringState.DONE, "counted")
    assert await ended("fail") == (FiringState.FAILED, "LarError: no")
    assert await ended("gone") == (FiringState.DROPPED, "there is no such task")
    assert (await house.db.read(schedules.get, made["count"].id)) is not None


async def test_agent_and_transcript(house: Household) -> None:
    """R-SC-1: the prompt is in the transcript, said by whose schedule it is; the agent it names serves it."""
    prompt = replace(reminder(house.clock()), kind=ScheduleKind.PROMPT, text="hi", options={"agent": "main"})
    made = await add(house, prompt)
    await house.until(lambda: len(house.channel.sent) == 2)
    turn_id = (await only(house.db, made.id)).turn_id
    assert turn_id is not None
    turn = await house.db.read(turns.get, turn_id)
    assert turn is not None
    assert turn.agent == "main"
    (said,) = await house.db.read(messages.of_turn, turn_id)
    assert (said.author, said.principal_id) == (Author.USER, made.principal_id)


@pytest.mark.parametrize("kind", [ScheduleKind.REMINDER, ScheduleKind.PROMPT])
async def test_nowhere_to_tell(house: Household, kind: ScheduleKind) -> None:
    """R-SC-1: a schedule without a place is done without a word, and one without a person is dropped."""

    def put(connection: Connection) -> tuple[Schedule, Schedule]:
        who = people.add(connection, "fake", "main", "2", Principal(PrincipalId(0), "Bo", Role.USER), 0)
        new = replace(reminder(house.clock()), kind=kind)
        return schedules.add(connection, replace(new, principal_id=who.id)), schedules.add(connection, new)

    nowhere, nobody = await house.db.write(put)
    await house.until_stored(lambda c: schedules.firings(c, nowhere.id)[0:1] and _ended(c, nobody))
    await house.until_stored(lambda c: schedules.firings(c, nowhere.id)[0].state is FiringState.DONE)
    assert (await only(house.db, nobody.id)).state is FiringState.DROPPED
    assert len(house.channel.sent) == 1


def _ended(connection: Connection, schedule: Schedule) -> bool:
    found = schedules.firings(connection, schedule.id)
    return bool(found) and found[0].state is not FiringState.QUEUED
