"""Events by the clock: configured schedules leave an event for the heartbeat; and how much later a firing may begin."""

from pathlib import Path

import pytest
from making import call, kept, plan

from lar.domain.schedule import FiringState, ScheduleKind, ScheduleState
from lar.errors import ConfigError
from lar.schedules.clocked import schedules_of
from lar.schedules.settings import EventSettings, ScheduleSettings
from lar.store import events, schedules
from lar.testing.household import Household, Plan, living


def settings(**event: str) -> ScheduleSettings:
    """The settings with one event."""
    return ScheduleSettings.model_validate({"events": {"bins": event}, "heartbeat": {"enabled": False}})


async def test_an_event_by_the_clock(tmp_path: Path) -> None:
    """R-SC-3: a configured schedule begins no turn; each of its firings leaves one event, and has a record."""
    async with living(Plan(tmp_path, schedules=settings(every="1h", text="put the bins out"))) as house:
        await house.db.write(house.time.begin)
        await house.db.write(house.time.begin)
        await house.advance(3600)
        await house.until_stored(lambda c: events.count_waiting(c) == 1)
        (known,) = await house.db.read(schedules.with_prefix, "event:")
        (found,) = await house.db.read(schedules.firings, known.id)
        assert (known.kind, known.text, known.principal_id) == (ScheduleKind.EVENT, "put the bins out", None)
        assert (found.state, found.note) == (FiringState.DONE, "left for the heartbeat")
        assert not house.runtime.requests
        other = Household(Plan(tmp_path / "other"))
        await house.db.write(other.time.begin)
        (gone,) = await house.db.read(schedules.with_prefix, "event:")
        assert gone.state is ScheduleState.CANCELLED


def test_a_cron_event() -> None:
    """R-SC-3: an event is made by its cron line or its interval, with its jitter; without a text it is its name."""
    (found,) = schedules_of({"bins": EventSettings(cron="0 18 * * TUE", jitter="5 minutes")}, 60)
    assert (found.text, found.jitter, found.key) == ("bins", 300, "event:bins")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({}, "either cron"),
        ({"cron": "0 9 * * *", "every": "2h"}, "either cron"),
        ({"cron": "0 25 * * *"}, "no cron line"),
        ({"every": "whenever"}, "no length of time"),
        ({"every": "10 seconds"}, "at least 60 seconds"),
        ({"every": "2h", "jitter": "2 days"}, "at most a day"),
    ],
)
def test_events_that_cannot_be(event: dict[str, str], why: str) -> None:
    """R-SC-3: a configured event that names no time is refused at the start, by its name."""
    with pytest.raises(ConfigError, match=f"schedules.events.bins.*{why}"):
        schedules_of({"bins": EventSettings.model_validate(event)}, 60)


async def test_jitter_of_a_prompt(tmp_path: Path) -> None:
    """R-SC-1: what is scheduled may begin later by chance, so that a herd spreads; a length it cannot be is refused."""
    async with living(plan(tmp_path)) as house:
        when = {"when": "every day at 9:00", "text": "rest"}
        assert "no length of time" in await call(house, "schedule_prompt", **when, jitter="somewhat")
        await call(house, "schedule_prompt", **when, jitter="10 minutes")
        (made,) = await kept(house)
        assert made.jitter == 600


async def test_what_is_overdue_still_comes(tmp_path: Path) -> None:
    """R-SC-5: a task whose time is configured anew keeps the firing that it still owes."""
    house = Household(Plan(tmp_path, schedules=settings(every="1h")))
    await house.open()
    await house.db.write(house.time.begin)
    (known,) = await house.db.read(schedules.with_prefix, "event:")
    later = Household(Plan(tmp_path / "later", schedules=settings(every="7h")))
    later.clock.set((known.next_due or 0) + 5)
    await house.db.write(later.time.begin)
    (changed,) = await house.db.read(schedules.with_prefix, "event:")
    assert (changed.next_due, changed.timing != known.timing) == (known.next_due, True)
    await house.stop()
