"""When a day of memory begins: at the hour at which the day before is summed up. Daylight-saving changes count."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo


def zone_of(name: str) -> tzinfo | None:
    """The time zone of this name; None stands for the machine's own."""
    return ZoneInfo(name) if name else None


@dataclass(frozen=True, slots=True)
class Days:
    """Days that begin at `begins`, local time. `weekly` is when the week is summed up, on a Sunday.

    An hour that a daylight-saving change leaves out comes when it would have come without the change; one that comes
    twice counts the first time.
    """

    zone: tzinfo | None = None
    begins: time = time(4)
    weekly: time = time(5)

    def of(self, moment: float) -> date:
        """The day that a moment (seconds since the epoch) belongs to."""
        local = self._local(moment).date()
        return local if moment >= self.start(local) else local - timedelta(days=1)

    def start(self, day: date) -> float:
        """When a day begins, in seconds since the epoch."""
        return self._at(day, self.begins)

    def end(self, day: date) -> float:
        """When it is over."""
        return self.start(day + timedelta(days=1))

    def shown(self, moment: float) -> date:
        """The date that calendars show at a moment."""
        return self._local(moment).date()

    def _local(self, moment: float) -> datetime:
        return datetime.fromtimestamp(moment, tz=UTC).astimezone(self.zone)

    def _at(self, day: date, hour: time) -> float:
        if self.zone is None:
            return datetime.combine(day, hour).timestamp()  # a time of the machine's own zone
        return datetime.combine(day, hour, tzinfo=self.zone).timestamp()
