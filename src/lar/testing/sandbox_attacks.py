"""What every sandbox must withstand: attacks, each naming the promises it tests. A broken promise is an error.

`python -m lar.testing.sandbox_attacks bubblewrap --user 65534` carries them all out against one backend, as that user,
and prints the verdicts as JSON. Attacks on promises that a backend does not claim are not carried out: a fork bomb
without walls is only a fork bomb.
"""

import argparse
import asyncio
import ctypes
import fcntl
import hashlib
import json
import os
import pty
import secrets
import shutil
import socket
import stat
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from signal import SIGKILL
from typing import Any, Literal

from lar.errors import SandboxError
from lar.sandboxes import tree
from lar.sandboxes.bubblewrap import seccomp
from lar.sandboxes.choose import backend
from lar.sandboxes.contract import Limits, Promise, Result, Sandbox, Spec
from lar.sandboxes.results import collect
from lar.sandboxes.settings import SandboxSettings

_INSIDE = Path(__file__).with_name("sandbox_inside.py")
_MEGABYTE = 1 << 20
LIMITS = Limits(
    seconds=20, memory=128 * _MEGABYTE, cpus=1.0, processes=32, disk=64 * _MEGABYTE, file_size=32 * _MEGABYTE
)
"""What attacks run under unless they say otherwise."""

Mark = Literal["held", "not claimed", "broken"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one attack ended; `detail` says what was reached where a promise broke."""

    attack: str
    promise: str
    mark: Mark
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """A gateway with things worth attacking, and the sandbox between it and the attacker."""

    sandbox: Sandbox
    folder: Path
    work: Path
    secret: Path
    baits: dict[str, Any]

    async def attack(self, name: str, limits: Limits = LIMITS, **given: Any) -> Result:
        """Carry out an attack of `sandbox_inside`."""
        return await self.sandbox.run(self.spec(name, limits, **given))

    def spec(self, name: str, limits: Limits = LIMITS, **given: Any) -> Spec:
        """The command that carries out an attack."""
        source = _INSIDE.read_text(encoding="utf-8")
        return Spec(("python3", "-c", source, name, json.dumps(self.baits | given)), self.work, limits=limits)


Judge = Callable[[Stage], Awaitable[str]]
"""Carries an attack out and says what it reached; empty if nothing."""


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack, the promises it tests (one that is claimed is enough to carry it out), and how it is judged."""

    name: str
    promises: tuple[Promise, ...]
    judge: Judge


def _reaching(name: str, **given: Any) -> Judge:
    """Judge by what the attacker says it reached."""

    async def judge(stage: Stage) -> str:
        result = await stage.attack(name, **given)
        said = result.stdout.decode(errors="replace").strip().replace("\n", "; ")
        return said or ("" if result.exit_code == 0 else f"the attack itself failed: {_last_words(result)}")

    return judge


def _last_words(result: Result) -> str:
    words = result.stderr.decode(errors="replace").strip().splitlines()
    return words[-1] if words else f"it ended with {result.exit_code or result.signal}"


def _number(result: Result) -> float:
    """The largest number the attacker said."""
    words = result.stdout.decode(errors="replace").split()
    return max((float(word) for word in words if word.replace(".", "", 1).isdigit()), default=0.0)


async def _plants(stage: Stage) -> str:
    name = f"lar-planted-{secrets.token_hex(4)}"
    result = await stage.attack("writes", file=name)
    outside = [str(folder / name) for folder in map(Path, _WRITTEN) if (folder / name).exists()]
    return "; ".join([*outside, *result.stdout.decode().split("\n")]).strip("; ")


_WRITTEN = ("/", "/etc", "/usr", "/usr/bin", "/usr/lib", "/var/tmp", "/run", "/tmp", "/dev/shm", "/dev", "/opt")  # noqa: S108  # looked at


def _counting(name: str, most: int) -> Judge:
    async def judge(stage: Stage) -> str:
        limit = 24
        result = await stage.attack(name, replace(LIMITS, processes=limit), most=most)
        number = _number(result)
        return (
            f"had {number:.0f} where {limit} were allowed" if number > limit else "" if number else _last_words(result)
        )

    return judge


def _holding(name: str, **given: Any) -> Judge:
    """Memory: whatever it does, it does not get what it wants, and nearly nothing above the limit."""

    async def judge(stage: Stage) -> str:
        most = 1600
        result = await stage.attack(name, most=most, **given)
        held = _number(result)
        allowed = 1 if Promise.MEMORY in stage.sandbox.promises else 4
        limit = LIMITS.memory // _MEGABYTE * allowed + 16
        return f"held {held:.0f} MB" if held > limit or result.timed_out else ""

    return judge


async def _spins(stage: Stage) -> str:
    share, seconds = 0.5, 2
    result = await stage.attack("spin", replace(LIMITS, cpus=share), seconds=seconds)
    used = _number(result)
    return (
        ""
        if 0 < used < share * seconds * 1.4
        else f"had {used:.1f} s of processor in {seconds} s: {_last_words(result)}"
    )


def _filling(name: str) -> Judge:
    """Disk: with the kernel's limit never above it; with a watch not much above."""

    async def judge(stage: Stage) -> str:
        await stage.attack(name, replace(LIMITS, cpus=0.5), most=2048 * _MEGABYTE, names=400_000)
        left = await asyncio.to_thread(tree.usage, stage.work, 500_000)
        allowed = 1.1 if Promise.DISK in stage.sandbox.promises else 3
        return f"left {left // _MEGABYTE} MB" if left > LIMITS.disk * allowed else ""

    return judge


async def _floods(stage: Stage) -> str:
    result = await stage.attack("output", replace(LIMITS, output=100_000))
    kept = len(result.stdout) + len(result.stderr)
    return (
        ""
        if result.truncated and kept == 100_000 and result.seconds < 10
        else f"{kept} bytes in {result.seconds:.1f} s"
    )


async def _stays(stage: Stage) -> str:
    started = time.monotonic()
    result = await stage.attack("stubborn", replace(LIMITS, seconds=1))
    took = time.monotonic() - started
    return "" if result.timed_out and took < 6 else f"took {took:.1f} s"


def _beating(*, stay: bool) -> Judge:
    async def judge(stage: Stage) -> str:
        await stage.attack("daemon", replace(LIMITS, seconds=3), stay=stay)
        return await asyncio.to_thread(_alive, stage.work)

    return judge


async def _outlives_cancelling(stage: Stage) -> str:
    run = asyncio.ensure_future(stage.attack("daemon", stay=True))
    await asyncio.to_thread(_wait_for, stage.work / "beat")
    run.cancel()
    await asyncio.wait((run,))
    return await asyncio.to_thread(_alive, stage.work)


def _wait_for(file: Path) -> None:
    end = time.monotonic() + 20
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.01)


def _alive(work: Path) -> str:
    """Looks whether the sign of life still changes."""
    beat = work / "beat"
    if not beat.exists():
        return "the attack itself failed: there was no daemon"
    before = beat.stat().st_mtime_ns
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        if beat.stat().st_mtime_ns != before:
            return "a process goes on"
        time.sleep(0.02)
    return ""


async def _outlives_gateway(stage: Stage) -> str:
    """In a child of ours, which is killed like a gateway."""
    return await asyncio.to_thread(_kill_gateway, stage)


def _kill_gateway(stage: Stage) -> str:
    pid = os.fork()
    if not pid:
        try:
            asyncio.run(backend(stage.sandbox.name, _settings()).run(stage.spec("daemon", stay=True)))
        finally:
            os._exit(1)
    beat = stage.work / "beat"
    _wait_for(beat)
    os.kill(pid, SIGKILL)
    os.waitpid(pid, 0)
    end = time.monotonic() + 3
    while (alive := _alive(stage.work)) and beat.exists() and time.monotonic() < end:
        pass
    return alive


async def _leaves_rights(stage: Stage) -> str:
    await stage.attack("setuid")
    found: list[str] = []
    for path in stage.work.iterdir():
        mode = path.stat(follow_symlinks=False).st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            found.append(f"{path.name} is {stat.S_IMODE(mode):o}")
        if "security.capability" in os.listxattr(path, follow_symlinks=False):
            found.append(f"{path.name} has capabilities")
    return "; ".join(found)


def _handing_back(name: str) -> Judge:
    """What is handed back is the run's own, whatever it left behind."""

    async def judge(stage: Stage) -> str:
        result = await stage.attack(name)
        into = stage.folder / "results"
        into.mkdir()
        results = await asyncio.to_thread(collect, stage.work, into, {})
        stolen = [each.name for each in results.files if each.path.read_bytes() != b"x"]
        unclean = [shown for shown, _ in results.refused if not shown.isprintable()]
        failed = [] if result.exit_code == 0 and (results.files or results.refused) else [_last_words(result)]
        return "; ".join([*stolen, *unclean, *failed])

    return judge


_P = Promise
_MEMORY = (_P.MEMORY, _P.MEMORY_WATCHED)
_MEMORY_OF_ONE = (*_MEMORY, _P.PROCESS_MEMORY)
_DISK = (_P.DISK, _P.DISK_WATCHED)
ATTACKS: tuple[Attack, ...] = (
    Attack("read and change other people's files", (_P.FILES,), _reaching("other_files")),
    Attack("read /etc/shadow, /root, Lar's home", (_P.FILES,), _reaching("system_files")),
    Attack("write outside the work folder", (_P.FILES,), _plants),
    Attack("open kernel switches and devices", (_P.FILES,), _reaching("kernel_switches")),
    Attack("use open files of the gateway", (_P.FILES,), _reaching("descriptors")),
    Attack("leave symbolic and hard links, pipes, devices", (_P.FILES,), _handing_back("links")),
    Attack("leave huge, binary and hostile names", (_P.FILES,), _handing_back("names")),
    Attack("read the gateway's environment (/proc/1/environ)", (_P.ENVIRONMENT,), _reaching("environment")),
    Attack("read the gateway's memory (/proc/PID/mem)", (_P.PROCESSES,), _reaching("gateway_memory")),
    Attack("see and signal the gateway", (_P.PROCESSES,), _reaching("gateway_process")),
    Attack("loopback TCP and UDP services", (_P.LOOPBACK,), _reaching("loopback")),
    Attack("Unix sockets with a path", (_P.LOOPBACK,), _reaching("unix_path")),
    Attack("Unix sockets with an abstract name", (_P.LOOPBACK,), _reaching("unix_abstract")),
    Attack("internet, metadata service 169.254.169.254", (_P.NETWORK,), _reaching("internet")),
    Attack("hypervisor and raw sockets", (_P.NETWORK,), _reaching("hypervisor")),
    Attack("fork bomb", (_P.PROCESS_COUNT,), _counting("forks", 500)),
    Attack("thread bomb", (_P.PROCESS_COUNT,), _counting("threads", 500)),
    Attack("memory in one process", _MEMORY_OF_ONE, _holding("memory")),
    Attack("shared memory in one process", _MEMORY_OF_ONE, _holding("memory_shared")),
    Attack("memory in many processes", _MEMORY, _holding("memory_spread", processes=20, seconds=4)),
    Attack("memory as files in memory", _MEMORY, _holding("memory_files")),
    Attack("all processors", (_P.CPU,), _spins),
    Attack("disk: endless files", _DISK, _filling("disk_file")),
    Attack("disk: many files below the limit of one", _DISK, _filling("disk_files")),
    Attack("disk: names without content", _DISK, _filling("disk_names")),
    Attack("output bomb", (_P.OUTPUT,), _floods),
    Attack("ignore signals and the timeout", (_P.TIMEOUT,), _stays),
    Attack("daemon outlives its command", (_P.DAEMONS,), _beating(stay=False)),
    Attack("daemon outlives the timeout", (_P.DAEMONS,), _beating(stay=True)),
    Attack("daemon outlives cancelling", (_P.DAEMONS,), _outlives_cancelling),
    Attack("go on when the gateway is SIGKILLed", (_P.ORPHANS,), _outlives_gateway),
    Attack("leave setuid files and capabilities behind", (_P.SETUID,), _leaves_rights),
    Attack("type into the gateway's terminal (TIOCSTI)", (_P.TERMINAL,), _reaching("terminal")),
    Attack("nested namespaces, mounts, setuid programs", (_P.NESTED,), _reaching("nested")),
)


async def carry_out(attack: Attack, sandbox: Sandbox, baits: dict[str, Any]) -> Verdict:
    """One attack against one sandbox, on a fresh stage."""
    claimed = [promise for promise in attack.promises if promise in sandbox.promises]
    if not claimed:
        return Verdict(attack.name, attack.promises[0], "not claimed")
    with _stage(sandbox, baits) as stage:
        reached = await attack.judge(stage)
    return Verdict(attack.name, claimed[0], "broken" if reached else "held", reached)


@contextmanager
def _stage(sandbox: Sandbox, baits: dict[str, Any]) -> Generator[Stage]:
    """Folders of two people that anybody on the machine could open; a file the gateway has open."""
    folder = Path(tempfile.mkdtemp(prefix="lar-attack-"))
    try:
        folder.chmod(0o755)
        for person in ("1", "2"):
            (folder / person).mkdir()
        (folder / "2").chmod(0o777)
        secret = folder / "2" / "diary.txt"
        secret.write_text("secret")
        secret.chmod(0o666)
        left_open = os.open(secret, os.O_RDONLY)
        os.set_inheritable(left_open, True)  # as os names it
        try:
            yield Stage(sandbox, folder, folder / "1", secret, baits | {"secret": str(secret), "home": str(folder)})
        finally:
            os.close(left_open)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def gateway_baits() -> Generator[dict[str, Any]]:
    """What a gateway has: secrets in its environment and memory, and services on this machine."""
    decoy = os.environ.get("LAR_TEST_DECOY", "")
    buffer = ctypes.create_string_buffer(secrets.token_bytes(32), 32)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lar-sockets-"))
        Path(folder).chmod(0o755)
        abstract = f"lar-{secrets.token_hex(8)}"
        tcp = stack.enter_context(socket.create_server(("", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("", 0))
        for address in (f"{folder}/socket", f"\0{abstract}"):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
        Path(f"{folder}/socket").chmod(0o777)
        threading.Thread(target=_answer, args=(udp,), daemon=True).start()
        yield {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "address": ctypes.addressof(buffer),
            "length": 32,
            "sha256": hashlib.sha256(buffer.raw).hexdigest(),
            "decoy": hashlib.sha256(decoy.encode()).hexdigest(),
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "addresses": _addresses(),
            "path": f"{folder}/socket",
            "abstract": abstract,
        }


def _answer(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            _, caller = server.recvfrom(10)
            server.sendto(b"!", caller)


def _addresses() -> list[str]:
    """This machine's own addresses."""
    with suppress(OSError):
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)})
    return []


async def attack_all(sandbox: Sandbox, only: str = "") -> list[Verdict]:
    """All attacks against this sandbox, or those whose name contains `only`."""
    found = await sandbox.check()
    if not found.works:
        raise SandboxError(f"{sandbox.name} does not work here: {found.detail}")
    with gateway_baits() as baits:
        return [await carry_out(attack, sandbox, baits) for attack in ATTACKS if only in attack.name]


def _settings() -> SandboxSettings:
    return SandboxSettings.model_validate_json(os.environ.get("LAR_TEST_SANDBOX", "{}"))


def _have_terminal() -> None:
    """Be a gateway that was started by hand: with a terminal that can be typed into."""
    with suppress(OSError):
        os.setsid()
        _, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def _become(user: int) -> None:
    """Be an ordinary user, and as open to others of the same user as any process is."""
    seccomp.missing()  # what is loaded at first use must be loaded while it can be reached
    with gateway_baits():
        asyncio.run(_start_something())
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)


async def _start_something() -> None:
    await asyncio.to_thread(os.getpid)
    await (await asyncio.create_subprocess_exec("true")).wait()


def main(words: Sequence[str] | None = None) -> int:
    """Carry out all attacks and print the verdicts; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description="Attack a sandbox.")
    parser.add_argument("backend")
    parser.add_argument("--user", type=int, help="numeric id of the user the gateway is")
    parser.add_argument("--only", default="", help="a part of the attacks' names")
    given = parser.parse_args(words)
    if given.user is not None:
        _become(given.user)
    _have_terminal()
    sandbox = backend(given.backend, _settings())
    verdicts = asyncio.run(attack_all(sandbox, given.only))
    asyncio.run(sandbox.recover())  # after the gateway that was killed
    sys.stdout.write(json.dumps([asdict(verdict) for verdict in verdicts]))
    return 1 if any(verdict.mark == "broken" for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
