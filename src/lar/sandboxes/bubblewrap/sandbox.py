"""The sandbox: one bubblewrap for each run."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from lar.errors import SandboxError
from lar.sandboxes import rlimits, watch
from lar.sandboxes.bubblewrap import command, seccomp
from lar.sandboxes.cgroups import CONTROLLERS, Cgroups, Group, entering
from lar.sandboxes.contract import Check, Promise, Result, Spec
from lar.sandboxes.process import Ended, Launch, Outcome, carry_out, end_child, memory_file, result, wait_dead
from lar.sandboxes.tenants import Tenants

_ALWAYS = frozenset({
    Promise.FILES, Promise.ENVIRONMENT, Promise.PROCESSES, Promise.LOOPBACK, Promise.DISK_WATCHED, Promise.OUTPUT,
    Promise.TIMEOUT, Promise.DAEMONS, Promise.TERMINAL,
})  # fmt: skip  # two lines say it as well as ten
_FILTERED = frozenset({Promise.NETWORK, Promise.NESTED, Promise.SETUID, Promise.ORPHANS})
_COUNTED_BY_NAMESPACE = (5, 14)
"""Since this kernel, processes of a user are counted for each user namespace."""
_WALLS = 3
"""Processes beside the command: bubblewrap outside of the namespace, the first inside, and one to spare."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MILD: tuple[str, ...] = ("/usr/bin/env", "nice", "-n", "10")
"""Where nothing else holds a run back from the processors."""
_TEST = """
set -e
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
echo "first: $(tr '\\0' ' ' </proc/1/environ)"
echo "links: $(tail -n +3 /proc/net/dev | wc -l)"
for each in /root /home /etc/shadow /var /run; do [ ! -e $each ] || echo "sees: $each"; done
echo made >made
"""
_EXPECTED = {"CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "first": "", "links": "1"}


class Bubblewrap:
    """Commands in namespaces of their own, as a user who is nobody else."""

    name = "bubblewrap"
    hands_back = True
    internet = False

    def __init__(self, *, path: str = _PATH, cgroups: Cgroups | None = None, home: Path | None = None) -> None:
        names = ("bwrap", "prlimit", "setpriv", "unshare", "sh")
        found = [shutil.which(name, path=path) or "" for name in names]
        self._missing = [name for name, place in zip(names, found, strict=True) if not place]
        self._programs = command.Programs(*found)
        self._tenants = Tenants(home=home)
        self._cgroups = cgroups or Cgroups()
        self._unfiltered = seccomp.missing()

    @property
    def promises(self) -> frozenset[Promise]:
        """What it keeps on this machine."""
        controllers = self._cgroups.controllers
        kept = set(_ALWAYS)
        if not self._unfiltered:
            kept |= _FILTERED
        if "memory" in controllers:
            kept.add(Promise.MEMORY)
        elif not self._unfiltered:
            kept.add(Promise.MEMORY_WATCHED)
        if "cpu" in controllers:
            kept.add(Promise.CPU)
        if "pids" in controllers or self._counts_processes:
            kept.add(Promise.PROCESS_COUNT)
        return frozenset(kept)

    @property
    def _counts_processes(self) -> bool:
        """Whether the limit of a user's processes is that of a run's processes."""
        kernel = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
        return self._tenants.root or kernel >= _COUNTED_BY_NAMESPACE

    async def run(self, spec: Spec) -> Result:
        """Run the command in namespaces of its own."""
        if self._missing:
            raise SandboxError(f"{', '.join(self._missing)} is missing; install it with: {_INSTALL}")
        if spec.network:
            raise SandboxError("bubblewrap cannot give the internet without this machine's own services; use docker")
        async with self._tenants.of(spec.work) as user:
            group = self._cgroups.open(spec.limits, walls=_WALLS) if self._cgroups.controllers else None
            try:
                return await self._run(spec, user, group)
            finally:
                if group:
                    await group.end()

    async def _run(self, spec: Spec, user: int | None, group: Group | None) -> Result:
        counted = group is not None and "memory" in group.folders
        run = _Run(group)
        with ExitStack() as stack:
            stack.callback(run.close)

            def kept(descriptor: int) -> int:
                stack.callback(os.close, descriptor)
                return descriptor

            data = [(name, kept(memory_file(text))) for name, text in command.data(spec).items()]
            files = command.Files(
                kept(memory_file(command.arguments(spec, user, data))),
                -1 if self._unfiltered else kept(seccomp.filter_file(memory_counted=counted)),
                run.status,
            )
            limits = rlimits.options(spec.limits, memory="" if counted else "data", processes=self._counts_processes)
            mildly = () if group and "cpu" in group.folders else _MILD
            argv = [*mildly, *command.outer(self._programs, spec, user, files, limits)]
            descriptors = [files.arguments, files.status, *(fd for _, fd in data)]
            descriptors += [files.seccomp] if files.seccomp >= 0 else []
            launch = Launch(entering(group, argv, empty=user is None), stdin=kept(run.begin()), fds=descriptors)

            async def watches() -> Ended:
                looking = [asyncio.ensure_future(watch.disk(spec.work, spec.limits.disk, run.processes))]
                looking += [] if counted else [asyncio.ensure_future(watch.memory(run.first, spec.limits.memory))]
                return await watch.first_of(*looking)

            outcome = await carry_out(launch, spec.limits, watches, run.kill)
        return _judged(outcome, run.exit_code, out_of_memory=run.out_of_memory)

    async def check(self) -> Check:
        """Run a small command and look at the walls from inside."""
        if self._missing:
            return Check(False, f"{', '.join(self._missing)} is missing", lacks=((self._missing[0], _INSTALL),))
        try:
            with tempfile.TemporaryDirectory(prefix="lar-check-") as folder:
                found = await self.run(Spec(("sh", "-c", _TEST), Path(folder)))
        except SandboxError as error:
            return Check(False, str(error), lacks=((_namespaces_denied(), _ALLOW_NAMESPACES),))
        seen = dict(line.split(":", 1) for line in found.stdout.decode(errors="replace").splitlines() if ":" in line)
        wrong = [
            f"{key} is {seen.get(key, 'unknown').strip()}"
            for key, value in _EXPECTED.items()
            if seen.get(key, "?").strip() != value
        ]
        wrong += [f"sees {seen['sees'].strip()}"] if "sees" in seen else []
        wrong += [] if self._unfiltered or seen.get("Seccomp", "").strip() == "2" else ["the filter is not in force"]
        if wrong or found.exit_code:
            return Check(False, "; ".join(wrong) or found.stderr.decode(errors="replace").strip(), lacks=self._lacks())
        return Check(True, f"a command ran in {found.seconds * 1000:.0f} ms", self.promises, self._lacks())

    def _lacks(self) -> tuple[tuple[str, str], ...]:
        lacks: list[tuple[str, str]] = []
        if self._unfiltered:
            lacks.append((f"no filter of system calls ({self._unfiltered})", "apt install libseccomp2"))
        if missing := [name for name in CONTROLLERS if name not in self._cgroups.controllers]:
            what = f"no control group for {', '.join(missing)}: the kernel does not hold these limits for a whole run"
            lacks.append((what, "in the systemd unit: Delegate=memory cpu pids, DelegateSubgroup=lar-gateway"))
        return tuple(lacks)

    async def recover(self) -> None:
        """Control groups are removed; and first processes of namespaces whose makers were killed while they made them.

        All others end with their Lar by themselves. These do nothing, and would wait for ever.
        """
        await self._cgroups.recover()
        await asyncio.to_thread(_end_unfinished)


_INSTALL = "apt install bubblewrap util-linux"
_ALLOW_NAMESPACES = (
    "sysctl kernel.unprivileged_userns_clone=1 (Debian), "
    "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu); in a container: --security-opt seccomp=unconfined"
)


def _namespaces_denied() -> str:
    return "namespaces: this machine does not let us make them"


def _judged(outcome: Outcome, exit_code: int | None, *, out_of_memory: bool) -> Result:
    if exit_code is not None:
        return result(outcome, exit_code, out_of_memory=out_of_memory)
    if outcome.ended or out_of_memory or outcome.returncode < 0:
        return result(outcome, -signal.SIGKILL, out_of_memory=out_of_memory)
    reason = outcome.stderr.decode(errors="replace").strip() or f"it ended with {outcome.returncode}"
    raise SandboxError(f"the walls cannot be built: {reason}")


class _Run:
    """What bubblewrap tells of one run: its first process, and how the command ended."""

    def __init__(self, group: Group | None) -> None:
        self._read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.status = _with_a_reader(write_end)
        self._group = group
        self.out_of_memory = False
        self._text = b""
        self._pid: int | None = None
        self._pidfd: int | None = None
        self._asked: socket.socket | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read_end, self._learn)

    def begin(self) -> int:
        """What the run's stdin is until it may begin; to be closed by the caller once the run has it."""
        self._asked, theirs = socket.socketpair()
        self._loop.add_reader(self._asked, self._answer)
        return theirs.detach()

    def _answer(self) -> None:
        if self._asked:
            self._loop.remove_reader(self._asked)
            with suppress(OSError), self._asked:
                self._asked.sendall(command.GO)
            self._asked = None

    def first(self) -> int | None:
        """The first process of the run's namespace."""
        return self._pid

    async def processes(self) -> Sequence[int]:
        """All processes of the run's namespace, as far as it is made."""
        return () if self._pid is None else await asyncio.to_thread(watch.family, self._pid)

    @property
    def exit_code(self) -> int | None:
        """What the command ended with, as a shell says it; None if it never ran, or was ended."""
        codes = [each["exit-code"] for each in self._documents() if "exit-code" in each]
        return codes[-1] if codes else None

    def _documents(self) -> list[dict[str, int]]:
        return [json.loads(line) for line in self._text.splitlines(keepends=True) if line.endswith(b"\n")]

    def _learn(self) -> None:
        with suppress(BlockingIOError):
            while chunk := os.read(self._read_end, 4096):
                self._text += chunk
        pids = [each["child-pid"] for each in self._documents() if "child-pid" in each]
        if pids and self._pid is None:
            self._pid = pids[0]
            with suppress(ProcessLookupError):
                pidfd = os.pidfd_open(self._pid)
                if _is_first(self._pid):
                    self._pidfd = pidfd
                else:
                    os.close(pidfd)  # it is dead, and its number somebody else's

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        """Killing the first process of the namespace makes the kernel kill all others, and wait for them."""
        self._learn()
        self._kill_first()
        end_child(process)
        await process.wait()
        self._learn()
        self._kill_first()
        if self._pidfd is not None:
            await wait_dead(self._pidfd)
        elif self._pid is None:
            await asyncio.to_thread(_end_unfinished)
        if self._group:
            self.out_of_memory = self._group.out_of_memory
            await self._group.end()

    def _kill_first(self) -> None:
        if self._pidfd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Forget it."""
        if self._asked:
            self._loop.remove_reader(self._asked)
            self._asked.close()
        self._loop.remove_reader(self._read_end)
        for descriptor in (self._read_end, self.status, self._pidfd):
            if descriptor is not None:
                os.close(descriptor)


def _end_unfinished() -> None:
    for pid in (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()):
        with suppress(OSError):
            pidfd = os.pidfd_open(pid)
            try:
                maker = Path(f"/proc/{watch.parent(pid)}/comm").read_text().strip()
                if _is_first(pid) and command.is_ours(pid) and maker != "bwrap":
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            finally:
                os.close(pidfd)


def _with_a_reader(write_end: int) -> int:
    """The same end, one that is its own reader: bubblewrap goes on to its end if the gateway dies meanwhile.

    Killed by its report it would leave a process behind that waits for it for ever.
    """
    own = os.open(f"/proc/self/fd/{write_end}", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    os.close(write_end)
    return own


def _is_first(pid: int) -> bool:
    """Whether this process is the first of a namespace."""
    try:
        numbers = re.search(r"^NSpid:\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return numbers is not None and numbers[1].split()[-1] == "1" and " " in numbers[1].replace("\t", " ")
