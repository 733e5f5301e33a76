"""Days of memory: they begin at four, local time, whatever the clocks are set to."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from lar.domain.schedule import Cron, Timing
from lar.memory.days import Days, zone_of
from lar.schedules.rules import next_due

BERLIN = Days(ZoneInfo("Europe/Berlin"))


def at(text: str, zone: str = "Europe/Berlin") -> float:
    """A local time as seconds since the epoch."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("moment", "day"),
    [("2026-03-28T12:00", "2026-03-28"), ("2026-03-29T03:59", "2026-03-28"), ("2026-03-29T04:00", "2026-03-29")],
)
def test_the_small_hours_belong_to_the_day_before(moment: str, day: str) -> None:
    """R-ME-4: what is said at three in the morning belongs to the day that is summed up at four."""
    assert BERLIN.of(at(moment)) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 23), ("2026-03-29", 24), ("2026-10-24", 25), ("2026-10-25", 24)]
)
def test_days_are_as_long_as_they_are(day: str, hours: int) -> None:
    """R-ME-4: the day with the spring change has 23 hours, that of autumn 25; both end at four."""
    whole = date.fromisoformat(day)
    assert BERLIN.end(whole) - BERLIN.start(whole) == hours * 3600
    assert datetime.fromtimestamp(BERLIN.end(whole), tz=ZoneInfo("Europe/Berlin")).hour == 4


@pytest.mark.parametrize(
    ("now", "daily", "weekly"),
    [
        ("2026-03-28T12:00", "2026-03-29T04:00", "2026-03-29T05:00"),
        ("2026-03-29T04:00", "2026-03-30T04:00", "2026-03-29T05:00"),
        ("2026-03-29T05:00", "2026-03-30T04:00", "2026-04-05T05:00"),
        ("2026-10-25T02:30", "2026-10-25T04:00", "2026-10-25T05:00"),
    ],
)
def test_what_comes_next(now: str, daily: str, weekly: str) -> None:
    """R-ME-4: daily at four, on Sundays at five, local, across daylight-saving changes."""
    for line, due in zip(("0 4 * * *", "0 5 * * 0"), (daily, weekly), strict=True):
        assert next_due(Timing(Cron(line)), ZoneInfo("Europe/Berlin"), at(now)) == at(due)
    assert BERLIN.of(at(daily) - 43_200) == BERLIN.of(at(daily) - 1)
    assert BERLIN.shown(at(weekly)) == date.fromisoformat(weekly[:10])


def test_an_hour_that_is_left_out() -> None:
    """R-ME-4: where the clocks skip the very hour, the day still ends once."""
    cairo = Days(ZoneInfo("Africa/Cairo"), begins=time(0, 30))  # on 2026-04-24 there is no half past midnight
    gap = date(2026, 4, 24)
    assert cairo.start(gap) < cairo.end(gap)
    assert cairo.of(cairo.start(gap)) == gap


def test_the_machines_own_zone() -> None:
    """R-ME-4: without a configured time zone, the machine's counts."""
    days = Days(zone_of(""))
    local = datetime.now(tz=UTC).astimezone()
    today = days.of(local.timestamp())
    assert datetime.fromtimestamp(days.end(today), tz=UTC).astimezone().hour == 4
    assert zone_of("Europe/Berlin") == ZoneInfo("Europe/Berlin")
