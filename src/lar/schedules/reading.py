"""The pieces of what people write about a time, read together: a timing, or a question. Nothing is guessed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import TypeVar
from zoneinfo import available_timezones

from lar.domain.schedule import Days, Every, Once, Rule, Timing
from lar.errors import ScheduleError
from lar.schedules import grammar
from lar.schedules.grammar import Piece
from lar.schedules.rules import cron, moment, next_due, zone_of

T = TypeVar("T")

MORNING = (9, 0)
"""Hour and minute of a day for which no time was said."""

_UNSURE_BELOW, _NOON, _HALF_DAY = 6, 12, 12
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Understood:
    """What is meant: when, how often at most, and the words that said nothing about time."""

    timing: Timing
    first: float
    left: int | None = None
    text: str = ""


class Unsure(Exception):
    """It may mean several things, or leaves something out. `options` are words that would be sure.

    What is understood already is in `text` (what to say) and `words` (when); both are empty where all is open.
    """

    def __init__(self, question: str, options: Sequence[str] = (), *, text: str = "", words: str = "") -> None:
        super().__init__(question)
        self.question = question
        self.options = tuple(options)
        self.text = text
        self.words = words


@cache
def _zones() -> Mapping[str, str]:
    return {name.lower(): name for name in available_timezones()} | {"utc": "UTC", "gmt": "UTC"}


_RECURRING = frozenset(
    {"every", "every_days", "alternate", "workdays", "weekends", "every_part", "yearly", "month_on", "cron", "hours"}
)
_DATES = frozenset(
    {"relative_day", "weekday", "date", "dotted", "slashed", "only_day", "iso", "tonight", "next_week", "nth"}
    | {"month_end", "month_day"}
)


class Reading:
    """The pieces of a run, read together."""

    def __init__(self, pieces: Sequence[Piece], now: float, zone: tzinfo) -> None:
        names = [piece.name for piece in pieces]
        cut = names.index("until") if "until" in names else len(pieces)
        self._ending = list(pieces[cut + 1 :]) if "until" in names else None
        self._pieces = {piece.name: piece.words for piece in pieces[:cut]}
        self._twice = len(self._pieces) < cut
        self._now = now
        self._zone_name = self._named_zone()
        self._zone = zone_of(self._zone_name) if self._zone_name else zone
        self._today = datetime.fromtimestamp(now, tz=UTC).astimezone(self._zone)

    # ---- what is said

    @property
    def says_the_time(self) -> bool:
        """Whether nothing about the time is open."""
        timed = {"clock", "hour", "part", "within", "tonight", "every_part", "cron", "hours"}
        iso = self._pieces.get("iso", {})
        every = self._pieces.get("every", {}).get("every", "")
        known = grammar.length(every) if every else None
        return bool(timed & self._pieces.keys()) or "iso_time" in iso or (known is not None and bool(known.seconds))

    @property
    def says_the_day(self) -> bool:
        """Whether a day, or how often, is said."""
        return bool((_DATES | _RECURRING | {"within"}) & self._pieces.keys())

    def understood(self) -> Understood:
        """The timing.

        Raises:
            Unsure: it may mean several things.
            ScheduleError: it is past, or there is no such time.

        """
        if self._twice or not self._pieces:
            raise Unsure("You name two times: when do you mean?")
        rule = self._rule()
        left = self._left()
        if isinstance(rule, Once) and (left or self._ending is not None or "lasting" in self._pieces):
            raise Unsure("Once, or again and again?")
        timing = Timing(rule, self._zone_name, self._until())
        first = next_due(timing, self._zone, self._now - 1 if isinstance(rule, Once) else self._now)
        if first is None:
            raise ScheduleError("that is in the past" if isinstance(rule, Once) else "it ends before it begins")
        return Understood(timing, first, left)

    def end(self) -> float:
        """The moment up to which something goes on.

        Raises:
            Unsure: it is not sure which.
            ScheduleError: there is no such day or time.

        """
        day, timed = self.day(), self._time(day=True)
        if day is None and timed is None:
            raise Unsure("Until when?")
        return self._at(day or self._today.date(), timed or (23, 59))

    def _named_zone(self) -> str:
        named = self._pieces.get("zone", {}).get("zone", "")
        if named and named not in _zones():
            raise ScheduleError(f"there is no time zone {named!r}; use a name such as Europe/Berlin or UTC")
        return _zones()[named] if named else ""

    def _left(self) -> int | None:
        words = self._pieces.get("times")
        if words is None:
            return None
        return 2 if "twice" in words else int(grammar.number(words["times"]))

    def _until(self) -> float | None:
        if self._ending is not None:
            return Reading(self._ending, self._now, self._zone).end()
        if "lasting" not in self._pieces:
            return None
        found = grammar.length(self._pieces["lasting"]["lasting"])
        return self._later(found) if found else None

    # ---- the rule

    def _rule(self) -> Rule:
        kinds = _RECURRING & self._pieces.keys()
        if "cron" in kinds:
            words = self._pieces["cron"]
            return cron(words.get("cron_line") or words["alias"])
        if "within" in self._pieces:
            return self._within()
        monthly = self._monthly()
        if monthly is not None:
            return monthly
        if kinds:
            return self._recurring(kinds)
        return self._once()

    def _within(self) -> Once:
        """In a length of time from now."""
        words = self._pieces["within"]
        found = grammar.length(words.get("within") or words["within_now"])
        others = self._pieces.keys() - {"within", "clock", "hour", "part", "zone"}
        if found is None or others:
            raise Unsure("I am not sure how long you mean.")
        if not (found.seconds or found.days or found.months):
            raise ScheduleError("that is now")
        timed = self._time(day=True)
        if timed is None:
            return Once(self._later(found))
        if not found.is_of_the_calendar:
            raise Unsure("In a length of time, or at a time?")
        day = _add_months(self._today.date(), found.months) + timedelta(days=found.days)
        return Once(self._at(day, timed))

    def _later(self, found: grammar.Length) -> float:
        """So much later: days and months by the calendar, hours as they pass."""
        if not (found.days or found.months):
            return self._now + found.seconds
        day = _add_months(self._today.date(), found.months) + timedelta(days=found.days)
        return moment(datetime.combine(day, self._today.time()), self._zone) + found.seconds

    def _monthly(self) -> Rule | None:
        """A day of the month: again and again, or this month's; asked where it may be both."""
        line, of = self._month_line()
        if not line:
            return None
        hour, minute = self._time(day=True) or MORNING
        rule = cron(f"{minute} {hour} {line}")
        if of in {"every", "each"}:
            return rule
        due = next_due(Timing(rule), self._zone, self._now)
        if due is None or of == "next":
            raise Unsure("Which month do you mean?")
        if of == "this":
            return Once(due)
        once = f"{self._show(due)}"
        raise Unsure("Once, or every month?", (once, self._every_month()))

    def _month_line(self) -> tuple[str, str]:
        """Day, month and weekday of a cron line, and which months are said; two empty texts where none are."""
        pieces = self._pieces
        if "month_end" in pieces:
            return "L * *", pieces["month_end"]["month_end"]
        if "month_on" in pieces:
            words = pieces["month_on"]
            return f"{grammar.day(words.get('month_on') or words['monthly_on'])} * *", "every"
        if "month_day" in pieces:
            return f"{grammar.day(pieces['month_day']['month_day'])} * *", pieces["month_day"]["day_of"]
        return self._nth_line() if "nth" in pieces else ("", "")

    def _nth_line(self) -> tuple[str, str]:
        words = self._pieces["nth"]
        nth, which, of = grammar.ordinal(words["nth"]), words["nth_day"], words["nth_of"]
        if which == "day":
            return f"{nth if nth > 0 else 'L'} * *", of
        if which == "weekday":
            if nth > 0:
                raise Unsure("Which day do you mean?")
            return "LW * *", of
        number = (grammar.weekday(which) + 1) % _WEEK
        return f"* * {number}{'L' if nth < 0 else f'#{nth}'}", of

    def _every_month(self) -> str:
        """The same words, every month."""
        pieces, hour = self._pieces, self._time(day=True) or MORNING
        at = f" at {hour[0]:02}:{hour[1]:02}"
        if "month_end" in pieces:
            return f"the end of every month{at}"
        if "month_day" in pieces:
            return f"the {pieces['month_day']['month_day']} of every month{at}"
        return f"the {pieces['nth']['nth']} {pieces['nth']['nth_day']} of every month{at}"

    def _recurring(self, kinds: frozenset[str]) -> Rule:
        readers: Mapping[str, Callable[[], Rule]] = {
            "hours": self._through_the_day,
            "every": self._interval,
            "alternate": self._alternate,
            "yearly": self._yearly,
        }
        if "hours" in kinds:
            return self._through_the_day()
        if _DATES & self._pieces.keys() or len(kinds) > 1:
            raise Unsure("You say how often in two ways: which one do you mean?")
        (kind,) = kinds
        if kind in readers:
            return readers[kind]()
        days = {"workdays": "1-5", "weekends": "0,6", "every_part": "*"}.get(kind) or self._named_days()
        hour, minute = self._daily_time()
        return cron(f"{minute} {hour} * * {days}")

    def _named_days(self) -> str:
        words = self._pieces["every_days"]
        found = grammar.weekdays(words.get("every_days") or words["plural"])
        return ",".join(str((day + 1) % _WEEK) for day in found)

    def _daily_time(self) -> tuple[int, int]:
        """The time of a day for what repeats; asked where nobody said it."""
        if "every_part" in self._pieces:
            timed = self._time(day=True)
            return timed or grammar.part_of_day(self._pieces["every_part"]["every_part"])
        timed = self._time(day=True)
        if timed is None:
            raise Unsure("At what time?", [f"{self._said()} at {hour}" for hour in ("09:00", "12:00", "18:00")])
        return timed

    def _said(self) -> str:
        """How often, as it was said, without the time."""
        pieces = self._pieces
        if "every_days" in pieces:
            words = pieces["every_days"]
            return f"every {words['every_days']}" if "every_days" in words else f"on {words['plural']}"
        if "every" in pieces:
            return pieces["every"].get("often") or f"every {pieces['every']['every']}"
        if "alternate" in pieces:
            return f"every other {pieces['alternate']['alternate']}"
        if "yearly" in pieces:
            return f"every {pieces['yearly']['y_month']} {pieces['yearly']['y_day']}"
        return "on weekends" if "weekends" in pieces else "on weekdays"

    def _interval(self) -> Rule:
        words = self._pieces["every"]
        often = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}
        said = words.get("every") or often.get(words["often"], "year")
        found = grammar.length(said)
        if found is None or (found.seconds and (found.days or found.months)):
            raise Unsure("I am not sure how often you mean.")
        if found.seconds:
            timed = self._time(day=True)
            start = self._at(self._today.date(), timed) if timed else self._now + found.seconds
            return Every(found.seconds, float(round(start)))
        hour, minute = self._daily_time()
        today = self._today.date()
        if found.months:
            months = f"*/{found.months}" if found.months < 12 else str(today.month)  # noqa: PLR2004  # of a year
            if found.days or (found.months < 12 and 12 % found.months) or found.months > 12:  # noqa: PLR2004  # the same
                raise Unsure("I am not sure how often you mean.")
            return cron(f"{minute} {hour} {today.day} {months} *")
        if found.days == 1:
            return cron(f"{minute} {hour} * * *")
        return self._days(found.days, today + timedelta(days=0 if found.days % _WEEK else found.days), hour, minute)

    def _days(self, count: int, start: date, hour: int, minute: int) -> Days:
        """Every so many days from a day on, but not from a moment that is over."""
        if self._at(start, (hour, minute)) <= self._now:
            start += timedelta(days=1 if count % _WEEK else count)
        return Days(count, datetime.combine(start, time(hour, minute)).isoformat())

    def _alternate(self) -> Rule:
        which = self._pieces["alternate"]["alternate"]
        hour, minute = self._daily_time()
        today = self._today.date()
        if which == "day":
            return self._days(2, today, hour, minute)
        if which == "week":
            return self._days(14, today + timedelta(days=14), hour, minute)
        ahead = (grammar.weekday(which) - today.weekday()) % _WEEK
        return self._days(14, today + timedelta(days=ahead), hour, minute)

    def _yearly(self) -> Rule:
        words = self._pieces["yearly"]
        hour, minute = self._time(day=True) or MORNING
        return cron(f"{minute} {hour} {grammar.day(words['y_day'])} {grammar.month(words['y_month'])} *")

    def _through_the_day(self) -> Rule:
        """Every hour, or every so many minutes, from one hour to another."""
        words, every = self._pieces["hours"], self._pieces.get("every", {})
        found = grammar.length(every.get("every") or "hour")
        first, last = int(words["from_hour"]), int(words["to_hour"])
        days = "1-5" if "workdays" in self._pieces else "0,6" if "weekends" in self._pieces else "*"
        others = self._pieces.keys() - {"hours", "every", "workdays", "weekends", "zone", "times", "lasting"}
        if others or found is None or found.days or found.months or "every" not in self._pieces or first >= last:
            raise Unsure("I am not sure how often you mean.")
        minutes = found.seconds / 60
        if minutes < 60 and not 60 % minutes and minutes.is_integer():  # noqa: PLR2004  # of an hour
            return cron(f"*/{int(minutes)} {first}-{last - 1} * * {days}")
        hours = minutes / 60
        if not hours.is_integer() or hours < 1:
            raise Unsure("I am not sure how often you mean.")
        return cron(f"0 {first}-{last}{f'/{int(hours)}' if hours > 1 else ''} * * {days}")

    # ---- once

    def _once(self) -> Once:
        day = self.day()
        if day is None:
            timed = self._time()
            if timed is None:
                raise Unsure("When do you mean?", ("in 1 hour", "tomorrow at 09:00"))
            at = self._at(self._today.date(), timed)
            return Once(at if at > self._now else self._at(self._today.date() + timedelta(days=1), timed))
        if day < self._today.date():
            raise ScheduleError("that is in the past")
        if "midnight" in self._pieces.get("part", {}).values():
            days = (day, day + timedelta(days=1))
            sure = [f"{each} 00:00" for each in days if each > self._today.date()]
            raise Unsure("Before that day, or after it?", sure)
        timed = self._time(day=day != self._today.date()) or self._tonight() or MORNING
        at = self._at(day, timed)
        if at <= self._now:
            raise ScheduleError("that is in the past")
        return Once(at)

    def _tonight(self) -> tuple[int, int] | None:
        words = self._pieces.get("tonight", {}).get("tonight")
        if words is None:
            return None
        return (20, 0) if words == "tonight" else grammar.part_of_day(words.removeprefix("this "))

    def day(self) -> date | None:
        """The day that is meant, None: none is said."""
        said = sorted(_DATES & self._pieces.keys())
        if not said:
            return None
        if len(said) > 1:
            return self._day_and_date(said)
        readers: Mapping[str, Callable[[Mapping[str, str]], date]] = {
            "relative_day": self._relative_day,
            "tonight": lambda _words: self._today.date(),
            "weekday": self._weekday,
            "date": self._date,
            "dotted": self._dotted,
            "slashed": self._slashed,
            "iso": lambda words: _real(lambda: date.fromisoformat(words["iso"])),
            "only_day": self._only_day,
            "next_week": self._next_week,
        }
        return readers[said[0]](self._pieces[said[0]])

    def _day_and_date(self, said: Sequence[str]) -> date:
        """A weekday beside a date: good if they agree."""
        dated = next((name for name in said if name != "weekday"), "")
        if len(said) != 2 or "weekday" not in said or dated not in {"date", "dotted", "iso", "only_day"}:  # noqa: PLR2004  # the two
            raise Unsure("You name two days: which one do you mean?")
        alone = [Piece(dated, dict(self._pieces[dated]))]
        day = Reading(alone, self._now, self._zone).day()
        words = self._pieces["weekday"]
        if day is None or day.weekday() != grammar.weekday(words.get("weekday") or words["bare"]):
            raise Unsure("That day is another weekday: which one do you mean?")
        return day

    def _relative_day(self, words: Mapping[str, str]) -> date:
        shift = {"yesterday": -1, "today": 0, "tomorrow": 1}.get(words["relative_day"], 2)
        return self._today.date() + timedelta(days=shift)

    def _weekday(self, words: Mapping[str, str]) -> date:
        wanted, today = grammar.weekday(words.get("weekday") or words["bare"]), self._today.date()
        ahead = (wanted - today.weekday()) % _WEEK
        coming = today + timedelta(days=ahead)
        dated = words.get("of") or words.get("bare_of")
        if dated is not None:
            found = self._only_day({"only_day": dated})
            if found.weekday() != wanted:
                raise Unsure("That day is another weekday: which one do you mean?")
            return found
        if words.get("which") == "next" and ahead > 0 and coming.isocalendar().week == today.isocalendar().week:
            at = self._time(day=True) or MORNING
            both = (coming, coming + timedelta(days=_WEEK))
            raise Unsure("Which one do you mean?", [self._show(self._at(day, at)) for day in both])
        if ahead == 0 and (
            words.get("which") == "next" or self._at(today, self._time(day=True) or MORNING) <= self._now
        ):
            return today + timedelta(days=_WEEK)
        return coming

    def _date(self, words: Mapping[str, str]) -> date:
        month = grammar.month(words.get("m1") or words["m2"])
        return self._coming(grammar.day(words.get("d1") or words["d2"]), month, words.get("year"))

    def _dotted(self, words: Mapping[str, str]) -> date:
        return self._coming(int(words["dot_d"]), int(words["dot_m"]), words.get("dot_y"))

    def _slashed(self, words: Mapping[str, str]) -> date:
        first, second, year = int(words["s1"]), int(words["s2"]), words.get("sy")
        if first == second or second > _NOON or first > _NOON:
            day, month = (second, first) if second > _NOON else (first, second)
            return self._coming(day, month, year)
        both = (self._coming(first, second, year), self._coming(second, first, year))
        at = self._time(day=True) or MORNING
        raise Unsure("Which comes first, the day or the month?", [self._show(self._at(day, at)) for day in both])

    def _coming(self, day: int, month: int, year: str | None) -> date:
        """The next such date; with a year, that one."""
        if year is not None:
            return _real(lambda: date(int(year), month, day))
        for ahead in range(9):  # a leap day may be eight years away
            try:
                found = date(self._today.year + ahead, month, day)
            except ValueError:
                continue
            if found >= self._today.date():
                return found
        raise ScheduleError("there is no such day")

    def _only_day(self, words: Mapping[str, str]) -> date:
        day, month = grammar.day(words["only_day"]), self._today.date().replace(day=1)
        for ahead in range(_NOON):
            first = _add_months(month, ahead)
            try:
                found = first.replace(day=day)
            except ValueError:
                continue
            if found > self._today.date():
                return found
        raise ScheduleError("there is no such day")

    def _next_week(self, words: Mapping[str, str]) -> date:
        today, said, at = self._today.date(), words["next_week"], self._time(day=True) or MORNING
        monday = today + timedelta(days=_WEEK - today.weekday())
        if "weekend" in said:
            days = [monday - timedelta(days=2), monday - timedelta(days=1)]
        elif said == "next week":
            days = [monday, today + timedelta(days=_WEEK)]
        elif said == "next month":
            days = [_add_months(today.replace(day=1), 1), _add_months(today, 1)]
        else:
            days = [date(today.year + 1, 1, 1), _add_months(today, 12)]
        raise Unsure("Which day?", list(dict.fromkeys(self._show(self._at(day, at)) for day in days)))

    # ---- the time of day

    def _time(self, *, day: bool = False) -> tuple[int, int] | None:
        """Hour and minute, None: not said. `day`: it is known which day, so that the time alone is open."""
        pieces = self._pieces
        if "iso_time" in pieces.get("iso", {}):
            hour, minute = pieces["iso"]["iso_time"].split(":")
            return _real(lambda: time(int(hour), int(minute)) and (int(hour), int(minute)))
        part = pieces.get("part", {})
        half = part.get("part") or part.get("bare_part") or pieces.get("tonight", {}).get("tonight", "")
        half = half or pieces.get("every_part", {}).get("every_part", "")
        if "clock" in pieces or "hour" in pieces:
            found = grammar.clock(pieces.get("clock", {}).get("clock") or pieces["hour"]["hour"])
            if found is None:
                raise ScheduleError("there is no such time of day")
            hour, minute, sure = found
            if half:
                return _in_half(hour, minute, half.removeprefix("this "))
            return (hour, minute) if sure else self._settle(hour, minute, day=day)
        return grammar.part_of_day(half) if half and "part" in pieces else None

    def _settle(self, hour: int, minute: int, *, day: bool) -> tuple[int, int]:
        """Which half of the day an hour without one is in; asked where both are as likely."""
        if day:
            if hour >= _UNSURE_BELOW:
                return hour, minute
            raise Unsure("In the morning or in the afternoon?", self._both(hour, minute))
        today = self._today.date()
        if hour >= _UNSURE_BELOW and self._at(today, (hour, minute)) > self._now:
            return hour, minute
        late = (hour + _HALF_DAY) % 24
        if hour >= _UNSURE_BELOW and self._at(today, (late, minute)) <= self._now:
            return hour, minute  # both are tomorrow
        options = [(hour, minute), (late, minute)]
        moments = [self._at(today, at) for at in options]
        days = [
            at if at > self._now else self._at(today + timedelta(days=1), o)
            for at, o in zip(moments, options, strict=True)
        ]
        raise Unsure("In the morning or in the afternoon?", [self._show(at) for at in sorted(days)])

    def _both(self, hour: int, minute: int) -> list[str]:
        """The two readings of an hour, in words that are sure."""
        times = [f"{h:02}:{minute:02}" for h in (hour, hour + _HALF_DAY)]
        if _RECURRING & self._pieces.keys():
            return [f"{self._said()} at {at}" for at in times]
        sure = {**self._pieces, "clock": {}}
        sure.pop("hour", None)
        days = Reading([Piece(name, dict(words)) for name, words in sure.items() if words], self._now, self._zone)
        day = days.day()
        return [f"{day} {at}" for at in times] if day else [f"at {at}" for at in times]

    def _at(self, day: date, timed: tuple[int, int]) -> float:
        return moment(datetime.combine(day, time(*timed)), self._zone)

    def _show(self, at: float) -> str:
        """A moment in words that are sure."""
        return datetime.fromtimestamp(at, tz=UTC).astimezone(self._zone).strftime("%Y-%m-%d %H:%M")


def _in_half(hour: int, minute: int, half: str) -> tuple[int, int]:
    """`7 in the evening`, `12 at night`."""
    late = half in {"afternoon", "evening", "night", "tonight"}
    if hour > _NOON or half in {"noon", "midday", "midnight", "lunchtime"}:
        raise Unsure("I am not sure which time you mean.")
    if hour == _NOON:
        if half != "afternoon":
            raise Unsure("I am not sure which time you mean.")
        return hour, minute
    early_hours = half == "night" and hour < _UNSURE_BELOW
    return (hour + _HALF_DAY if late and not early_hours else hour), minute


def _add_months(day: date, months: int) -> date:
    """So many months later; the last day of a month that is too short."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise ScheduleError("there is no such day")


def _real(make: Callable[[], T]) -> T:
    """What `make` gives.

    Raises:
        ScheduleError: there is no such day or time.

    """
    try:
        return make()
    except ValueError:
        raise ScheduleError("there is no such day") from None
