"""The time zone of the house."""

from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCAL = Path("/etc/localtime")


def house_zone(name: str, local: Path = _LOCAL) -> tzinfo:
    """The zone of this name; without one that of the machine, with its changes of the clocks; UTC if it has none."""
    if name:
        return ZoneInfo(name)
    try:
        _, found, key = str(local.resolve(strict=True)).rpartition("zoneinfo/")
        if found:
            return ZoneInfo(key)
        with local.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, KeyError):
        return UTC
