"""Measure the branch coverage of every room and hold it to its floor: `make coverage`.

Floors are in `coverage_floors.toml` and only rise: `--raise` writes what is reached. `--report` judges the last
measurement again. Child processes are measured, too.
"""

import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ROOT / "scripts" / "coverage_floors.toml"
REPORT = ROOT / ".cache" / "coverage" / "report.json"
SUITE = ["-n", "2", "-q", "-m", "not (kill or sandboxes or soak)"]
HEART = {"domain", "engine", "policy", "conversations"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One room: what is covered and what must be, in percent, rounded down to a tenth."""

    room: str
    reached: float
    floor: float

    @property
    def holds(self) -> bool:
        """True at or above the floor."""
        return self.reached >= self.floor

    def __str__(self) -> str:
        goal = "" if self.room not in HEART or self.reached == 100 else "  goal 100"  # noqa: PLR2004  # percent
        state = "" if self.holds else "  BELOW ITS FLOOR"
        rise = f"  floor can rise to {self.reached}" if self.reached > self.floor else ""
        return f"{self.room:<14} {self.reached:6.1f}  floor {self.floor:5.1f}{state}{rise}{goal}"


def rooms(report: Mapping[str, Any]) -> dict[str, float]:
    """The share of lines and branches reached, by room, from coverage's JSON report."""
    covered: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    for path, file in report["files"].items():
        room = Path(path).relative_to("src/lar").parts[0].removesuffix(".py")
        summary = file["summary"]
        covered[room] += summary["covered_lines"] + summary["covered_branches"]
        total[room] += summary["num_statements"] + summary["num_branches"]
    return {room: covered[room] * 1000 // total[room] / 10 for room in sorted(total) if total[room]}


def judge(reached: Mapping[str, float], floors: Mapping[str, float]) -> list[Verdict]:
    """One verdict a room; a room without a floor stands on zero, a floor without a room has fallen."""
    return [Verdict(room, reached.get(room, 0.0), floors.get(room, 0.0)) for room in sorted({*reached, *floors})]


def raised(text: str, verdicts: list[Verdict]) -> str:
    """The floors file with every floor at the higher of what it was and what is reached."""
    comments = [line for line in text.splitlines() if line.startswith("#")]
    return "\n".join([*comments, *(f"{each.room} = {max(each.floor, each.reached)}" for each in verdicts)]) + "\n"


def measure() -> None:
    """Run the fast tests under measurement and write the report."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "erase"], cwd=ROOT, check=True)  # noqa: S603  # the words are ours
    tests = subprocess.run([*coverage, "run", "-m", "pytest", *SUITE], cwd=ROOT, check=False)  # noqa: S603  # the same
    if tests.returncode:
        sys.exit("coverage: the tests failed; nothing is judged")
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=True)  # noqa: S603  # the same
    subprocess.run([*coverage, "json", "--quiet", "-o", str(REPORT)], cwd=ROOT, check=True)  # noqa: S603  # the same


def main(words: list[str]) -> None:
    """Measure, print one line a room, and fail below a floor."""
    if "--report" not in words:
        measure()
    text = FLOORS.read_text(encoding="utf-8")
    verdicts = judge(rooms(json.loads(REPORT.read_text(encoding="utf-8"))), tomllib.loads(text))
    print("\n".join(str(each) for each in verdicts))
    if "--raise" in words:
        FLOORS.write_text(raised(text, verdicts), encoding="utf-8")
    if fallen := [each.room for each in verdicts if not each.holds]:
        sys.exit(f"coverage: below the floor: {', '.join(fallen)}. Add the missing tests; floors only rise")


if __name__ == "__main__":
    main(sys.argv[1:])
