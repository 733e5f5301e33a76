"""The bench's table: goals judged the right way round, floors beside them."""

from typing import Any

from report import ROWS, report


def numbers(name: str, **given: Any) -> dict[str, Any]:
    """Results of one gateway."""
    return {"name": name, "goals": name == "Lar", **given}


def line(text: str, label: str) -> str:
    """The row of the table that starts with `label`."""
    return next(row for row in text.splitlines() if row.startswith(label))


def test_marks_missed_goals_both_ways_round() -> None:
    """Too slow and too few are both misses; what was not measured is neither."""
    lar = numbers("Lar", first_poll_s=1.5, rate_10_0=100.0, before_model_ms=3.0)
    text = report([lar, numbers("floor", first_poll_s=3.0, rate_10_0=200.0)])
    assert "1.5 !" in line(text, "start to first poll")
    assert line(text, "start to first poll").endswith("0.50")
    assert "100 !" in line(text, "messages/s, 10 chats")
    assert "!" not in line(text, "message in to model request, ms median")
    assert "SIGKILLs: messages lost" not in text


def test_floors_have_no_goals() -> None:
    """A floor alone is a reference, not a candidate."""
    text = report([numbers("floor", first_poll_s=3.0)])
    assert "3 !" not in text


def test_failures_are_told() -> None:
    """A gateway that failed half-way says so under the table."""
    text = report([numbers("Lar", first_poll_s=0.5, error="Lar hangs")])
    assert text.endswith("Lar: Lar hangs")


def test_every_row_is_of_its_own() -> None:
    """Two rows of one number would hide another."""
    assert len({row.key for row in ROWS}) == len(ROWS)


def test_memory_of_providers_has_a_table_of_its_own() -> None:
    """What each provider's SDK costs is told where it was measured, and nowhere else."""
    row = {"provider": "openai", "before_mb": 80.0, "after_mb": 99.5, "seconds": 0.4}
    text = report([{"name": "Lar", "minds": [row]}, {"name": "floor"}])
    assert [line.split() for line in text.splitlines() if line.startswith("openai")] == [
        ["openai", "80", "99.5", "0.4"]
    ]
    assert "before mb" not in report([{"name": "Lar"}])
