"""What heartbeats are told by the clock: schedules that leave an event, as the configuration says."""

from collections.abc import Mapping

from lar.domain.ids import ScheduleId
from lar.domain.schedule import Every, Schedule, ScheduleKind, Timing
from lar.errors import ConfigError, ScheduleError
from lar.schedules.rules import cron
from lar.schedules.runbook_files import jitter_of, seconds_of
from lar.schedules.settings import EventSettings

PREFIX = "event:"


def schedules_of(settings: Mapping[str, EventSettings], least: float) -> list[Schedule]:
    """The schedules of these events; between two firings are at least `least` seconds.

    Raises:
        ConfigError: one says no time.

    """
    return [_schedule(name, event, least) for name, event in settings.items()]


def _schedule(name: str, event: EventSettings, least: float) -> Schedule:
    where = f"schedules.events.{name}"
    if bool(event.cron) == bool(event.every):
        raise ConfigError(f"{where}: give either cron (a cron line) or every (such as 2h)")
    try:
        rule = cron(event.cron) if event.cron else Every(seconds_of(event.every), 0.0)
        jitter = jitter_of(event.jitter)
    except ScheduleError as error:
        raise ConfigError(f"{where}: {error}") from None
    if isinstance(rule, Every) and rule.seconds < least:
        raise ConfigError(f"{where}.every: at least {least:g} seconds must be between two")
    text = event.text or name
    return Schedule(ScheduleId(0), ScheduleKind.EVENT, text, Timing(rule), key=f"{PREFIX}{name}", jitter=jitter)
