"""The zone of the house: as configured, else the machine's with its changes of the clocks, else UTC."""

from datetime import UTC
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

from lar.schedules.telling import zone_name
from lar.schedules.zones import house_zone


def test_as_configured(tmp_path: Path) -> None:
    """R-SC-1: a name that was configured holds, whatever the machine says."""
    assert house_zone("Europe/Berlin", tmp_path / "none") == ZoneInfo("Europe/Berlin")


def test_the_machines(tmp_path: Path) -> None:
    """R-SC-1: without a name the machine's zone is found by its link, with its name."""
    there = tmp_path / "usr" / "share" / "zoneinfo" / "Europe" / "Berlin"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"TZif")
    (tmp_path / "localtime").symlink_to(there)
    assert house_zone("", tmp_path / "localtime") == ZoneInfo("Europe/Berlin")


def test_a_file_without_a_name(tmp_path: Path) -> None:
    """R-SC-1: a copy of a zone's file says when clocks change, but not what the zone is called."""
    source = next(path for path in (Path(folder, "Europe", "Berlin") for folder in TZPATH) if path.exists())
    (tmp_path / "localtime").write_bytes(source.read_bytes())
    found = house_zone("", tmp_path / "localtime")
    assert zone_name(found) == "local time"


def test_none_at_all(tmp_path: Path) -> None:
    """R-SC-1: a machine that says nothing, or nonsense, lives by UTC."""
    assert house_zone("", tmp_path / "none") is UTC
    (tmp_path / "localtime").write_bytes(b"nonsense")
    assert house_zone("", tmp_path / "localtime") is UTC
    assert zone_name(UTC) == "UTC"
