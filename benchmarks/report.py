"""The table that is printed: what was measured beside its goal and beside the floors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One number: its name in the results, and its goal: at most, unless `least`."""

    label: str
    key: str
    goal: float | None = None
    least: bool = False

    def shown_goal(self) -> str:
        """The goal as people write it."""
        return "" if self.goal is None else f"{'≥' if self.least else '≤'} {self.goal:g}"

    def met(self, value: float) -> bool:
        """Whether the goal is reached; a row without a goal always is."""
        if self.goal is None:
            return True
        return value >= self.goal if self.least else value <= self.goal


ROWS = (
    Row("version, s", "version_s", 0.15),
    Row("start to first poll, s", "first_poll_s", 1.0),
    Row("  the first time, in an empty home", "first_poll_empty_home_s"),
    Row("first turn at the moment of the first poll, s", "first_turn_s"),
    Row("idle memory before the first turn, MB", "idle_before_mb", 80),
    Row("idle memory after the first turn, MB", "idle_after_mb", 120),
    Row("idle CPU, % of a core", "idle_cpu_percent", 0.3),
    Row("memory growth over many turns, MB", "flat_mb", 5),
    Row("message in to model request, ms median", "before_model_ms", 12),
    Row("message in to model request, ms p95", "before_model_p95_ms", 30),
    Row("model done to reply sent, ms median", "after_model_ms", 6),
    Row("CPU of a turn in a fresh chat, ms", "cpu_fresh_ms"),
    Row("CPU of a turn with a long history, ms", "cpu_history_ms"),
    Row("CPU per turn, ms (50 chats)", "cpu_turn_ms", 7),
    Row("messages/s, 10 chats, model 0 ms", "rate_10_0", 120, least=True),
    Row("messages/s, 50 chats, model 0 ms", "rate_50_0", 120, least=True),
    Row("messages/s, 200 chats, model 0 ms", "rate_200_0", 120, least=True),
    Row("messages/s, 200 chats, model 500 ms", "rate_200_500", 120, least=True),
    Row("SIGKILLs: messages lost", "crash_lost", 0),
    Row("SIGKILLs: out of order", "crash_disorder", 0),
    Row("SIGKILLs: doubled, not marked", "crash_duplicates", 0),
    Row("SIGKILLs: sent again, marked", "crash_marked"),
    Row("stop to silence, s", "stop_s", 1.0),
)
_LOAD = ("chats", "model_ms", "messages", "per_second", "median_ms", "p95_ms", "cpu_ms", "bench_cpu_ms", "faults")

_MINDS = ("before_mb", "after_mb", "seconds")

Results = Sequence[Mapping[str, Any]]


def table(cells: Sequence[Sequence[str]]) -> str:
    """Columns aligned under a ruled head; the first to the left, the others to the right."""
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    padded = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return "\n".join([padded[0], "  ".join("-" * width for width in widths), *padded[1:]])


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _ratio(value: Any, floor: Any) -> str:
    comparable = isinstance(value, int | float) and isinstance(floor, int | float) and floor
    return f"{value / floor:.2f}" if comparable else "-"


def _summary(results: Results) -> str:
    """Every gateway's numbers; the first is the one that has the goals, the others are what it is compared with."""
    first, *floors = results
    names = [str(result["name"]) for result in results]
    cells = [["", "goal", *names, *(f"/ {name}" for name in names[1:])]]
    for row in ROWS:
        values = [result.get(row.key) for result in results]
        if all(value is None for value in values):
            continue
        shown = [_number(value) for value in values]
        missed = first.get("goals") and values[0] is not None and not row.met(values[0])
        shown[0] += " !" if missed else "  "
        cells.append(
            [row.label, row.shown_goal(), *shown, *(_ratio(values[0], floor.get(row.key)) for floor in floors)]
        )
    return table(cells)


def _loads(results: Results) -> str:
    cells = [["gateway", *(name.replace("_", " ") for name in _LOAD)]]
    for result in results:
        cells += [[str(result["name"]), *(_number(row[name]) for name in _LOAD)] for row in result.get("load", [])]
    return table(cells) if len(cells) > 1 else ""


def _minds(results: Results) -> str:
    cells = [["provider", *(name.replace("_", " ") for name in _MINDS)]]
    for result in results:
        cells += [[str(row["provider"]), *(_number(row[name]) for name in _MINDS)] for row in result.get("minds", [])]
    return table(cells) if len(cells) > 1 else ""


def report(results: Results) -> str:
    """All tables as one text."""
    failures = [f"{result['name']}: {result['error']}" for result in results if result.get("error")]
    kills = next((result["crash"]["kills"] for result in results if "crash" in result), 0)
    notes = ["! misses its goal; / is the first gateway's number divided by that one's"]
    notes += [f"SIGKILLs: {kills} of the whole process tree, 20 chats, model at 300 ms"] if kills else []
    busy = ", ".join(str(result["load_before"]) for result in results if "load_before" in result)
    notes += [f"load average of the machine before each gateway: {busy}"] if busy else []
    synced = ", ".join(str(result["fsync_ms"]) for result in results if "fsync_ms" in result)
    notes += [f"ms for an fsync of 4 kB before each gateway: {synced}"] if synced else []
    return "\n\n".join(
        part for part in (_summary(results), "\n".join(notes), _loads(results), _minds(results), *failures) if part
    )
