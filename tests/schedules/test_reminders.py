"""`/reminders` and the buttons below reminders: put off, be done, skip, cancel; each once, and only one's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from making import call, kept, plan

from lar.domain.delivery import Button, Part
from lar.schedules.buttons import read_press
from lar.testing.household import Household, living


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    """A household with the tools for schedules."""
    async with living(plan(tmp_path)) as household:
        yield household


def button(part: Part, label: str) -> Button:
    """The button that says this."""
    return next(found for row in part.buttons for found in row if label in found.label)


async def press(house: Household, label: str, user: str = "1") -> str:
    """Press a button below the last message; what comes of it."""
    sent = house.channel.sent[-1]
    data = button(sent.part, label).data
    before = len(house.channel.sent)
    await house.hear(house.channel.chat(user, "1").presses(data, sent.vendor_id))
    await house.until(lambda: len(house.channel.sent) > before)
    return house.channel.sent[-1].part.text


async def fire(house: Household, seconds: float) -> None:
    """Let time pass until the reminder comes."""
    before = len(house.channel.sent)
    await house.advance(seconds)
    await house.until(lambda: len(house.channel.sent) > before)


@pytest.mark.parametrize(
    ("label", "when"),
    [("10 min", "22:33:20"), ("1 h", "23:23:20"), ("tomorrow", "2023-11-15 22:23:20")],
)
async def test_putting_off(house: Household, label: str, when: str) -> None:
    """R-SC-1: a reminder that fired comes again when the button says, once, and its message says so."""
    await call(house, "schedule_prompt", when="in 10 minutes", text="stretch")
    await fire(house, 600)
    fired = house.channel.sent[-1]
    assert fired.part.text == "⏰ stretch"
    said = await press(house, label)
    assert said.startswith("⏰ stretch\n💤 Put off to ")
    assert when in said
    assert house.channel.sent[-1].part.edit_of == fired.vendor_id
    data = button(fired.part, "1 h").data
    await house.hear(house.channel.chat().presses(data, fired.vendor_id))
    await house.until(lambda: house.channel.texts()[-1] == "This question is no longer open.")
    (again,) = await kept(house)
    await fire(house, (again.next_due or 0) - house.clock())
    assert house.channel.texts()[-1] == "⏰ stretch"
    assert await press(house, "done") == "⏰ stretch\n✅ Done."
    assert await kept(house) == []


async def test_cancelling_what_repeats(house: Household) -> None:
    """R-SC-1: a reminder that repeats can be cancelled where it appears."""
    await call(house, "schedule_prompt", when="every 2 hours", text="drink")
    await fire(house, 7200)
    assert await press(house, "cancel") == "⏰ drink\n✖ Cancelled: it will not come again."
    assert await kept(house) == []


async def test_the_list(house: Household) -> None:
    """R-SC-1: `/reminders` lists what is scheduled, with a button each that cancels it."""
    for number in range(22):
        await call(house, "schedule_prompt", when=f"in {number + 1} hours", text=f"thing {number}")
    said = await house.ask("/reminders")
    assert said.startswith("#1 thing 0: Tuesday, 2023-11-14 23:13:20 (UTC)\n#2 ")
    assert "… and 2 more" in said
    assert await press(house, "#3") == "⏰ thing 2\n✖ Cancelled: it will not come again."
    assert len(await kept(house)) == 21
    assert await house.ask("/reminders 3") == "There is no reminder '3': /reminders lists them."


async def test_before_it_comes(house: Household) -> None:
    """R-SC-1: one that comes once is put off from its time on, or done with, before it comes."""
    await call(house, "schedule_prompt", when="in 1 hour", text="stretch")
    assert await house.ask("/reminders stretch") == "#1 stretch: Tuesday, 2023-11-14 23:13:20 (UTC)"
    shown = house.channel.sent[-1]
    assert "23:23:20" in await press(house, "10 min")
    await house.hear(house.channel.chat().presses(button(shown.part, "10 min").data, shown.vendor_id))
    await house.until(lambda: house.channel.texts()[-1] == "This question is no longer open.")
    await house.ask("/reminders 1")
    assert "2023-11-15 23:23:20" in await press(house, "tomorrow")
    await house.ask("/reminders 1")
    assert await press(house, "done") == "⏰ stretch\n✅ Done."
    assert await kept(house) == []


async def test_skipping_the_next(house: Household) -> None:
    """R-SC-1: of one that repeats the next time is left out, or comes later; the others stay as they are."""
    await call(house, "schedule_prompt", when="every day at 9:00 3 times", text="run")
    await house.ask("/reminders 1")
    assert "⏭ Skipped. The next is Thursday, 2023-11-16 09:00" in await press(house, "skip")
    await house.ask("/reminders 1")
    assert "💤 Put off to Thursday, 2023-11-16 10:00" in await press(house, "1 h")
    assert [each.next_due for each in await kept(house)] == [1_700_129_200.0 - 400, 1_700_211_600.0]
    await house.ask("/reminders 1")
    assert await press(house, "skip") == "⏰ run\n✅ Done."
    assert len(await kept(house)) == 1


async def test_cancelling_one_that_is_shown(house: Household) -> None:
    """R-SC-1: `/reminders N` cancels, too."""
    await call(house, "schedule_prompt", when="every day at 9:00", text="run")
    await house.ask("/reminders 1")
    assert await press(house, "cancel") == "⏰ run\n✖ Cancelled: it will not come again."


async def test_only_ones_own(house: Household) -> None:
    """R-PO-2: nobody presses the buttons of somebody else's reminder, and what is no button of ours does nothing."""
    await call(house, "schedule_prompt", when="in 1 hour", text="stretch")
    await house.ask("/reminders 1")
    assert await press(house, "done", user="2") == "This question was asked of somebody else."
    assert len(await kept(house)) == 1
    for data in ("r:99:0:0:done", "r:1:77:0:done", "r:nonsense"):
        before = len(house.channel.sent)
        await house.hear(house.channel.chat().presses(data, "m"))
        await house.until(lambda before=before: len(house.channel.sent) > before)
        assert house.channel.texts()[-1] == "This question is no longer open."


@pytest.mark.parametrize("data", ["r:", "r:1:2:3", "r:1:2:x:done", "r:1:2:3:fly", "r:1:2:3:done:4"])
def test_data_that_is_none_of_ours(data: str) -> None:
    """R-TG-5: what does not read like one of our buttons is none."""
    assert read_press(data) is None
