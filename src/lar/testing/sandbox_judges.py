"""How attacks are judged: each carries one out on a stage and says what it reached."""

import asyncio
import os
import secrets
import stat
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL
from typing import Any

from lar.sandboxes import tree
from lar.sandboxes.contract import Promise, Result
from lar.sandboxes.results import collect
from lar.testing.sandbox_stage import LIMITS, MEGABYTE, Stage, sandbox_called

Judge = Callable[[Stage], Awaitable[str]]
"""Carries an attack out and says what it reached; empty if nothing."""


def reaching(name: str, **given: Any) -> Judge:
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


async def plants(stage: Stage) -> str:
    """Judge by what is found in the system's folders afterwards."""
    name = f"lar-planted-{secrets.token_hex(4)}"
    result = await stage.attack("writes", file=name)
    outside = [str(folder / name) for folder in map(Path, _WRITTEN) if (folder / name).exists()]
    return "; ".join([*outside, *result.stdout.decode().split("\n")]).strip("; ")


_WRITTEN = ("/", "/etc", "/usr", "/usr/bin", "/usr/lib", "/var/tmp", "/run", "/tmp", "/dev/shm", "/dev", "/opt")


def counting(name: str, most: int) -> Judge:
    """Judge by how many the attacker had at once."""

    async def judge(stage: Stage) -> str:
        limit = 24
        result = await stage.attack(name, replace(LIMITS, processes=limit), most=most)
        number = _number(result)
        return (
            f"had {number:.0f} where {limit} were allowed" if number > limit else "" if number else _last_words(result)
        )

    return judge


def holding(name: str, **given: Any) -> Judge:
    """Memory: whatever it does, it does not get what it wants, and nearly nothing above the limit."""

    async def judge(stage: Stage) -> str:
        most = 768
        result = await stage.attack(name, most=most, **given)
        held = _number(result)
        allowed = 1 if Promise.MEMORY in stage.sandbox.promises else 4
        limit = LIMITS.memory // MEGABYTE * allowed + 16
        return f"held {held:.0f} MB" if held > limit or result.timed_out else ""

    return judge


async def spins(stage: Stage) -> str:
    """Judge by the time of processors the attacker had."""
    share, seconds = 0.2, 2
    result = await stage.attack("spin", replace(LIMITS, cpus=share), seconds=seconds)
    used = _number(result)
    return (
        ""
        if 0 < used < share * seconds * 1.4
        else f"had {used:.1f} s of processor in {seconds} s: {_last_words(result)}"
    )


def filling(name: str) -> Judge:
    """Disk: with the kernel's limit never above it; with a watch not much above."""

    async def judge(stage: Stage) -> str:
        result = await stage.attack(name, _LITTLE_DISK, most=_DISK_WANTED, names=150_000)
        left = await asyncio.to_thread(tree.usage, stage.work)
        allowed = 1.1 if Promise.DISK in stage.sandbox.promises else _SEEN_LATE
        return (
            f"left {left // MEGABYTE} MB" if left > _LITTLE_DISK.disk * allowed else _unless(result.out_of_disk, result)
        )

    return judge


def _unless(ended: bool, result: Result) -> str:
    """Whoever was not ended for it should have been."""
    return "" if ended else f"was not ended for it: {_last_words(result)}"


def hiding(name: str) -> Judge:
    """Disk that a look into the folder does not see: judged by how much was written until the end."""

    async def judge(stage: Stage) -> str:
        result = await stage.attack(name, _LITTLE_DISK, most=_DISK_WANTED)
        held = _number(result)
        too_much = held * MEGABYTE > _LITTLE_DISK.disk * _SEEN_LATE
        return f"had {held:.0f} MB" if too_much else _unless(result.out_of_disk or result.out_of_memory, result)

    return judge


_LITTLE_DISK = replace(LIMITS, cpus=0.5, disk=64 * MEGABYTE)
_DISK_WANTED = 1280 * MEGABYTE
_SEEN_LATE = 16
"""How many limits of disk an attacker may have had where it is only watched: what it writes in five seconds, as looks
are late on a busy machine."""


async def floods(stage: Stage) -> str:
    """Output: no more is kept than was allowed, and it is ended soon."""
    result = await stage.attack("output", replace(LIMITS, output=100_000))
    kept = len(result.stdout) + len(result.stderr)
    ended = result.truncated and kept == 100_000 and result.seconds < LIMITS.seconds / 2
    return "" if ended else f"{kept} bytes in {result.seconds:.1f} s"


_STUBBORN = 20


async def stays(stage: Stage) -> str:
    """Judge by how long something goes on that does not want to end."""
    started = time.monotonic()
    result = await stage.attack("stubborn", replace(LIMITS, seconds=1), seconds=_STUBBORN)
    took = time.monotonic() - started
    return "" if result.timed_out and took < _STUBBORN * 0.75 else f"took {took:.1f} s"


def beating(*, stay: bool) -> Judge:
    """Judge by what lives when the run has ended by itself, or (`stay`) by its timeout."""

    async def judge(stage: Stage) -> str:
        for seconds in (3, 15):  # the second where a busy machine did not get it started
            await stage.attack("daemon", replace(LIMITS, seconds=seconds), stay=stay)
            if (stage.work / "beat").exists():
                break
        return _died(stage)

    return judge


async def outlives_cancelling(stage: Stage) -> str:
    """Judge by what lives when a cancelled run has ended."""
    run = asyncio.ensure_future(stage.attack("daemon", stay=True))
    await asyncio.to_thread(_wait_for, stage.work / "beat")
    run.cancel()
    await asyncio.wait((run,))
    return _died(stage)


def _died(stage: Stage) -> str:
    """Nothing of it may be there any more when the run has ended."""
    return _left(stage, 0) if (stage.work / "beat").exists() else "the attack itself failed: there was no daemon"


def _wait_for(file: Path) -> None:
    end = time.monotonic() + 20
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.01)


async def outlives_gateway(stage: Stage) -> str:
    """In a child of ours, which is killed like a gateway."""
    return await asyncio.to_thread(_kill_gateway, stage)


def _kill_gateway(stage: Stage) -> str:
    with _other_gateway(stage):
        _wait_for(stage.work / "beat")
    return (
        _left(stage, _PATIENCE) if (stage.work / "beat").exists() else "the attack itself failed: there was no daemon"
    )


@contextmanager
def _other_gateway(stage: Stage) -> Generator[None]:
    """A gateway that runs the daemon; it is killed at the end."""
    pid = os.fork()
    if not pid:
        try:
            asyncio.run(sandbox_called(stage.sandbox.name).run(stage.spec("daemon", stay=True)))
        finally:
            os._exit(1)
    try:
        yield
    finally:
        os.kill(pid, SIGKILL)
        os.waitpid(pid, 0)


_COMMAND = b"python3\0"
_PATIENCE = 15
"""Seconds until nothing may be left where the end is nobody's whom we could wait for; attackers stay for longer."""


def _left(stage: Stage, patience: float, beginning: bytes = b"") -> str:
    """Processes of this stage whose command begins like this, if there are any after so many seconds."""
    end = time.monotonic() + patience
    mark = str(stage.folder).encode()
    while found := [text for text in map(_content, Path("/proc").glob("[0-9]*/cmdline")) if mark in text]:
        found = [text for text in found if text.startswith(beginning)]
        if not found or time.monotonic() > end:
            return f"{len(found)} processes are left, such as {found[0][:100]!r}" if found else ""
        time.sleep(0.02)
    return ""


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def outlives_starting_gateway(stage: Stage) -> str:
    """Killed at every moment from the start of a run to its first sign of life, and a little beyond."""
    started = time.monotonic()
    run = asyncio.ensure_future(stage.attack("daemon", stay=True))
    await asyncio.to_thread(_wait_for, stage.work / "beat")
    moments = time.monotonic() - started
    run.cancel()
    await asyncio.wait((run,))
    alive = await asyncio.to_thread(_kill_starting_gateways, stage, moments)
    end = time.monotonic() + _PATIENCE
    while True:  # what was on its way while we looked is found the next time
        await stage.sandbox.recover()
        left = await asyncio.to_thread(_left, stage, 1)
        if not left or time.monotonic() > end:
            return alive or left


def _kill_starting_gateways(stage: Stage, moments: float) -> str:
    works = [stage.folder / f"moment{number}" for number in range(_MOMENTS)]
    for number, work in enumerate(works):
        work.mkdir()
        with _other_gateway(replace(stage, work=work)):
            time.sleep(moments * 1.2 * number / _MOMENTS)
    return _left(stage, _PATIENCE, _COMMAND)


_MOMENTS = 30


async def leaves_rights(stage: Stage) -> str:
    """Judge by the modes and attributes of what is left, in the work folder and where anybody may write."""
    name = f"lar-planted-{secrets.token_hex(4)}"
    await stage.attack("setuid", file=name, places=_ANYBODYS)
    elsewhere = [path for path in (Path(folder, name) for folder in _ANYBODYS) if path.exists()]
    found = [f"{path} was left" for path in elsewhere]
    for path in elsewhere:
        path.unlink()
    for path in stage.work.iterdir():
        mode = path.stat(follow_symlinks=False).st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            found.append(f"{path.name} is {stat.S_IMODE(mode):o}")
        if "security.capability" in os.listxattr(path, follow_symlinks=False):
            found.append(f"{path.name} has capabilities")
    return "; ".join(found)


_ANYBODYS = ("/tmp", "/var/tmp", "/dev/shm")


def handing_back(name: str) -> Judge:
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
