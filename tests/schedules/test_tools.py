"""The tools for schedules, by a model's calls and by sentences that no model reads."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from making import call, calls, kept, plan

from lar.domain.schedule import Missed, Quiet, ScheduleKind
from lar.runtimes.contract import Finished, RuntimeEvent, TurnRequest
from lar.runtimes.offline.runtime import OfflineRuntime
from lar.store import schedules
from lar.testing.household import Household, living
from lar.testing.runtime import ScriptedRuntime
from lar.tools.contract import ToolCall

# The clock of a household stands at Tuesday, 2023-11-14 22:13:20 UTC.


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    """A household whose runtime does as it is told."""
    async with living(plan(tmp_path)) as household:
        yield household


@pytest.fixture
async def offline(tmp_path: Path) -> AsyncIterator[Household]:
    """A household without a model."""
    household = Household(plan(tmp_path), runtime=cast("ScriptedRuntime", OfflineRuntime()))
    await household.start()
    yield household
    await household.stop()


async def test_a_reminder_by_a_model(house: Household) -> None:
    """R-SC-1: a model schedules with words or a moment; the answer says the date, the time and the zone."""
    said = await call(house, "schedule_prompt", when="tomorrow at 07:00", text="call Ana")
    assert said == "ok: ⏰ Reminder #1: call Ana\nWednesday, 2023-11-15 07:00 (UTC), once"
    (made,) = await kept(house)
    assert (made.kind, made.missed, made.text) == (ScheduleKind.REMINDER, Missed.ONCE, "call Ana")
    await house.advance(made.next_due - house.clock() if made.next_due else 0)
    await house.until(lambda: house.channel.texts()[-1] == "⏰ call Ana")


async def test_a_prompt_with_everything(house: Household) -> None:
    """R-SC-1, R-SC-2: kind, policy for what is missed, quiet hours, a cron line and a zone of its own are kept."""
    said = await call(
        house,
        "schedule_prompt",
        when="cron: 0 6 * * 1-5, America/New_York time",
        text="read the news",
        kind="prompt",
        missed="skip",
        quiet="22:00-07:30",
    )
    assert said.startswith("ok: 🗓 Scheduled prompt #1: read the news\nWednesday, 2023-11-15 07:30 (America/New_York), ")
    assert said.endswith("every weekday (Monday to Friday) at 06:00, not from 22:00 to 07:30")
    (made,) = await kept(house)
    assert (made.kind, made.missed) == (ScheduleKind.PROMPT, Missed.SKIP)
    assert (made.timing.zone, made.timing.quiet) == ("America/New_York", Quiet(1320, 450))


async def test_lists_and_endings(house: Household) -> None:
    """R-SC-1: what is scheduled is listed, cancelled by number or words, and deleted for good."""
    assert await call(house, "list_scheduled_prompts") == "ok: No reminders and no scheduled prompts."
    await call(house, "schedule_prompt", when="every weekday at 9:00", text="send the standup")
    await call(house, "schedule_prompt", when="in 2 hours", text="send the post")
    listed = await call(house, "list_scheduled_prompts")
    assert listed == (
        "ok: #2 send the post: Wednesday, 2023-11-15 00:13:20 (UTC)\n"
        "#1 send the standup: Wednesday, 2023-11-15 09:00 (UTC), every weekday (Monday to Friday) at 09:00"
    )
    assert "Which one do you mean?" in await call(house, "cancel_scheduled_prompt", schedule="send")
    assert await call(house, "cancel_scheduled_prompt", schedule="standup") == "ok: Cancelled #1: send the standup"
    assert "There is no reminder 'standup'" in await call(house, "cancel_scheduled_prompt", schedule="standup")
    assert "There is no reminder '99" in await call(house, "cancel_scheduled_prompt", schedule="9" * 30)
    assert "[cancelled]" in await call(house, "list_scheduled_prompts", include_ended=True)
    assert await call(house, "delete_scheduled_prompt", schedule="#1") == "ok: Deleted #1: send the standup"
    assert [each.text for each in await kept(house, active=False)] == ["send the post"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"when": "every 10 seconds", "text": "x"}, "at least 60 seconds"),
        ({"when": "yesterday", "text": "x"}, "in the past"),
        ({"when": "tomorrow"}, "Say what the text is"),
        ({"text": "x"}, "Say when"),
        ({"when": "tomorrow", "text": "x", "quiet": "at night"}, "are no hours"),
        ({"when": "tomorrow", "text": "x", "quiet": "22:00-25:00"}, "are no hours"),
    ],
)
async def test_refusals(house: Household, arguments: dict[str, str], why: str) -> None:
    """R-SC-1: what cannot be is refused with a sentence, and nothing is kept."""
    said = await call(house, "schedule_prompt", **arguments)
    assert said.startswith("error: ")
    assert why in said
    assert await kept(house) == []


async def test_not_without_end(tmp_path: Path) -> None:
    """R-SC-1: nobody fills the database with schedules."""
    async with living(plan(tmp_path, max_per_person=1)) as house:
        await call(house, "schedule_prompt", when="tomorrow", text="x")
        assert "There are 1 schedules already" in await call(house, "schedule_prompt", when="tomorrow", text="y")


async def test_a_group_sees_its_own(house: Household) -> None:
    """R-ME-9: in a group only what was scheduled there is listed or cancelled; it is told there."""
    await call(house, "schedule_prompt", when="tomorrow at 8:00", text="private")
    group = house.channel.chat("1", "-5")
    house.runtime.then(calls("list_scheduled_prompts"))
    assert await house.ask("@lar list", group) == "ok: No reminders and no scheduled prompts."
    house.runtime.then(calls("cancel_scheduled_prompt", schedule="private"))
    question = await house.ask("@lar cancel", group)
    assert "May I do this?" in question
    assert await house.ask("/reminders", group) == "No reminders and no scheduled prompts."


async def test_outside_content_asks_first(house: Household) -> None:
    """R-PO-3: with content from outside in the context a schedule is made after a yes, and carries the taint."""

    async def tainted(request: TurnRequest) -> RuntimeEvent:
        request.toolbox.saw(["web: example.org"])
        outcome = await request.toolbox.execute(
            ToolCall("1", "schedule_prompt", {"when": "tomorrow at 8:00", "text": "x", "kind": "prompt"})
        )
        return Finished(str(outcome.status))

    house.runtime.then(tainted)
    house.runtime.then(tainted)
    asked = await house.ask("go on")
    assert "schedule a prompt: tomorrow at 8:00: x" in asked
    await house.say("/approve 1")
    await house.until(lambda: house.channel.texts()[-1] == "ok")
    (made,) = await kept(house)
    assert made.taint == ("web: example.org",)


async def test_offline(offline: Household) -> None:
    """R-SC-1: without a model the usual sentences schedule, list, cancel and delete."""
    said = await offline.ask("Remind me in 30 minutes to check my email.")
    assert said == "⏰ Reminder #1: check my email\nTuesday, 2023-11-14 22:43:20 (UTC), once"
    said = await offline.ask("Every day at 9 AM, remind me to send standup.")
    assert said.endswith("Wednesday, 2023-11-15 09:00 (UTC), every day at 09:00")
    said = await offline.ask("At 7:00 AM tomorrow, ask me for my daily priorities.")
    assert "ask me for my daily priorities" in said
    said = await offline.ask("List my active reminders.")
    assert [line.split()[0] for line in said.splitlines()] == ["#1", "#3", "#2"]
    assert await offline.ask("Cancel the standup reminder.") == "Cancelled #2: send standup"
    assert await offline.ask("delete reminder 3") == "Deleted #3: ask me for my daily priorities"
    await offline.advance(30 * 60)
    await offline.until(lambda: offline.channel.texts()[-1] == "⏰ check my email")


async def test_offline_asks_when_unsure(offline: Household) -> None:
    """R-SC-1: what may mean several things is asked with buttons, and the press settles it."""
    asked = await offline.ask("remind me on 5/3 at 10:00 to see the dentist")
    assert "Which comes first, the day or the month?" in asked
    sent = offline.channel.sent[-1]
    labels = [button.label for row in sent.part.buttons for button in row]
    assert labels == ["2024-03-05 10:00", "2024-05-03 10:00"]
    (second,) = [button for row in sent.part.buttons for button in row if button.label == "2024-05-03 10:00"]
    await offline.hear(offline.channel.chat().presses(second.data, sent.vendor_id))
    await says(offline, "⏰ Reminder #1: see the dentist\nFriday, 2024-05-03 10:00 (UTC), once")


async def test_offline_answers_in_words(offline: Household) -> None:
    """R-SC-1: an answer in words settles it, too; one that is no time is asked about again, and at last given up."""
    for said, answer in (
        ("remind me to buy milk", "When shall I remind you?"),
        ("soon", "I do not understand when 'soon' is"),
        ("in 2 hours", "⏰ Reminder #1: buy milk\nWednesday, 2023-11-15 00:13:20"),
        ("remind me tomorrow at 9:00", "What shall I remind you of?"),
        ("the bins", "⏰ Reminder #2: the bins\nWednesday, 2023-11-15 09:00"),
        ("remind me at 23:00 to do A and at 23:30 to do B", "two things"),
        ("remind me at 23:00 to do A", "⏰ Reminder #3: do A"),
        ("remind me to try", "When shall I remind you?"),
        ("one day", "I do not understand when 'one day' is"),
        ("some day", "I do not understand when 'some day' is"),
        ("any day", "I cannot schedule this"),
    ):
        await offline.say(said)
        await says(offline, answer)


async def test_a_new_request_is_no_answer(offline: Household) -> None:
    """R-SC-1: who answers a question with a whole new request has that, and not the first; half of one answers."""
    for said, answer in (
        ("remind me on the last friday of the month to send invoices", "Once, or every month?"),
        (
            "remind me every weekday at 9 to write",
            "⏰ Reminder #1: write\nWednesday, 2023-11-15 09:00 (UTC), every weekday",
        ),
        ("remind me to buy milk", "When shall I remind you?"),
        (
            "every weekday at 10 remind me to rest",
            "⏰ Reminder #2: rest\nWednesday, 2023-11-15 10:00 (UTC), every weekday",
        ),
        ("remind me to buy milk", "When shall I remind you?"),
        ("please remind me in 2 hours", "⏰ Reminder #3: buy milk\nWednesday, 2023-11-15 00:13:20"),
        ("remind me tomorrow at 9:00", "What shall I remind you of?"),
        ("remind me to take the bins out", "⏰ Reminder #4: take the bins out\nWednesday, 2023-11-15 09:00"),
        ("remind me tomorrow at 9:00", "What shall I remind you of?"),
        ("ask Bob to remind me", "⏰ Reminder #5: ask Bob to remind me"),
        ("remind me to buy milk", "When shall I remind you?"),
        ("remind me tomorrow 27 to go", "left over"),
        ("wake me at 6:30", "⏰ Reminder #6: ⏰\nWednesday, 2023-11-15 06:30"),
        ("remind me on 5/3 to pay", "the day or the month?"),
        ("remind me to buy bread", "When shall I remind you?"),
        ("in 3 hours", "⏰ Reminder #7: buy bread"),
    ):
        await offline.say(said)
        await says(offline, answer)


async def says(house: Household, text: str) -> None:
    """Wait until this is in the last thing that was said."""
    await house.until(lambda: any(text in said for said in house.channel.texts()[-1:]))


async def test_offline_refuses(offline: Household) -> None:
    """R-SC-1: what is past is refused in words."""
    assert await offline.ask("remind me yesterday at 5pm to call") == (
        "I cannot schedule this: that is in the past. Please say it in another way, or another time."
    )


async def test_a_call_is_made_once(house: Household) -> None:
    """R-EN-2: a call that a crash interrupted and that is made again schedules once."""

    async def twice(request: TurnRequest) -> RuntimeEvent:
        toolbox = request.toolbox
        tool = next(tool for tool in toolbox.tools if tool.name == "schedule_prompt")
        outcome = await toolbox.execute(ToolCall("1", "schedule_prompt", {"when": "in 1 hour", "text": "x"}))
        assert tool.repeatable
        return Finished(outcome.text)

    house.runtime.then(twice)
    await house.ask("go on")
    (made,) = await kept(house)
    again = await house.db.write(schedules.add, made)
    assert again == made
    assert made.key is not None
    assert made.key.startswith("turn:")


async def test_a_person_elsewhere(offline: Household) -> None:
    """R-SC-1: what somebody says is meant by the clocks where they live."""
    assert (await offline.ask("/timezone")).startswith("Your time zone is UTC; there it is Tuesday, 2023-11-14 22:13")
    assert "no time zone 'Nowhere'" in await offline.ask("/timezone Nowhere")
    said = await offline.ask("remind me tomorrow at 7:00 to call")
    assert "2023-11-15 07:00 (UTC)" in said
    await offline.ask("every day at 9:00 remind me to write")
    await offline.ask("every hour remind me to drink")
    await offline.ask("every day at 9:00 UTC remind me to meet")
    moved = await offline.ask("/timezone America/New_York")
    assert "Your time zone is America/New_York from now on; there it is Tuesday, 2023-11-14 17:13" in moved
    assert "1 schedule(s) moved with you" in moved
    due = {each.text: each.next_due for each in await kept(offline)}
    assert due["write"] == datetime(2023, 11, 15, 9, tzinfo=ZoneInfo("America/New_York")).timestamp()
    assert "America/New_York" in await offline.ask("remind me tomorrow at 7:00 to call again")
    assert "0 schedule(s)" not in await offline.ask("/timezone default")
