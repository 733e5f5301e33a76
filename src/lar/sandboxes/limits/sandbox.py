"""Four ways to run a command on this machine itself, each with a little more around it.

`none`: as Lar, with a timeout. `basic`: where Lar is root, as a user who is nobody else. `rlimit`: with the limits of
each process, too. `cgroup`: and with those of the whole run. Everything that anybody on the machine may read, reach or
see is open to all four.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Literal

from lar.errors import SandboxError
from lar.sandboxes import rlimits, watch
from lar.sandboxes.cgroups import CONTROLLERS, Cgroups, Group, entering
from lar.sandboxes.contract import Check, Promise, Result, Spec
from lar.sandboxes.process import Ended, Launch, carry_out, end_child, result
from lar.sandboxes.tenants import Tenants

Mode = Literal["none", "basic", "rlimit", "cgroup"]

PATH = "/usr/local/bin:/usr/bin:/bin"
_AS_ROOT = frozenset({Promise.ENVIRONMENT, Promise.DAEMONS})
"""Kept where the command is a user nobody else is: whatever is that user's can be found, and ended."""
_LOOKS, _PAUSE = 400, 0.005
_BY_GROUP = {"memory": Promise.MEMORY, "cpu": Promise.CPU, "pids": Promise.PROCESS_COUNT}


class Local:
    """Commands of this machine, in a session of their own."""

    hands_back = True
    internet = True

    def __init__(
        self,
        mode: Mode,
        *,
        prefix: tuple[str, ...] = (),
        cgroups: Cgroups | None = None,
        home: Path | None = None,
    ) -> None:
        self.name: str = mode
        self._mode: Mode = mode
        self._prefix = prefix
        as_itself = mode == "none"
        self._tenants = Tenants(root=False if as_itself else None, one_by_one=mode != "cgroup", home=home)
        self._cgroups = (cgroups or Cgroups()) if mode == "cgroup" else None
        self._setpriv = shutil.which("setpriv", path=PATH) or ""
        self._prlimit = shutil.which("prlimit", path=PATH) or ""

    @property
    def promises(self) -> frozenset[Promise]:
        """What it keeps on this machine; without root, a command could leave its control group again."""
        kept = {Promise.OUTPUT, Promise.TIMEOUT}
        if self._mode != "none":
            kept.add(Promise.TERMINAL)
        if self._mode in {"rlimit", "cgroup"}:
            kept |= {Promise.PROCESS_MEMORY, Promise.DISK_WATCHED}
        if self._tenants.root:
            kept |= _AS_ROOT | ({Promise.PROCESS_COUNT} if self._mode == "rlimit" else set())
            if self._cgroups:
                kept |= {_BY_GROUP[name] for name in self._cgroups.controllers}
        return frozenset(kept)

    async def run(self, spec: Spec) -> Result:
        """Run the command on this machine."""
        if self._mode != "none" and not (self._setpriv and self._prlimit):
            raise SandboxError("setpriv or prlimit is missing; install it with: apt install util-linux")
        if self._cgroups and not self._cgroups.controllers:
            raise SandboxError(f"no control group can be made here; {_DELEGATE}")
        async with self._tenants.of(spec.work) as user:
            group = self._cgroups.open(spec.limits) if self._cgroups else None
            try:
                return await self._run(spec, user, group)
            finally:
                if group:
                    await group.end()

    async def _run(self, spec: Spec, user: int | None, group: Group | None) -> Result:
        work = str(spec.work.absolute())
        plain = {"PATH": PATH, "HOME": work, "LANG": "C.UTF-8", "TMPDIR": work}
        argv = entering(group, [*self._walls(spec, user), *self._prefix, *spec.argv])
        launch = Launch(argv, plain | dict(spec.environment), spec.work, spec.stdin)
        out_of_memory = False

        async def processes() -> Sequence[int] | None:
            return None if user is None else await asyncio.to_thread(_of_user, user)

        async def watches() -> Ended:
            if self._mode in {"none", "basic"}:
                await asyncio.Event().wait()
            return await watch.disk(spec.work, spec.limits.disk, processes)

        async def kill(process: asyncio.subprocess.Process) -> None:
            nonlocal out_of_memory
            await _kill_family(process)
            if group:
                out_of_memory = group.out_of_memory
                await group.end()
            elif user is not None:
                await self._kill_user(user)

        outcome = await carry_out(launch, spec.limits, watches, kill)
        return result(outcome, outcome.returncode, out_of_memory=out_of_memory)

    def _walls(self, spec: Spec, user: int | None) -> list[str]:
        if self._mode == "none":
            return []
        walls = ["/usr/bin/env", "nice", "-n", "10"]
        if self._mode in {"rlimit", "cgroup"}:
            counted = self._mode == "rlimit" and user is not None
            walls += [self._prlimit, *rlimits.options(spec.limits, memory="as", processes=counted), "--"]
        walls += [self._setpriv, "--no-new-privs", "--pdeathsig", "KILL"]
        if user is not None:
            walls += ["--reuid", str(user), "--regid", str(user), "--clear-groups", "--inh-caps=-all"]
            walls += ["--bounding-set=-all"]
        return walls

    async def _kill_user(self, user: int) -> None:
        """As that user, all at once: nothing forks its way out of it."""
        who = [self._setpriv, "--reuid", str(user), "--regid", str(user), "--clear-groups"]
        killer = await asyncio.create_subprocess_exec(*who, "/bin/sh", "-c", "kill -9 -1", env={}, cwd="/")
        await killer.wait()
        for _ in range(_LOOKS):
            if not await asyncio.to_thread(_of_user, user):
                return
            await asyncio.sleep(_PAUSE)

    async def check(self) -> Check:
        """Run a small command."""
        lacks = (
            () if self._tenants.root or self._mode == "none" else ((_NO_ROOT, "run Lar as root, or use bubblewrap"),)
        )
        if self._cgroups and (missing := set(CONTROLLERS) - self._cgroups.controllers):
            lacks += ((f"no control group for {', '.join(sorted(missing))}", _DELEGATE),)
        try:
            with tempfile.TemporaryDirectory(prefix="lar-check-") as folder:
                found = await self.run(Spec(("sh", "-c", "id -u"), Path(folder)))
        except SandboxError as error:
            return Check(False, str(error), lacks=lacks)
        if found.exit_code:
            return Check(False, found.stderr.decode(errors="replace").strip(), lacks=lacks)
        return Check(True, f"commands run here as user {found.stdout.decode().strip()}", self.promises, lacks)

    async def recover(self) -> None:
        """Control groups of a Lar that was killed are ended."""
        if self._cgroups:
            await self._cgroups.recover()


_NO_ROOT = "commands run as the same user as Lar: they can read what it can"
_DELEGATE = "in the systemd unit: Delegate=memory cpu pids, DelegateSubgroup=lar-gateway"


async def _kill_family(process: asyncio.subprocess.Process) -> None:
    """The process, its group, and all that is still below it; not what left its family."""
    family = await asyncio.to_thread(watch.family, process.pid)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, SIGKILL)
    for pid in family[1:]:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, SIGKILL)
    end_child(process)
    await process.wait()
    for _ in range(_LOOKS):
        if not any(map(_alive, family[1:])):
            return
        await asyncio.sleep(_PAUSE)


def _of_user(user: int) -> list[int]:
    """The processes of this user that live."""
    found: list[int] = []
    with os.scandir("/proc") as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid == user and _alive(int(entry.name)):
                    found.append(int(entry.name))
    return found


def _alive(pid: int) -> bool:
    """Whether it lives; a dead one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
