"""When a schedule is due next. Pure: a timing, a zone and a moment in, a moment out.

A due time is one of a local clock (`Cron`, `Days`), or a moment (`Once`, `Every`). A local time that a change of the
clocks leaves out is due at the first moment after it; one that comes twice is due the first time. A cron line with `*`
as its hour means every real hour: it is due in a repeated hour twice, and not at all in one that is left out. Quiet
hours put off what falls into them: all of it is due once, when they end.
"""

import math
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from lar.domain.schedule import Cron, Days, Every, Once, Quiet, Rule, Timing
from lar.errors import ScheduleError

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_FIELDS, _HOUR = 5, 1
_SAMPLES = 12
_FOLD = timedelta(hours=3)
"""No clock is put back by more."""
_FIRST_WINDOW = 3600.0
_LONGEST_GAP = timedelta(hours=26)
"""No clock is put forward by more: an island crossed the date line."""


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this IANA name.

    Raises:
        ScheduleError: there is none.

    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ScheduleError(f"there is no time zone {name!r}; use a name such as Europe/Berlin or UTC") from None


def cron(line: str) -> Cron:
    """The rule of a cron line: five fields, or an alias such as `@daily`.

    Raises:
        ScheduleError: it is none, or it never comes.

    """
    found = ALIASES.get(line.strip().lower(), " ".join(line.split()).upper())
    if len(found.split()) != _FIELDS:
        raise ScheduleError(f"a cron line has five fields (minute hour day month weekday), not {line.strip()!r}")
    try:
        next(CronSim(found, datetime(2000, 1, 1)))  # noqa: DTZ001  # a time of the calendar, without a place
    except CronSimError as error:
        raise ScheduleError(f"{line.strip()!r} is no cron line: {str(error).lower()}") from None
    except StopIteration:
        raise ScheduleError(f"{line.strip()!r} never comes") from None
    return Cron(found)


def next_due(timing: Timing, zone: tzinfo, after: float) -> float | None:
    """The first moment after `after` at which it is due; None: there is none. `zone` counts where the timing has none.

    Raises:
        ScheduleError: there is no such zone.

    """
    place = zone_of(timing.zone) if timing.zone else zone
    due = _audible(timing.rule, timing.quiet, place, after)
    return due if due is None or timing.until is None or due <= timing.until else None


def dues(timing: Timing, zone: tzinfo, after: float, until: float) -> Iterator[float]:
    """Every moment after `after`, up to and with `until`, at which it is due."""
    due = next_due(timing, zone, after)
    while due is not None and due <= until:
        yield due
        due = next_due(timing, zone, due)


def last_due(timing: Timing, zone: tzinfo, first: float, now: float) -> float:
    """The last moment up to `now` at which it is due; `first` is one that is not after `now`."""
    window = _FIRST_WINDOW
    while now - window > first:
        found = None
        for found in dues(timing, zone, now - window, now):  # noqa: B007  # the last one is wanted
            pass
        if found is not None:
            return found
        window *= 4
    found = first
    for found in dues(timing, zone, first, now):  # noqa: B007  # the last one is wanted
        pass
    return found


def shortest_gap(timing: Timing, zone: tzinfo, after: float) -> float | None:
    """The least number of seconds between two of the next dues; None: there are not two."""
    found: list[float] = []
    due = next_due(timing, zone, after)
    while due is not None and len(found) < _SAMPLES:
        found.append(due)
        due = next_due(timing, zone, due)
    return min((later - earlier for earlier, later in pairwise(found)), default=None)


def moment(local: datetime, zone: tzinfo) -> float:
    """The moment at which local clocks show this time first; where none do, the first one after it.

    `local` has no zone. Seconds since the epoch.
    """
    found = local.replace(tzinfo=zone, fold=0)
    shown = found.astimezone(UTC).astimezone(zone)
    if shown.replace(tzinfo=None) == local:
        return found.timestamp()
    return _after_gap(local, zone)


def _after_gap(local: datetime, zone: tzinfo) -> float:
    """The moment at which the clocks skip this time: found by halving the stretch that holds it."""
    early = (local - _LONGEST_GAP).replace(tzinfo=zone).astimezone(UTC)
    late = (local + _LONGEST_GAP).replace(tzinfo=zone).astimezone(UTC)
    low, high = int(early.timestamp()), int(late.timestamp())
    while high - low > 1:  # at `low` clocks show less than `local`, at `high` more
        middle = (low + high) // 2
        if _shown(middle, zone) < local:
            low = middle
        else:
            high = middle
    return float(high)


def _shown(at: float, zone: tzinfo) -> datetime:
    """What local clocks show at a moment, without a zone."""
    return datetime.fromtimestamp(at, tz=zone).replace(tzinfo=None)


def _audible(rule: Rule, quiet: Quiet | None, zone: tzinfo, after: float) -> float | None:
    if quiet is None or quiet.start == quiet.end:
        return _nominal(rule, zone, after)
    now = _quiet_around(quiet, zone, after)
    if now is not None:
        due = _nominal(rule, zone, math.nextafter(now[0], -math.inf))
        if due is not None and due <= now[1]:
            return now[1]
        after = now[1]
    due = _nominal(rule, zone, after)
    if due is None:
        return None
    around = _quiet_around(quiet, zone, due)
    return due if around is None else around[1]


def _quiet_around(quiet: Quiet, zone: tzinfo, at: float) -> tuple[float, float] | None:
    """When the quiet hours that hold this moment begin and end; None: it is not quiet."""
    today = _shown(at, zone).date()
    for day in (today - timedelta(days=1), today):
        start, end = (datetime.combine(day, time()) + timedelta(minutes=edge) for edge in (quiet.start, quiet.end))
        if quiet.end < quiet.start:
            end += timedelta(days=1)
        first, last = moment(start, zone), moment(end, zone)
        if first <= at < last:
            return first, last
    return None


def _nominal(rule: Rule, zone: tzinfo, after: float) -> float | None:
    match rule:
        case Once(at):
            return at if at > after else None
        case Every(seconds, start):
            due = start if after < start else start + ((after - start) // seconds + 1) * seconds
            return due if due > after else due + seconds  # fractions of a second may be lost on the way
        case Days(count, first):
            return _days_due(count, datetime.fromisoformat(first), zone, after)
        case Cron(line):
            return _cron_due(line, zone, after)


def _days_due(count: int, first: datetime, zone: tzinfo, after: float) -> float:
    steps = max((_shown(after, zone).date() - first.date()).days // count, 0)
    due = moment(first + timedelta(days=steps * count), zone)
    while due <= after:
        steps += 1
        due = moment(first + timedelta(days=steps * count), zone)
    return due


def _cron_due(line: str, zone: tzinfo, after: float) -> float | None:
    if line.split()[_HOUR] == "*":
        return _every_hour(line, zone, after)
    for local in _matches(line, _shown(after, zone)):
        due = moment(local, zone)
        if due > after:
            return due
    return None


def _every_hour(line: str, zone: tzinfo, after: float) -> float | None:
    """The first real moment after `after` at which clocks show a time of this line, whether they do so again or not."""
    shown = datetime.fromtimestamp(after, tz=zone)
    start = shown.replace(tzinfo=None)
    nearby = {(shown.astimezone(UTC) + shift).astimezone(zone).utcoffset() for shift in (-_FOLD, timedelta(), _FOLD)}
    best: float | None = None
    for local in _matches(line, start if len(nearby) == 1 else start - _FOLD):
        if best is not None and local.replace(tzinfo=zone, fold=0).timestamp() >= best:
            break
        for fold in (0, 1):
            found = local.replace(tzinfo=zone, fold=fold).timestamp()
            if found > after and _shown(found, zone) == local and (best is None or found < best):
                best = found
    return best


def _matches(line: str, after: datetime) -> Iterator[datetime]:
    """The times of the calendar after this one that fit the line."""
    found = copy(_read(line))
    found.dt = after.replace(second=0, microsecond=0)
    return found


@lru_cache(maxsize=4096)
def _read(line: str) -> CronSim:
    """A line that was read once: reading costs more than the next step."""
    return CronSim(line, datetime(2000, 1, 1))  # noqa: DTZ001  # a time of the calendar, without a place
