"""When something is due: against an oracle that looks at every minute, and by the examples people ask about."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from calendar_oracle import Pattern, Stretch, stretch, walk
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lar.domain.schedule import Cron, Days, Every, Once, Quiet, Timing
from lar.errors import ScheduleError
from lar.schedules.rules import cron, dues, last_due, moment, next_due, shortest_gap, zone_of

BERLIN = ZoneInfo("Europe/Berlin")

CHANGES = (
    ("Europe/Berlin", datetime.fromisoformat("2028-03-23")),
    ("Europe/Berlin", datetime.fromisoformat("2028-10-26")),
    ("America/New_York", datetime.fromisoformat("2027-03-11")),
    ("America/New_York", datetime.fromisoformat("2027-11-04")),
    ("Australia/Lord_Howe", datetime.fromisoformat("2027-04-01")),
    ("Australia/Lord_Howe", datetime.fromisoformat("2027-09-30")),
    ("America/Santiago", datetime.fromisoformat("2027-09-02")),
    ("America/Santiago", datetime.fromisoformat("2027-04-01")),
    ("Pacific/Apia", datetime.fromisoformat("2011-12-26")),
    ("Asia/Kolkata", datetime.fromisoformat("2028-02-26")),
    ("UTC", datetime.fromisoformat("2028-02-26")),
)
"""Places, and days shortly before their clocks change (or none does)."""
DAYS = 8


def some(low: int, high: int, most: int) -> st.SearchStrategy[frozenset[int]]:
    """A few numbers of a field."""
    return st.frozensets(st.integers(low, high), min_size=1, max_size=most)


PATTERNS = st.builds(
    Pattern,
    minutes=some(0, 59, 4) | st.none(),
    hours=some(0, 4, 4) | some(0, 23, 3) | st.none(),
    days=st.none() | some(1, 31, 6),
    months=st.none() | some(1, 12, 9),
    weekdays=st.none() | some(0, 6, 4),
)
QUIET = st.none() | st.builds(Quiet, st.integers(0, 1439), st.integers(0, 1439))


def due_minutes(timing: Timing, where: Stretch, zone: str) -> set[int]:
    """What the rules say is due in a stretch of time but for its first and last day."""
    start, end = (where.minutes.start + 1440) * 60, (where.minutes.stop - 1440) * 60
    found = walk(lambda after: next_due(timing, ZoneInfo(zone), after), start - 1, end)
    assert found == sorted(set(found))
    return {int(due) // 60 for due in found}


@settings(max_examples=80)
@given(change=st.sampled_from(CHANGES), pattern=PATTERNS, quiet=QUIET)
@example(CHANGES[0], Pattern(frozenset({0, 30}), frozenset({2})), None)
@example(CHANGES[1], Pattern(frozenset({0, 30}), frozenset({2})), None)
@example(CHANGES[1], Pattern(frozenset({0, 30}), None), None)
@example(CHANGES[6], Pattern(frozenset({0, 15}), frozenset({0})), Quiet(1410, 20))
@example(CHANGES[8], Pattern(frozenset({0}), frozenset({12})), None)
def test_cron_against_the_oracle(change: tuple[str, datetime], pattern: Pattern, quiet: Quiet | None) -> None:
    """R-SC-1: a cron line is due exactly when somebody who looks at every minute says so, whatever the clocks do."""
    zone, start = change
    where = stretch(zone, start, DAYS)
    wanted = where.cron(pattern)
    if quiet is not None and quiet.start != quiet.end:
        wanted = where.hush(wanted, quiet)
    inner = range(where.minutes.start + 1440, where.minutes.stop - 1440)
    found = due_minutes(Timing(Cron(pattern.line), quiet=quiet), where, zone)
    assert sorted(found) == sorted(minute for minute in wanted if minute in inner)


@given(
    change=st.sampled_from(CHANGES),
    seconds=st.integers(60, 200_000),
    offset=st.floats(-500_000, 100_000),
    at=st.integers(0, 600_000),
)
def test_intervals_are_real_time(change: tuple[str, datetime], seconds: int, offset: float, at: int) -> None:
    """R-SC-1: every N seconds means real seconds: each due is one step after the last."""
    base = change[1].replace(tzinfo=UTC).timestamp()
    timing = Timing(Every(seconds, base + offset))
    due = next_due(timing, BERLIN, base + at)
    assert due is not None
    assert due > base + at
    steps = (due - base - offset) / seconds
    assert abs(steps - round(steps)) < 1e-4
    assert due == base + offset or due - seconds <= base + at + 1e-3


def local(zone: ZoneInfo, *parts: int) -> float:
    """A moment as clocks there show it first."""
    return datetime(*parts, tzinfo=zone).timestamp()  # pyright: ignore[reportArgumentType]  # year, month, day, ...


def test_a_time_that_does_not_exist() -> None:
    """R-SC-1: half past two on the night the clocks go forward is due at three, once; the next night as ever."""
    timing = Timing(cron("30 2 * * *"))
    first = local(BERLIN, 2027, 3, 28, 3, 0)
    assert next_due(timing, BERLIN, local(BERLIN, 2027, 3, 28, 0, 0)) == first
    assert list(dues(timing, BERLIN, first, first + 86400)) == [local(BERLIN, 2027, 3, 29, 2, 30)]


def test_a_time_that_comes_twice() -> None:
    """R-SC-1: half past two on the night the clocks go back is due once; the hourly line is due in both hours."""
    timing, hourly = Timing(cron("30 2 * * *")), Timing(cron("30 * * * *"))
    start = local(BERLIN, 2027, 10, 31, 0, 0)
    first, second = local(BERLIN, 2027, 10, 31, 2, 30), local(BERLIN, 2027, 11, 1, 2, 30)
    assert list(dues(timing, BERLIN, start, second)) == [first, second]
    assert next_due(timing, BERLIN, first + 1800) == second
    assert len(list(dues(hourly, BERLIN, start, start + 5 * 3600))) == 5


def test_the_zone_of_a_timing_comes_first() -> None:
    """R-SC-1: a zone of its own holds wherever its person lives."""
    timing = Timing(cron("0 9 * * *"), zone="America/New_York")
    assert next_due(timing, BERLIN, local(BERLIN, 2027, 1, 4, 12)) == local(BERLIN, 2027, 1, 4, 15)
    with pytest.raises(ScheduleError, match="Mars/Base"):
        next_due(Timing(Once(0), zone="Mars/Base"), BERLIN, -1)
    assert zone_of("UTC").key == "UTC"


def test_ends() -> None:
    """R-SC-1: once is once, and nothing is due after its end date."""
    assert next_due(Timing(Once(100.0)), BERLIN, 99.0) == 100.0
    assert next_due(Timing(Once(100.0)), BERLIN, 100.0) is None
    timing = Timing(Every(60, 0), until=180.0)
    assert list(dues(timing, BERLIN, -1, 1000)) == [0, 60, 120, 180]


def test_quiet_hours() -> None:
    """R-SC-1: what falls into quiet hours comes once, when they end; edges that are the same mean none."""
    timing = Timing(Every(3600, 0), quiet=Quiet(22 * 60, 7 * 60))
    utc = ZoneInfo("UTC")
    found = [due / 3600 for due in dues(timing, utc, 20 * 3600, 34 * 3600)]
    assert found == [21, 31, 32, 33, 34]
    at_night = Timing(Once(23 * 3600.0), quiet=Quiet(22 * 60, 7 * 60))
    assert next_due(at_night, utc, 0) == 31 * 3600
    assert next_due(at_night, utc, 24 * 3600) == 31 * 3600
    assert next_due(at_night, utc, 31 * 3600) is None
    assert next_due(Timing(Once(50.0), quiet=Quiet(5, 5)), utc, 0) == 50


@given(seconds=st.integers(60, 90_000), away=st.integers(0, 3_000_000))
def test_the_last_due(seconds: int, away: int) -> None:
    """R-SC-2: after any absence the last time it was due is found without counting all of them."""
    timing = Timing(Every(seconds, 1000))
    now = 1000.0 + away
    assert last_due(timing, BERLIN, 1000.0, now) == 1000 + away // seconds * seconds


def test_the_last_due_of_a_rare_line() -> None:
    """R-SC-2: also where the window has to grow, and where the first due is the last."""
    timing = Timing(cron("0 9 1 * *"), zone="UTC")
    first = datetime(2027, 1, 1, 9, tzinfo=UTC).timestamp()
    assert last_due(timing, BERLIN, first, datetime(2027, 6, 29, tzinfo=UTC).timestamp()) == (
        datetime(2027, 6, 1, 9, tzinfo=UTC).timestamp()
    )
    assert last_due(timing, BERLIN, first, first + 86400) == first


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("* * * *", "five fields"),
        ("0 0 * * * *", "five fields"),
        ("61 * * * *", "minute"),
        ("0 0 30 2 *", "day"),
        ("x * * * *", "minute"),
        ("0 0 31 4,6 *", "day"),
    ],
)
def test_no_cron_line(line: str, why: str) -> None:
    """R-SC-1: what is no cron line, or never comes, is refused with a sentence."""
    with pytest.raises(ScheduleError, match=why):
        cron(line)


def test_a_line_that_never_comes() -> None:
    """R-SC-1: a day that no month has (the first as its fifth Monday) is noticed when it is made."""
    with pytest.raises(ScheduleError, match="never comes"):
        cron("0 0 */31 * MON#5")


def test_aliases() -> None:
    """R-SC-1: the usual short forms are known, in any case."""
    assert cron("@Daily") == Cron("0 0 * * *")
    assert cron("0 9 * * mon-fri") == Cron("0 9 * * MON-FRI")


def test_the_shortest_gap() -> None:
    """R-SC-1: how close two firings are is known before a schedule is made."""
    assert shortest_gap(Timing(cron("0,5 9 * * *")), BERLIN, 0) == 300
    assert shortest_gap(Timing(Once(5.0)), BERLIN, 0) is None


def test_timings_as_json() -> None:
    """R-SC-2: what is stored of a timing is all of it."""
    for timing in (
        Timing(Once(5.0)),
        Timing(Every(60, 7), "UTC", 9.0, Quiet(1, 2)),
        Timing(Cron("0 9 * * *"), "Europe/Berlin"),
        Timing(Days(3, "2026-11-25T09:00:00")),
    ):
        assert Timing.from_json(timing.to_json()) == timing


def test_a_moment_on_a_day_that_was_left_out() -> None:
    """R-SC-1: noon of the day that an island skipped is the first moment of the day after."""
    apia = ZoneInfo("Pacific/Apia")
    assert moment(datetime.fromisoformat("2011-12-30T12:00"), apia) == local(apia, 2011, 12, 31, 0, 0)
