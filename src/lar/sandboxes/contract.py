"""The seam for sandboxes: a command, its limits, what it gave, and the promises the walls around it keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lar.errors import SandboxError


class Promise(StrEnum):
    """What a run cannot do, whatever the command is."""

    FILES = "files"
    """Reads and writes nothing but its work folder, what the spec lets it read, and the system's public programs."""
    ENVIRONMENT = "environment"
    """Sees no environment but its own: neither Lar's nor that of any process outside."""
    PROCESSES = "processes"
    """Sees, reads, traces and signals no process outside."""
    NETWORK = "network"
    """Reaches no other machine, no metadata service, no hypervisor."""
    LOOPBACK = "loopback"
    """Reaches no service of this machine: over TCP, UDP, or a Unix socket with a path or an abstract name."""
    MEMORY = "memory"
    """Never holds more memory than its limit, all its processes together."""
    MEMORY_WATCHED = "memory watched"
    """No process holds more than the limit; all together are ended when they are seen above it."""
    PROCESS_MEMORY = "memory of one process"
    """No process holds more than the limit; together they may."""
    CPU = "cpu"
    """Takes no more than its share of the processors."""
    PROCESS_COUNT = "process count"
    """Never has more processes and threads than its limit."""
    DISK = "disk"
    """Never leaves more in its work folder than its limit, in one file or in many."""
    DISK_WATCHED = "disk watched"
    """Is ended when its work folder, with the deleted files it still has open, is seen to have grown by more than its
    limit; looked at several times a second."""
    OUTPUT = "output"
    """Is ended when it has written more than its limit of output; the gateway keeps no more than that."""
    TIMEOUT = "timeout"
    """Is ended at its timeout, whatever it does with signals."""
    DAEMONS = "daemons"
    """Leaves no process behind, however it was detached."""
    ORPHANS = "orphans"
    """Ends when Lar is killed."""
    SETUID = "setuid"
    """Leaves no file behind that gives its caller somebody else's rights."""
    NESTED = "nested"
    """Gains no capability by making namespaces or mounts of its own."""
    TERMINAL = "terminal"
    """Types nothing into the terminal Lar runs in."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take: seconds, bytes, processors (0.5 is half of one), counts. Promises say which are kept."""

    seconds: float = 30.0
    memory: int = 512 << 20
    cpus: float = 0.5
    processes: int = 64
    output: int = 1 << 20
    """Of stdout and stderr together."""
    disk: int = 256 << 20
    """What the work folder may grow by."""
    file_size: int = 64 << 20
    """Of one file."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One command. Nothing is inherited: it sees `environment` and a plain PATH, HOME and LANG, which it may replace.

    `work` is the one folder it may write, its current directory and its HOME. Where that is called `/work` and where
    it keeps its name depends on the sandbox, so that programs use relative names. `readable` are folders it may read,
    under their own names, such as a virtual environment. `network` asks for the internet; a sandbox that cannot give
    it without giving more raises `SandboxError`.
    """

    argv: tuple[str, ...]
    work: Path
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: Limits = field(default_factory=Limits)
    readable: tuple[Path, ...] = ()
    network: bool = False

    def __post_init__(self) -> None:
        """Refuse what no sandbox could run."""
        if not self.argv or not self.argv[0]:
            raise SandboxError("there is no command to run")
        if any("\0" in text for text in (*self.argv, *self.environment, *self.environment.values())):
            raise SandboxError("a command, its arguments and its environment cannot contain a NUL character")
        if wrong := [name for name in self.environment if not name or "=" in name]:
            raise SandboxError(f"{wrong[0]!r} is not a name for an environment variable")


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. When it is handed out, no process of the run exists any more.

    `exit_code` is None where a signal ended the command, and `signal` is that signal. `stdout` and `stderr` are at
    most `Limits.output` bytes together; `truncated`: there was more, and the command was ended for it.
    """

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    seconds: float
    truncated: bool = False
    timed_out: bool = False
    out_of_memory: bool = False
    out_of_disk: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """What a sandbox found when it tried itself.

    `works`: commands run and the walls stand; `detail` says what was seen or why not. `promises` are those that hold
    on this machine. `lacks` are (what is missing, the command or setting that gets it).
    """

    works: bool
    detail: str
    promises: frozenset[Promise] = frozenset()
    lacks: tuple[tuple[str, str], ...] = ()


class Sandbox(Protocol):
    """Runs commands behind walls."""

    @property
    def name(self) -> str:
        """As the settings call it."""
        ...

    @property
    def promises(self) -> frozenset[Promise]:
        """What it keeps on this machine."""
        ...

    @property
    def hands_back(self) -> bool:
        """Whether files may be taken out of the work folder afterwards, as artifacts."""
        ...

    @property
    def internet(self) -> bool:
        """Whether a command that asks for the internet gets it."""
        ...

    async def run(self, spec: Spec) -> Result:
        """Run the command to its end or to a limit.

        Cancelling the task ends every process of the run before the cancellation comes out.

        Raises:
            SandboxError: it cannot run this; the message says why and what to do.

        """
        ...

    async def check(self) -> Check:
        """Try the walls on this machine, quickly and without leaving anything behind."""
        ...

    async def recover(self) -> None:
        """Remove what a Lar that was killed left behind. Called once at start; never touches a live Lar's runs."""
        ...
