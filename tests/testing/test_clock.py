"""The clock that tests own."""

import runpy
import sys

import pytest

from lar.testing.clock import FakeClock


def test_stands_still_until_moved() -> None:
    """Time that passes by itself would make tests depend on the machine's speed."""
    clock = FakeClock(100.0)
    assert clock() == clock() == 100.0
    assert clock.advance(2.5) == clock() == 102.5


def test_jumps_both_ways_only_by_set() -> None:
    """A clock set back is a case to test on purpose, never by a wrong sign."""
    clock = FakeClock()
    clock.set(50.0)
    assert clock() == 50.0
    with pytest.raises(ValueError, match="set"):
        clock.advance(-1)


@pytest.mark.parametrize("program", ["lar.testing.models", "lar.testing.telegram"])
def test_the_simulators_are_programs_too(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever develops against Lar can start a simulator by hand; it says how."""
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(program, run_name="__main__")
    assert ended.value.code == 0
    assert "--port" in capsys.readouterr().out
