"""The coverage gate: floors hold, rise, and never fall."""

import tomllib

import pytest

from coverage_ratchet import FLOORS, HEART, Verdict, judge, raised, rooms


def report(**files: tuple[int, int]) -> dict[str, object]:
    """A coverage report: reached and all lines, by path with `__` for a slash."""
    return {
        "files": {
            f"src/lar/{name.replace('__', '/')}.py": {
                "summary": {
                    "covered_lines": covered,
                    "covered_branches": 0,
                    "num_statements": total,
                    "num_branches": 0,
                }
            }
            for name, (covered, total) in files.items()
        }
    }


def test_room_is_the_sum_of_its_files() -> None:
    """A large untested file weighs what it weighs, whatever its neighbours reach."""
    assert rooms(report(store__jobs=(10, 10), store__steps=(0, 30), app=(1, 3))) == {"app": 33.3, "store": 25.0}


def test_share_is_rounded_down() -> None:
    """99.99 is not 100."""
    assert rooms(report(engine__engine=(9999, 10000))) == {"engine": 99.9}


def test_falling_below_the_floor_is_seen() -> None:
    """A room that lost coverage, or vanished with its floor, breaks the build."""
    verdicts = judge({"engine": 97.0, "store": 92.0, "web": 10.0}, {"engine": 98.0, "store": 92.0, "gone": 50.0})
    assert [each.room for each in verdicts if not each.holds] == ["engine", "gone"]


def test_floors_only_rise() -> None:
    """Raising keeps a floor that is higher than what is reached, and the file's words."""
    text = raised("# words\nengine = 98.0\n", [Verdict("engine", 97.0, 98.0), Verdict("store", 92.5, 90.0)])
    assert text.startswith("# words\n")
    assert tomllib.loads(text) == {"engine": 98.0, "store": 92.5}


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict("store", 80.0, 90.0), "BELOW ITS FLOOR"),
        (Verdict("store", 95.0, 90.0), "can rise to 95.0"),
        (Verdict("engine", 95.0, 95.0), "goal 100"),
    ],
)
def test_verdict_says_what_to_do(verdict: Verdict, words: str) -> None:
    """The table is read by people."""
    assert words in str(verdict)


def test_floors_are_of_real_rooms() -> None:
    """The committed file names rooms that exist, in percent."""
    floors = tomllib.loads(FLOORS.read_text(encoding="utf-8"))
    source = FLOORS.parent.parent / "src" / "lar"
    for room, floor in floors.items():
        assert (source / room).exists() or (source / f"{room}.py").exists(), room
        assert 0 <= floor <= 100
    assert all((source / room).is_dir() for room in HEART)
