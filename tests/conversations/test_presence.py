"""What is seen while a turn runs: best effort, and gone when the turn is."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

from lar.channels.contract import Capabilities
from lar.conversations.machine import PREVIEW_MIN
from lar.conversations.presence import LAST_SHOW
from lar.conversations.settings import ConversationSettings
from lar.runtimes.contract import Finished, TextDelta
from lar.store import deliveries
from lar.store.schema import delivery, preview
from lar.testing.channel import FakeChannel
from lar.testing.household import Household, Plan

LONG = "x" * PREVIEW_MIN
BEATING = ConversationSettings(heartbeat_seconds=5)


def shown_texts(house: Household) -> list[str]:
    """The previews that were shown, oldest first."""
    return [activity.preview for _, activity in house.channel.shown if activity.preview]


def removed(house: Household) -> list[str]:
    """The preview messages that were removed."""
    return [activity.message for _, activity in house.channel.shown if activity.done]


async def previewing(house: Household) -> asyncio.Event:
    """A turn whose first preview is shown and kept; the event ends it."""
    more, end = asyncio.Event(), asyncio.Event()
    house.runtime.then(TextDelta(LONG), more, TextDelta(LONG), end, Finished("done"))
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.advance(2)
    await house.until_stored(lambda c: c.execute(preview.select()).all())
    await house.db.write(lambda _: None)  # writes end in order: whoever stored that row knows of it now
    more.set()
    return end


async def test_typing_is_shown_while_a_turn_runs(house: Household) -> None:
    """R-TG-10: typing begins after a moment, is repeated, and ends with the turn."""
    hang = house.hang()
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    assert house.channel.shown == []
    await house.advance(1)
    await house.until(lambda: len(house.channel.shown) == 1)
    await house.advance(5)
    await house.until(lambda: len(house.channel.shown) == 2)
    hang.set()
    await house.quiet()
    await house.advance(60)
    assert len(house.channel.shown) == 2


async def test_a_preview_grows_and_goes(house: Household) -> None:
    """R-TG-10: one preview message grows with the answer, and is removed when the answer comes as a new message."""
    end = await previewing(house)
    await house.advance(2)
    await house.until(lambda: len(shown_texts(house)) == 2)
    end.set()
    await house.quiet()
    assert shown_texts(house) == [LONG, LONG + LONG]
    ids = {activity.message for _, activity in house.channel.shown if activity.preview}
    assert ids == {"", *removed(house)}
    assert len(removed(house)) == 1
    assert house.channel.texts() == ["done"]
    assert await house.db.read(deliveries.previews) == []


async def test_a_preview_that_never_appeared_is_not_removed(house: Household) -> None:
    """R-TG-10: where the vendor did not take the preview there is nothing to tidy up."""
    house.channel.previews.clear()
    end = asyncio.Event()
    house.runtime.then(TextDelta(LONG), end, Finished("done"))
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.advance(2)
    await house.until(lambda: house.channel.previewing)
    end.set()
    await house.until_stored(lambda c: deliveries.counts(c).get("sent"))
    house.channel.unplugged = True
    house.channel.previews.set()
    await house.quiet()
    assert removed(house) == []


async def test_a_slow_preview_is_not_overtaken(house: Household) -> None:
    """R-TG-10: while a preview is on its way no second one is sent, and it goes though the turn is over."""
    house.channel.previews.clear()
    held, end = asyncio.Event(), asyncio.Event()
    house.runtime.then(TextDelta(LONG), held, TextDelta(LONG), end, Finished("done"))
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.advance(2)
    await house.until(lambda: house.channel.previewing)
    held.set()
    await house.advance(3)
    await house.advance(3)
    end.set()
    await house.until(lambda: house.channel.texts() == ["done"])
    house.channel.previews.set()
    await house.quiet()
    assert shown_texts(house) == [LONG]
    assert len(removed(house)) == 1


async def test_a_crash_leaves_no_preview_behind(house: Household) -> None:
    """R-TG-10: a preview whose process died is removed at the next start; the answer is a new message."""
    await previewing(house)
    await house.crash()
    following = await house.again()
    await following.quiet()
    assert len(removed(house)) == 1
    assert house.channel.texts() == ["echo: hello"]
    await following.stop()


async def test_another_process_leaves_a_preview_alone(house: Household) -> None:
    """A process without the channel cannot remove its previews, and does not forget them for the one that can."""
    await previewing(house)
    await house.crash()
    without = await house.again(silent_channels=True)
    assert len(await without.db.read(deliveries.previews)) == 1
    await without.stop()
    assert removed(house) == []


async def test_stop_removes_the_preview(house: Household) -> None:
    """R-CV-2: what `/stop` ended leaves no half answer on the screen."""
    await previewing(house)
    await house.ask("/stop")
    await house.until(lambda: removed(house))
    await house.quiet()


async def test_presence_fails_alone(house: Household, logs: list[MutableMapping[str, Any]]) -> None:
    """A database that cannot keep a preview costs the preview's record, and neither the turn nor a process."""
    house.db.fail("keep_preview")
    end = asyncio.Event()
    house.runtime.then(TextDelta(LONG), end, Finished("done"))
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.advance(2)
    await house.until(lambda: any(entry["event"] == "presence could not be shown" for entry in logs))
    end.set()
    await house.quiet()
    assert house.channel.texts() == ["done"]
    assert len(removed(house)) == 1


async def test_a_shutdown_does_not_wait_for_a_preview(house: Household) -> None:
    """A preview that hangs at a stop is cut off after some seconds."""
    house.channel.previews.clear()
    house.runtime.then(TextDelta(LONG), asyncio.Event())
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.advance(2)
    await house.until(lambda: house.channel.previewing)
    stopping = asyncio.create_task(house.stop())
    while not stopping.done():
        await house.advance(LAST_SHOW)
    assert shown_texts(house) == []


async def test_a_channel_that_shows_nothing_is_shown_nothing(plan: Plan) -> None:
    """Capabilities are data: without typing and previews none are asked for."""
    house = Household(replace(plan, settings=BEATING), FakeChannel(capabilities=Capabilities()))
    await house.start()
    end = asyncio.Event()
    house.runtime.then(TextDelta(LONG), end, Finished("done"))
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.advance(10)
    await house.until(lambda: house.channel.texts() == ["⏳ Still working (10 s)."])
    end.set()
    await house.quiet()
    assert house.channel.shown == []
    await house.stop()


async def test_a_turn_without_its_channel_shows_nothing(plan: Plan) -> None:
    """A turn that runs where its channel is not configured has nobody to show anything to."""
    house = Household(plan)
    await house.open()
    await house.say("hello")
    await house.stop()
    without = Household(replace(plan, silent_channels=True, settings=BEATING), house.channel)
    end = asyncio.Event()
    without.runtime.then(TextDelta(LONG), end, Finished("done"))
    await without.start()
    await without.until(lambda: without.runtime.running)
    await without.advance(10)
    await without.until_stored(lambda c: c.execute(delivery.select()).all())
    end.set()
    await without.until(lambda: "end hello" in without.runtime.log)
    assert house.channel.shown == []
    await without.stop()
