"""What a tree of processes uses, read from /proc: memory shared fairly (PSS), and CPU time."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Stat(NamedTuple):
    """What /proc/PID/stat tells: the parent, and CPU seconds including those of reaped children."""

    parent: int
    cpu: float


def _stat(pid: int) -> Stat | None:
    """None for a process that is gone or a zombie."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] == "Z" else Stat(int(fields[1]), sum(map(int, fields[11:15])) / _TICKS)


def _running() -> Iterator[tuple[int, Stat]]:
    for pid in (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()):
        stat = _stat(pid)
        if stat:
            yield pid, stat


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False


def members(root: int, mark: str) -> set[int]:
    """All that descend from `root` or carry `mark` in their environment, so that no daemon escapes the count."""
    parents = {pid: stat.parent for pid, stat in _running()}
    found = {pid for pid in parents if pid == root or _carries(pid, mark.encode())}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def memory_mb(pids: Iterable[int]) -> float:
    """Proportional set size of these processes together, in MB."""
    total = 0
    for pid in pids:
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of these processes together, in steps of 10 ms."""
    return sum(stat.cpu for stat in map(_stat, pids) if stat)


def run_seconds(pids: Iterable[int]) -> float:
    """CPU time of the threads that live now, in nanosecond steps: for stretches in which little happens."""
    total = 0
    for pid in pids:
        try:
            for thread in (_PROC / str(pid) / "task").iterdir():
                total += int((thread / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total / 1e9
