"""An independent oracle of when something is due: it looks at every minute of a stretch of time, one by one."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import product
from zoneinfo import ZoneInfo

from lar.domain.schedule import Quiet

Hours = frozenset[int] | None


@dataclass(frozen=True)
class Pattern:
    """A cron line as sets of numbers; None stands for `*`. Weekdays count from Sunday, 0."""

    minutes: frozenset[int] | None
    hours: frozenset[int] | None
    days: frozenset[int] | None = None
    months: frozenset[int] | None = None
    weekdays: frozenset[int] | None = None

    @property
    def line(self) -> str:
        """The same as a cron line."""
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join("*" if field is None else ",".join(map(str, sorted(field))) for field in fields)

    def fits_day(self, day: date) -> bool:
        """Whether it comes on this day at all."""
        weekday = day.isoweekday() % 7
        of_month = self.days is None or day.day in self.days
        of_week = self.weekdays is None or weekday in self.weekdays
        either = self.days is not None and self.weekdays is not None
        fits = (of_month or of_week) if either else (of_month and of_week)
        return fits and (self.months is None or day.month in self.months)

    def fits(self, local: datetime) -> bool:
        """Whether clocks that show this mean it."""
        return (
            (self.minutes is None or local.minute in self.minutes)
            and (self.hours is None or local.hour in self.hours)
            and self.fits_day(local.date())
        )


class Stretch:
    """What the clocks of a place show at every minute of a stretch of time."""

    def __init__(self, zone: str, start: datetime, days: int) -> None:
        place, first = ZoneInfo(zone), int(start.replace(tzinfo=UTC).timestamp()) // 60
        self.minutes = range(first, first + days * 1440)
        self.shown = [datetime.fromtimestamp(m * 60, tz=place).replace(tzinfo=None) for m in self.minutes]
        self.highest: list[datetime] = []
        for local in self.shown:
            self.highest.append(max(local, self.highest[-1]) if self.highest else local)
        self.at: dict[datetime, list[int]] = {}
        for number, local in zip(self.minutes, self.shown, strict=True):
            self.at.setdefault(local, []).append(number)

    def first_not_before(self, local: datetime) -> int | None:
        """The first minute at which clocks show this or more."""
        found = bisect_left(self.highest, local)
        return self.minutes[found] if found < len(self.minutes) else None

    def cron(self, pattern: Pattern) -> set[int]:
        """The minutes at which a pattern is due."""
        if pattern.hours is None:
            return {m for m, local in zip(self.minutes, self.shown, strict=True) if pattern.fits(local)}
        found: set[int] = set()
        day = self.shown[0].date()
        while day <= self.highest[-1].date():
            for hour, minute in product(pattern.hours, range(60) if pattern.minutes is None else pattern.minutes):
                local = datetime.combine(day, time(hour, minute))
                if pattern.fits_day(day) and local >= self.shown[0]:
                    due = self.at[local][0] if local in self.at else self.first_not_before(local)
                    found.update(() if due is None else (due,))
            day += timedelta(days=1)
        return found

    def hush(self, due: Iterable[int], quiet: Quiet) -> set[int]:
        """The same with quiet hours: what falls into them comes when they end."""
        hours: list[tuple[int, int]] = []
        day = self.shown[0].date() - timedelta(days=1)
        while day <= self.highest[-1].date():
            start = datetime.combine(day, datetime.min.time()) + timedelta(minutes=quiet.start)
            end = datetime.combine(day, datetime.min.time()) + timedelta(minutes=quiet.end)
            end += timedelta(days=1 if quiet.end < quiet.start else 0)
            edges = self.first_not_before(start), self.first_not_before(end)
            if edges[0] is not None and edges[1] is not None:
                hours.append((edges[0], edges[1]))
            day += timedelta(days=1)
        return {next((end for start, end in hours if start <= minute < end), minute) for minute in due}


@lru_cache(maxsize=32)
def stretch(zone: str, start: datetime, days: int) -> Stretch:
    """A stretch that is made once."""
    return Stretch(zone, start, days)


def walk(step: Callable[[float], float | None], start: float, end: float) -> list[float]:
    """What a function gives that says what comes next, from `start` on and before `end`."""
    found: list[float] = []
    due = step(start)
    while due is not None and due < end:
        found.append(due)
        due = step(due)
    return found
