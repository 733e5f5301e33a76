"""The sandbox: one container for each run.

Whoever may speak to docker's engine is root on this machine. Lar's process speaks to it; no tool ever reaches it.
"""

import asyncio
import csv
import io
import json
import os
import re
import secrets
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from lar.errors import SandboxError
from lar.sandboxes import watch
from lar.sandboxes.cgroups import born
from lar.sandboxes.contract import Check, Promise, Result, Spec
from lar.sandboxes.process import Ended, Launch, carry_out, end_child, memory_file, result
from lar.sandboxes.settings import DockerSettings
from lar.sandboxes.syscalls import Condition, denied
from lar.sandboxes.tenants import Tenants

_LABEL = "lar.sandbox"
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
_ENGINE_FAILED, _KILLED = 125, 137
_LIMITED = {"MemoryLimit": Promise.MEMORY, "CpuCfsQuota": Promise.CPU, "PidsLimit": Promise.PROCESS_COUNT}
_ALL = frozenset({
    Promise.FILES, Promise.ENVIRONMENT, Promise.PROCESSES, Promise.NETWORK, Promise.LOOPBACK, Promise.DISK_WATCHED,
    Promise.OUTPUT, Promise.TIMEOUT, Promise.DAEMONS, Promise.ORPHANS, Promise.SETUID, Promise.NESTED, Promise.TERMINAL,
    *_LIMITED.values(),
})  # fmt: skip  # a few lines say it as well as twenty
_GUARD = 'read -r word && exit 0; for pause in 0 1 3; do sleep $pause; "$@" >/dev/null 2>&1; done'
"""Waits beside a run: a word means that all is well, the end of its input that Lar is dead."""
_BUILD = "docker build -t lar-sandbox docker/sandbox"


class Docker:
    """Commands in containers without network, capabilities or anything to write but their work folder."""

    name = "docker"
    hands_back = True

    def __init__(self, settings: DockerSettings, *, home: Path | None = None) -> None:
        self._settings = settings
        self.internet = bool(settings.network)
        self._docker = [settings.command, *(["--host", settings.host] if settings.host else [])]
        self._tenants = Tenants(home=home)
        self._owner = f"{_boot()}-{os.getpid()}-{born(os.getpid())}"
        self._promises = _ALL

    @property
    def promises(self) -> frozenset[Promise]:
        """What it keeps; less after `check` has found an engine without some limits."""
        return self._promises

    async def run(self, spec: Spec) -> Result:
        """Run the command in a container of its own."""
        if spec.network and not self._settings.network:
            raise SandboxError(
                "commands get no internet: set sandbox.docker.network to a network that may reach only it"
            )
        async with self._tenants.of(spec.work) as user:
            name = f"lar-{secrets.token_hex(8)}"
            guard = await self._guard(name)
            filter_file = memory_file(_filter().encode())
            try:
                return await self._run(spec, name, os.geteuid() if user is None else user, filter_file)
            finally:
                os.close(filter_file)
                await _dismiss(guard)

    async def _run(self, spec: Spec, name: str, user: int, filter_file: int) -> Result:
        argv = [
            *self._docker,
            *self._arguments(spec, name, user),
            "--security-opt",
            f"seccomp=/proc/self/fd/{filter_file}",
        ]
        launch = Launch([*argv, self._settings.image, *spec.argv], _ENVIRONMENT, Path("/"), spec.stdin, (filter_file,))
        out_of_memory = False

        first = 0

        async def processes() -> Sequence[int]:
            nonlocal first
            first = first or int(await self._ask("inspect", "--format", "{{.State.Pid}}", name) or 0)
            return await asyncio.to_thread(watch.family, first) if first else ()

        async def watches() -> Ended:
            return await watch.disk(spec.work, spec.limits.disk, processes)

        async def kill(process: Process) -> None:
            nonlocal out_of_memory
            if process.returncode == _KILLED:
                out_of_memory = await self._ask("inspect", "--format", "{{.State.OOMKilled}}", name) == "true"
            elif first and process.returncode is None:
                _end_at_once(first, user)
            await self._remove(name, process)

        outcome = await carry_out(launch, spec.limits, watches, kill)
        if outcome.returncode == _ENGINE_FAILED and outcome.stderr.startswith(b"docker:"):
            raise SandboxError(self._explained(outcome.stderr.decode(errors="replace")))
        return result(outcome, _KILLED if outcome.ended else outcome.returncode, out_of_memory=out_of_memory)

    def _arguments(self, spec: Spec, name: str, user: int) -> list[str]:
        limits = spec.limits
        plain = {"HOME": "/work", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108  # inside
        words = [
            "run",
            "--name",
            name,
            "--label",
            f"{_LABEL}={self._owner}",
            "--pull",
            "never",
            "--interactive",
            "--init",
        ]
        words += ["--log-driver", "none", "--network", self._settings.network if spec.network else "none"]
        words += ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{user}:{user}"]
        words += ["--memory", str(limits.memory), "--memory-swap", str(limits.memory), "--cpus", str(limits.cpus)]
        words += ["--pids-limit", str(limits.processes + 1), "--ulimit", "core=0", "--ulimit", "nofile=1024"]
        words += ["--ulimit", f"fsize={limits.file_size}", "--shm-size", "16m", "--hostname", "sandbox"]
        words += ["--tmpfs", "/tmp:rw,exec,nosuid,nodev,mode=1777,size=64m"]  # noqa: S108  # inside
        words += ["--mount", _mount(spec.work, "/work", read_only=False), "--workdir", "/work"]
        for folder in spec.readable:
            words += ["--mount", _mount(folder, str(folder), read_only=True)]
        for key, value in (plain | dict(spec.environment)).items():
            words += ["--env", f"{key}={value}"]
        return words

    async def _remove(self, name: str, process: Process) -> None:
        """Killing the command line program leaves the container running: the engine is told, too.

        In this order: while the program does not read a flood any more, the engine waits for it, deaf to everything.
        """
        early = process.returncode is None
        end_child(process)
        await process.wait()
        await self._ask("rm", "--force", "--volumes", name)
        if early and await self._ask("ps", "--all", "--quiet", "--filter", f"name={name}"):
            await self._ask("rm", "--force", "--volumes", name)

    async def _guard(self, name: str) -> Process:
        removal = [*self._docker, "rm", "--force", "--volumes", name]
        return await self._start(["/bin/sh", "-c", _GUARD, "lar", *removal], stdin=PIPE)

    async def _ask(self, *words: str) -> str:
        """What docker answers, empty if it refuses."""
        asked = await self._start([*self._docker, *words], stdout=PIPE)
        answer, _ = await asked.communicate()
        return answer.decode(errors="replace").strip() if asked.returncode == 0 else ""

    async def _start(self, argv: list[str], *, stdin: int = DEVNULL, stdout: int = DEVNULL) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                *argv, stdin=stdin, stdout=stdout, stderr=DEVNULL, env=_ENVIRONMENT, cwd="/", start_new_session=True
            )
        except OSError as error:
            raise SandboxError(f"{argv[0]} cannot be started: {error.strerror}; {_INSTALL}") from error

    def _explained(self, said: str) -> str:
        if "No such image" in said:
            return f"the image {self._settings.image} is not here; build it with: {_BUILD}"
        return said.strip().splitlines()[0]

    async def check(self) -> Check:
        """Ask the engine what it can limit, and run a small command."""
        try:
            info = await self._ask("info", "--format", "{{json .}}")
            if not info:
                return Check(False, "docker's engine does not answer", lacks=(("docker's engine", _INSTALL),))
            if not await self._ask("image", "inspect", "--format", "{{.Id}}", self._settings.image):
                return Check(False, f"the image {self._settings.image} is not here", lacks=(("the image", _BUILD),))
            with tempfile.TemporaryDirectory(prefix="lar-check-") as folder:
                found = await self.run(Spec(("sh", "-c", "id -u && echo made >made"), Path(folder)))
        except SandboxError as error:
            return Check(False, str(error), lacks=(("docker", _INSTALL),))
        if found.exit_code:
            return Check(False, found.stderr.decode(errors="replace").strip() or f"it ended with {found.exit_code}")
        known = json.loads(info)
        unlimited = [key for key in _LIMITED if not known.get(key)]
        self._promises = _ALL - {_LIMITED[key] for key in unlimited}
        lacks = tuple((f"the engine cannot keep {_LIMITED[key]}", "give it control groups") for key in unlimited)
        return Check(True, f"a command ran in {found.seconds * 1000:.0f} ms", self._promises, lacks)

    async def recover(self) -> None:
        """Containers of a Lar of this machine that does not live any more are removed."""
        listed = await self._ask(
            "ps", "--all", "--filter", f"label={_LABEL}", "--format", f'{{{{.Names}}}} {{{{.Label "{_LABEL}"}}}}'
        )
        for name, owner in re.findall(r"^(\S+) (\S+)$", listed, re.MULTILINE):
            boot, pid, began = owner.rsplit("-", 2)
            if boot != _boot() or born(int(pid)) != int(began):
                await self._ask("rm", "--force", "--volumes", name)


def _end_at_once(first: int, user: int) -> None:
    """Kill the first process of a container, where we may: what fills a disk would go on while the engine is told."""
    with suppress(OSError):
        pidfd = os.pidfd_open(first)
        try:
            if Path(f"/proc/{first}").stat().st_uid == user:  # its number is not somebody else's by now
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


_INSTALL = "apt install docker.io, and let Lar's user speak to it"


async def _dismiss(guard: Process) -> None:
    if guard.stdin:
        with suppress(OSError):
            guard.stdin.write(b"well\n")
        guard.stdin.close()
    await guard.wait()


def _mount(folder: Path, inside: str, *, read_only: bool) -> str:
    """A mount as docker reads it: fields of a line of CSV."""
    line = io.StringIO()
    fields = ["type=bind", f"source={folder.absolute()}", f"target={inside}", *(["readonly"] if read_only else [])]
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


@cache
def _boot() -> str:
    """This start of this machine: process numbers of another one mean nothing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


@cache
def _filter() -> str:
    """The filter of system calls as docker reads it. Its own lets commands ask the hypervisor."""
    operators = {"equal": "SCMP_CMP_EQ", "greater": "SCMP_CMP_GT", "masked": "SCMP_CMP_MASKED_EQ"}

    def argument(condition: Condition) -> dict[str, int | str]:
        first, second = condition.value, 0
        if condition.operator == "masked":
            first, second = condition.mask, condition.value
        place = {"index": condition.argument, "op": operators[condition.operator]}
        return place | {"value": first, "valueTwo": second}

    rules = [
        {
            "names": [each.call],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": each.error,
            "args": [argument(condition) for condition in each.conditions],
        }
        for each in denied(memory_counted=True)
    ]
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
