"""The tool that knows what time it is."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from lar.domain.risk import Risk
from lar.domain.values import Clock
from lar.errors import ConfigError, ToolError
from lar.tools.contract import Tool, ToolContext
from lar.tools.define import tool


def clock_tool(clock: Clock, time_zone: str = "") -> Tool:
    """The tool `current_datetime`. `time_zone` is the person's; empty means the machine's.

    Raises:
        ConfigError: there is no such time zone.

    """
    home = _zone(time_zone)
    if time_zone and home is None:
        raise ConfigError(f"tools.time_zone: there is no time zone {time_zone!r}; use a name such as Europe/Berlin")

    @tool(risk=Risk.READ, repeatable=True)
    async def current_datetime(_context: ToolContext, time_zone: str = "") -> str:
        """The current date, time, weekday and time zone.

        Args:
            time_zone: IANA name such as America/Bogota; empty for the person's own.
        """
        zone = _zone(time_zone) if time_zone else home
        if time_zone and zone is None:
            raise ToolError(f"There is no time zone {time_zone!r}. Use an IANA name such as Europe/Berlin or UTC.")
        return describe(datetime.fromtimestamp(clock(), tz=UTC).astimezone(zone))

    return current_datetime


def describe(moment: datetime) -> str:
    """A moment as a model and a person read it: `Friday, 2026-11-20 13:05:09 CET (UTC+01:00), week 47`."""
    weekday = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[moment.weekday()]
    offset = f"{moment:%z}"
    week = moment.isocalendar().week
    return f"{weekday}, {moment:%Y-%m-%d %H:%M:%S} {moment.tzname()} (UTC{offset[:3]}:{offset[3:5]}), week {week}"


def _zone(name: str) -> tzinfo | None:
    """The zone of this name; None for the machine's own, and for a name that does not exist."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None
