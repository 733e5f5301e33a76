"""One child process from its start to the death of everything it started: output, timeout and limits."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from signal import SIGKILL
from typing import Any

from lar.errors import SandboxError
from lar.sandboxes.contract import Limits, Result

_CHUNK = 1 << 16
_SHELL_SIGNALS = range(129, 193)


class Ended(StrEnum):
    """Why a run was ended before it ended itself."""

    TIMEOUT = "timeout"
    OUTPUT = "output"
    DISK = "disk"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Launch:
    """How a run is started. `environment` is all that the program named first sees; `fds` are handed on to it.

    `stdin` is what it reads, or a descriptor.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path = Path("/")
    stdin: bytes | int = b""
    fds: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the program's return code as `subprocess` gives it, and why it was ended, if it was."""

    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float
    ended: Ended | None


Watch = Callable[[], Awaitable[Ended]]
"""Returns when a limit is seen to be broken, never otherwise."""

Kill = Callable[[asyncio.subprocess.Process], Awaitable[None]]
"""Ends every process of a run, and returns when none is left. Called exactly once, also after a normal end."""


class Output:
    """Takes in what a run writes to both streams, up to `limit` bytes together; then `full` is set."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._read_ends: dict[int, bytearray] = {}
        self._loop = asyncio.get_running_loop()
        self.full = asyncio.Event()

    def stream(self) -> int:
        """A new stream's write end, to be closed by the caller once the child has it."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(write_end, True)
        self._read_ends[read_end] = bytearray()
        self._loop.add_reader(read_end, self._take, read_end)
        return write_end

    def _take(self, read_end: int) -> bool:
        """Read once; whether there may be more, and room for it."""
        try:
            chunk = os.read(read_end, _CHUNK)
        except BlockingIOError:
            return False
        self._read_ends[read_end] += chunk[: self._room]
        if len(chunk) > self._room:
            self.full.set()
        self._room = max(0, self._room - len(chunk))
        if chunk and not self.full.is_set():
            return True
        self._loop.remove_reader(read_end)
        return False

    def close(self) -> list[bytes]:
        """Everything taken in, stream by stream: what is still in the pipes included, as far as it fits."""
        for read_end in self._read_ends:
            while self._take(read_end):
                pass
            self._loop.remove_reader(read_end)
            os.close(read_end)
        return [bytes(taken) for taken in self._read_ends.values()]


async def carry_out(launch: Launch, limits: Limits, watch: Watch, kill: Kill) -> Outcome:
    """Start it, wait for its end or a limit, and end all that is left of it: also when this task is cancelled.

    Raises:
        SandboxError: the program cannot be started.

    """
    output = Output(limits.output)
    started = time.monotonic()
    try:
        process = await _start(launch, output)
    except BaseException:
        output.close()
        raise
    exited = asyncio.ensure_future(process.wait())
    full = asyncio.ensure_future(output.full.wait())
    broken = asyncio.ensure_future(watch())
    ended = None
    try:
        first: set[asyncio.Future[Any]] = {exited, full, broken}
        await asyncio.wait(first, timeout=limits.seconds, return_when=asyncio.FIRST_COMPLETED)
        if full.done():
            ended = Ended.OUTPUT
        elif not exited.done():
            ended = broken.result() if broken.done() else Ended.TIMEOUT
    finally:
        full.cancel()
        broken.cancel()
        try:
            await to_the_end(_end(process, exited, kill))
        finally:
            stdout, stderr = output.close()
    seconds = time.monotonic() - started
    return Outcome(exited.result(), stdout, stderr, seconds, Ended.OUTPUT if output.full.is_set() else ended)


async def _start(launch: Launch, output: Output) -> asyncio.subprocess.Process:
    with ExitStack() as stack:
        stdin = launch.stdin
        if isinstance(stdin, bytes):
            stdin = memory_file(stdin)
            stack.callback(os.close, stdin)
        streams = (output.stream(), output.stream())
        for stream in streams:
            stack.callback(os.close, stream)
        try:
            return await asyncio.create_subprocess_exec(
                *launch.argv,
                stdin=stdin,
                stdout=streams[0],
                stderr=streams[1],
                env=dict(launch.environment),
                cwd=launch.folder,
                pass_fds=launch.fds,
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"{launch.argv[0]} cannot be started: {error.strerror}") from error


async def _end(process: asyncio.subprocess.Process, exited: asyncio.Future[int], kill: Kill) -> None:
    await kill(process)
    end_child(process)
    await exited


def end_child(process: asyncio.subprocess.Process) -> None:
    """Kill it, if it lives. `Process.kill` would ask first how it ended, and whoever waits for that would miss it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, SIGKILL)


async def to_the_end(work: Awaitable[None]) -> None:
    """Wait for this even if the waiting task is cancelled meanwhile; the cancellation comes out afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled


def memory_file(content: bytes) -> int:
    """A descriptor of a file that is nowhere but in memory, to be read from its start."""
    fd = os.memfd_create("lar", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


async def wait_dead(pidfd: int) -> None:
    """Return when this process is dead; for the first process of a PID namespace: when all of them are."""
    loop = asyncio.get_running_loop()
    dead = asyncio.Event()
    loop.add_reader(pidfd, dead.set)
    try:
        await dead.wait()
    finally:
        loop.remove_reader(pidfd)


def result(outcome: Outcome, code: int, *, out_of_memory: bool = False) -> Result:
    """The result for people of a run whose command ended with this code, as a shell would say it."""
    signal = -code if code < 0 else code - 128 if code in _SHELL_SIGNALS else None
    if outcome.ended and signal is None and code == 0:
        signal = int(SIGKILL)
    return Result(
        None if signal else code,
        signal,
        outcome.stdout,
        outcome.stderr,
        outcome.seconds,
        truncated=outcome.ended is Ended.OUTPUT,
        timed_out=outcome.ended is Ended.TIMEOUT,
        out_of_memory=out_of_memory or outcome.ended is Ended.MEMORY,
        out_of_disk=outcome.ended is Ended.DISK,
    )
