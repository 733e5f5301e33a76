"""Control groups, version 1 and 2: memory, processors and processes of a whole run, kept by the kernel."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from signal import SIGKILL

from lar.sandboxes.contract import Limits

CONTROLLERS = ("memory", "cpu", "pids")
_GATEWAY = "lar-gateway"
_RUN = re.compile(r"lar-run-(\d+)-(\d+)-\d+")
_PERIOD = 100_000
_NUMBERS = count(1)  # of all runs of this process: each sandbox in it makes groups beside those of the others


@dataclass(frozen=True, slots=True)
class Group:
    """The control group of one run: a folder of each hierarchy (one for all in version 2)."""

    folders: Mapping[str, Path]

    @property
    def doors(self) -> tuple[Path, ...]:
        """Files; a process that writes its number into each is in the group, with all it starts from then on."""
        return tuple(folder / "cgroup.procs" for folder in dict.fromkeys(self.folders.values()))

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel killed something here for the memory limit."""
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError, KeyError):
                text = (self.folders["memory"] / name).read_text()
                return bool(re.search(r"^oom_kill [1-9]", text, re.MULTILINE))
        return False

    async def end(self) -> None:
        """Kill everything in it and remove it."""
        for _ in range(200):
            for folder in self.folders.values():
                _kill(folder)
            if all(_removed(folder) for folder in self.folders.values()):
                return
            await asyncio.sleep(0.005)


def entering(group: Group | None, argv: Sequence[str], *, empty: bool = False) -> list[str]:
    """The command, begun by a shell that enters the group first: what it becomes is there from its start.

    `empty`: the shell hands on nothing of the environment, not even what it adds itself.
    """
    if group is None:
        return list(argv)
    script = f'while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done; shift; exec {"env -i " * empty}"$@"'
    return ["/bin/sh", "-c", script, "lar", *map(str, group.doors), "--", *argv]


def _kill(folder: Path) -> None:
    with suppress(OSError):
        (folder / "cgroup.kill").write_text("1")
        return
    with suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(OSError):
                os.kill(int(pid), SIGKILL)


def _removed(folder: Path) -> bool:
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()


class Cgroups:
    """Where this process may make groups. `controllers` are those it may use, of `CONTROLLERS`; often none."""

    def __init__(self, proc: Path = Path("/proc/self"), pid: int | None = None) -> None:
        self._bases = _bases(proc)
        self._pid = os.getpid() if pid is None else pid
        self._born = born(self._pid)

    @property
    def controllers(self) -> frozenset[str]:
        """What groups of a run can limit."""
        return frozenset(self._bases)

    def open(self, limits: Limits, *, walls: int = 0) -> Group:
        """A new group with these limits; `walls`: processes of the walls themselves, which the limit does not count."""
        name = f"lar-run-{self._pid}-{self._born}-{next(_NUMBERS)}"
        group = Group({controller: base / name for controller, base in self._bases.items()})
        for folder in dict.fromkeys(group.folders.values()):
            folder.mkdir()
        for controller, folder in group.folders.items():
            for file, value in _limits(controller, limits, walls):
                if (folder / file).exists():
                    (folder / file).write_text(value)
        return group

    async def recover(self) -> None:
        """Kill and remove the groups of a Lar that does not live any more."""
        for base in dict.fromkeys(self._bases.values()):
            for folder in base.glob("lar-run-*"):
                match = _RUN.fullmatch(folder.name)
                if match and born(int(match[1])) != int(match[2]):
                    await Group({"": folder}).end()


def _limits(controller: str, limits: Limits, walls: int) -> list[tuple[str, str]]:
    """Files and what to write there, for both versions; those that do not exist are left out."""
    quota = max(1000, int(limits.cpus * _PERIOD))
    match controller:
        case "memory":
            size = str(limits.memory)
            first = [("memory.limit_in_bytes", size), ("memory.memsw.limit_in_bytes", size)]
            return [*first, ("memory.max", size), ("memory.swap.max", "0"), ("memory.oom.group", "1")]
        case "cpu":
            first = [("cpu.cfs_period_us", str(_PERIOD)), ("cpu.cfs_quota_us", str(quota))]
            return [*first, ("cpu.max", f"{quota} {_PERIOD}")]
        case _:
            return [("pids.max", str(limits.processes + walls))]


def born(pid: int) -> int:
    """When the process started, in ticks since the boot; 0 if there is none. Only its number is ever used again."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _bases(proc: Path) -> dict[str, Path]:
    """For each usable controller, the folder below which groups may be made."""
    try:
        own = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
        mounts = [line.partition(" - ") for line in (proc / "mountinfo").read_text().splitlines()]
    except OSError:
        return {}
    bases: dict[str, Path] = {}
    for before, _, after in mounts:
        root, point = before.split()[3:5]
        kind, _, options = after.partition(" ")
        for _, names, path in own:
            folder = _below_mount(Path(point), root, path)
            if kind == "cgroup" and names:
                for name in set(names.split(",")).intersection(options.split()[-1].split(","), CONTROLLERS):
                    if _writable(folder):
                        bases[name] = folder
            elif kind == "cgroup2" and not names:
                bases |= _second_version(folder, Path(point))
    return bases


def _below_mount(point: Path, root: str, path: str) -> Path:
    """Our own group as this mount shows it; its top where it does not show it."""
    relative = path.removeprefix(root) if root != "/" else path
    folder = point / relative.lstrip("/")
    return folder if os.path.isdir(folder) else point  # noqa: PTH112  # False where it may not be looked at


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _second_version(own: Path, point: Path) -> dict[str, Path]:
    """Below a group that hands controllers on there may be no process of its own: we move into one beside the runs."""
    base = own.parent if own.name == _GATEWAY else own
    wanted = [name for name in CONTROLLERS if name in _words(base / "cgroup.controllers")]
    if not wanted or not _writable(base):
        return {}
    missing = [name for name in wanted if name not in _words(base / "cgroup.subtree_control")]
    try:
        if missing and base != point:
            if set(_words(base / "cgroup.procs")) - {str(os.getpid())}:
                return {}  # others live there, too; they are not ours to move
            (base / _GATEWAY).mkdir(exist_ok=True)
            (base / _GATEWAY / "cgroup.procs").write_text(str(os.getpid()))
        for name in missing:
            (base / "cgroup.subtree_control").write_text(f"+{name}")
    except OSError:
        return {}
    return dict.fromkeys(wanted, base)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
