"""What every sandbox must withstand: attacks, each naming the promises it tests. A broken promise is an error.

`python -m lar.testing.sandbox_attacks bubblewrap --user 65534` carries them all out against one backend, as that user,
and prints the verdicts as JSON. Attacks on promises that a backend does not claim are not carried out: a fork bomb
without walls is only a fork bomb.
"""

import argparse
import asyncio
import ctypes
import fcntl
import json
import os
import pty
import secrets
import sys
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lar.errors import SandboxError
from lar.sandboxes.bubblewrap import seccomp
from lar.sandboxes.contract import Promise, Sandbox
from lar.testing.sandbox_judges import (
    Judge,
    beating,
    counting,
    filling,
    floods,
    handing_back,
    hiding,
    holding,
    leaves_rights,
    outlives_cancelling,
    outlives_gateway,
    outlives_starting_gateway,
    plants,
    reaching,
    spins,
    stays,
)
from lar.testing.sandbox_stage import Braggart, gateway_baits, sandbox_called, stage_for

Mark = Literal["held", "not claimed", "broken"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one attack ended; `detail` says what was reached where a promise broke."""

    attack: str
    promise: str
    mark: Mark
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack, the promises it tests (one that is claimed is enough to carry it out), and how it is judged."""

    name: str
    promises: tuple[Promise, ...]
    judge: Judge
    tame: bool = True
    """Whether it is carried out without walls, too: it harms nobody there, and must succeed on any machine."""


_P = Promise
_MEMORY = (_P.MEMORY, _P.MEMORY_WATCHED)
_MEMORY_OF_ONE = (*_MEMORY, _P.PROCESS_MEMORY)
_DISK = (_P.DISK, _P.DISK_WATCHED)
ATTACKS: tuple[Attack, ...] = (
    Attack("read and change other people's files", (_P.FILES,), reaching("other_files")),
    Attack("read /etc/shadow, /root, Lar's home", (_P.FILES,), reaching("system_files")),
    Attack("write outside the work folder", (_P.FILES,), plants, tame=False),
    Attack("open kernel switches and devices", (_P.FILES,), reaching("kernel_switches")),
    Attack("use open files of the gateway", (_P.FILES,), reaching("descriptors")),
    Attack("leave symbolic and hard links, pipes, devices", (_P.FILES,), handing_back("links"), tame=False),
    Attack("leave huge, binary and hostile names", (_P.FILES,), handing_back("names"), tame=False),
    Attack("read the gateway's environment (/proc/1/environ)", (_P.ENVIRONMENT,), reaching("environment")),
    Attack("read the gateway's memory (/proc/PID/mem, ptrace)", (_P.PROCESSES,), reaching("gateway_memory")),
    Attack("see and signal the gateway", (_P.PROCESSES,), reaching("gateway_process")),
    Attack("loopback TCP and UDP services", (_P.LOOPBACK,), reaching("loopback")),
    Attack("Unix sockets with a path", (_P.LOOPBACK,), reaching("unix_path")),
    Attack("Unix sockets with an abstract name", (_P.LOOPBACK,), reaching("unix_abstract")),
    Attack("docker's engine", (_P.LOOPBACK,), reaching("docker_socket"), tame=False),
    Attack("internet and neighbours", (_P.NETWORK,), reaching("internet"), tame=False),
    Attack("metadata service 169.254.169.254", (_P.NETWORK,), reaching("metadata"), tame=False),
    Attack("hypervisor (vsock)", (_P.NETWORK,), reaching("hypervisor"), tame=False),
    Attack("raw sockets", (_P.NETWORK,), reaching("raw_sockets")),
    Attack("fork bomb", (_P.PROCESS_COUNT,), counting("forks", 500)),
    Attack("thread bomb", (_P.PROCESS_COUNT,), counting("threads", 500)),
    Attack("memory in one process", _MEMORY_OF_ONE, holding("memory")),
    Attack("shared memory in one process", _MEMORY_OF_ONE, holding("memory_shared")),
    Attack("memory in many processes", _MEMORY, holding("memory_spread", processes=20, seconds=2)),
    Attack("memory as files in memory", _MEMORY, holding("memory_files"), tame=False),
    Attack("all processors", (_P.CPU,), spins),
    Attack("disk: endless files", _DISK, filling("disk_file")),
    Attack("disk: many files below the limit of one", _DISK, filling("disk_files")),
    Attack("disk: names without content", _DISK, filling("disk_names")),
    Attack("disk: deleted files, kept open", _DISK, hiding("disk_deleted")),
    Attack("disk: deleted files, mapped", _DISK, hiding("disk_mapped")),
    Attack("disk: locked folders", _DISK, hiding("disk_locked")),
    Attack("disk: deep below", _DISK, hiding("disk_deep")),
    Attack("output bomb", (_P.OUTPUT,), floods),
    Attack("ignore signals and the timeout", (_P.TIMEOUT,), stays),
    Attack("daemon outlives its command", (_P.DAEMONS,), beating(stay=False)),
    Attack("daemon outlives the timeout", (_P.DAEMONS,), beating(stay=True)),
    Attack("daemon outlives cancelling", (_P.DAEMONS,), outlives_cancelling),
    Attack("go on when the gateway is SIGKILLed", (_P.ORPHANS,), outlives_gateway),
    Attack("go on when it is SIGKILLed at any moment of a start", (_P.ORPHANS,), outlives_starting_gateway, tame=False),
    Attack("leave setuid files and capabilities behind", (_P.SETUID,), leaves_rights),
    Attack("type into the gateway's terminal (TIOCSTI)", (_P.TERMINAL,), reaching("terminal")),
    Attack("nested namespaces, mounts, setuid programs", (_P.NESTED,), reaching("nested")),
)


async def carry_out(attack: Attack, sandbox: Sandbox, baits: dict[str, Any]) -> Verdict:
    """One attack against one sandbox, on a fresh stage."""
    claimed = [promise for promise in attack.promises if promise in sandbox.promises]
    if not claimed:
        return Verdict(attack.name, attack.promises[0], "not claimed")
    started = time.monotonic()
    with stage_for(sandbox, baits) as stage:
        reached = await attack.judge(stage)
    took = round(time.monotonic() - started, 2)
    return Verdict(attack.name, claimed[0], "broken" if reached else "held", reached[:300], took)


async def attack_all(sandbox: Sandbox, attacks: Sequence[Attack]) -> list[Verdict]:
    """These attacks against this sandbox."""
    found = await sandbox.check()
    if not found.works:
        raise SandboxError(f"{sandbox.name} does not work here: {found.detail}")
    with gateway_baits() as baits:
        return [await carry_out(attack, sandbox, baits) for attack in attacks]


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
    parser.add_argument("backend", help="as the settings call it, or `braggart`: no walls, but every promise claimed")
    parser.add_argument("--user", type=int, help="numeric id of the user the gateway is")
    parser.add_argument("--only", default="", help="a part of the attacks' names")
    given = parser.parse_args(words)
    if "LAR_TEST_DECOY" not in os.environ:  # only what a process was started with can be found by others
        os.execve(sys.executable, sys.orig_argv, os.environ | {"LAR_TEST_DECOY": secrets.token_hex(16)})  # noqa: S606  # ourselves
    if given.user is not None:
        _become(given.user)
    _have_terminal()
    sandbox = sandbox_called(given.backend)
    attacks = [each for each in ATTACKS if given.only in each.name and (each.tame or sandbox.name != Braggart.name)]
    verdicts = asyncio.run(attack_all(sandbox, attacks))
    asyncio.run(sandbox.recover())  # after the gateway that was killed
    sys.stdout.write(json.dumps([asdict(verdict) for verdict in verdicts]))
    return 1 if any(verdict.mark == "broken" for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
