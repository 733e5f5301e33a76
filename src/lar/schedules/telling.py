"""Times and rules as a person reads them: always with the date, the time and the zone."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from lar.conversations.strings import say
from lar.domain.schedule import Cron, Days, Every, Once, Schedule, Timing

_WORKDAYS = frozenset({"1-5", "MON-FRI", "1,2,3,4,5"})
_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def moment_of(language: str, at: float, zone: tzinfo) -> str:
    """A moment: `Thursday, 2026-11-26 07:00 (Europe/Berlin)`; with seconds where there are some."""
    local = datetime.fromtimestamp(at, tz=UTC).astimezone(zone)
    weekday = say(language, "weekdays").split()[local.weekday()]
    time = local.strftime("%H:%M:%S" if local.second else "%H:%M")
    return say(language, "moment", weekday=weekday, date=local.strftime("%Y-%m-%d"), time=time, zone=zone_name(zone))


def zone_name(zone: tzinfo) -> str:
    """The IANA name of a zone."""
    name = (zone.key or "local time") if isinstance(zone, ZoneInfo) else str(zone)
    return name.removeprefix("Etc/")


def rule_of(language: str, timing: Timing, zone: tzinfo, left: int | None = None) -> str:
    """When a schedule is due, in words."""
    parts = [_rule(language, timing)]
    if left is not None and not isinstance(timing.rule, Once):
        parts.append(say(language, "rule_left", left=left))
    if timing.until is not None:
        parts.append(say(language, "rule_until", when=moment_of(language, timing.until, zone)))
    if timing.quiet is not None:
        start, end = (f"{edge // 60:02}:{edge % 60:02}" for edge in (timing.quiet.start, timing.quiet.end))
        parts.append(say(language, "rule_quiet", start=start, end=end))
    return ", ".join(parts)


def line_of(language: str, schedule: Schedule, zone: tzinfo) -> str:
    """A schedule on a line: its number, what, when next and how often."""
    when = moment_of(language, schedule.next_due, zone) if schedule.next_due is not None else f"[{schedule.state}]"
    rule = "" if isinstance(schedule.timing.rule, Once) else f", {rule_of(language, schedule.timing, zone)}"
    return f"#{schedule.id} {' '.join(schedule.text.split())}: {when}{rule}"


def _rule(language: str, timing: Timing) -> str:
    match timing.rule:
        case Once():
            return say(language, "rule_once")
        case Every(seconds):
            return say(language, "rule_every", length=_length(language, seconds))
        case Days(count, start):
            return say(language, "rule_days", count=count, time=start[11:16])
        case Cron(line):
            return _cron(language, line)


def _length(language: str, seconds: float) -> str:
    """A length of time, nothing left out: `1 h 30 min`."""
    whole, parts = int(seconds), list[str]()
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1)):
        if whole >= size:
            parts.append(say(language, unit, n=whole // size))
            whole %= size
    return " ".join(parts)


def _cron(language: str, line: str) -> str:
    """A cron line in words, where there are easy ones."""
    minute, hour, day, month, weekday = line.split()
    if not (minute.isdigit() and hour.isdigit() and month == "*") or "*" not in {day, weekday}:
        return say(language, "rule_cron", line=line)
    time = f"{int(hour):02}:{int(minute):02}"
    if weekday != "*":
        return _weekly(language, weekday, time) or say(language, "rule_cron", line=line)
    if day == "*":
        return say(language, "rule_day", time=time)
    if day == "L":
        return say(language, "rule_month_end", time=time)
    return (
        say(language, "rule_month_day", day=day, time=time) if day.isdigit() else say(language, "rule_cron", line=line)
    )


def _weekly(language: str, weekday: str, time: str) -> str:
    """Days of the week in words; empty where there are no easy ones."""
    if weekday in _WORKDAYS:
        return say(language, "rule_workday", time=time)
    last = len(weekday) > 1 and weekday.endswith("L")
    names = say(language, "weekdays").split()
    found: list[str] = []
    for each in weekday.removesuffix("L" if last else "").split(","):
        if not (each.isdigit() or each in _NAMES):
            return ""
        number = _NAMES.index(each) if each in _NAMES else int(each)
        found.append(names[number - 1])
    return say(language, "rule_month_last" if last else "rule_week", weekday=", ".join(found), time=time)
