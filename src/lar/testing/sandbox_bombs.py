"""How an attacker takes more than its share, or stays: a program that runs inside, with the standard library alone.

`python3 -c SOURCE NAME ARGUMENTS`: carries out one attack, and says on stdout how much it got.
"""

import errno
import json
import mmap
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

Arguments = dict[str, Any]
_MEGABYTE = 1 << 20


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def forks(given: Arguments) -> None:
    """Processes, as many as there can be. Says how many there were."""
    number = 0
    while number < given["most"]:
        try:
            pid = os.fork()
        except OSError:
            break
        if pid == 0:
            time.sleep(20)
            os._exit(0)
        number += 1
    say(str(number))
    os.kill(0, signal.SIGKILL)


def threads(given: Arguments) -> None:
    """Threads, as many as there can be. Says how many there were."""
    stop = threading.Event()
    number = 0
    threading.stack_size(64 << 10)
    while number < given["most"]:
        try:
            threading.Thread(target=stop.wait, daemon=True).start()
        except RuntimeError:
            break
        number += 1
    say(str(number))
    os._exit(0)


def _hold(megabytes: int, taken: Callable[[], Any]) -> None:
    kept: list[Any] = []
    for number in range(megabytes // 8):
        kept.append(taken())
        say(str((number + 1) * 8))


def _private() -> Any:
    return bytearray(os.urandom(64)) * (8 * _MEGABYTE // 64)


def _shared() -> Any:
    area = mmap.mmap(-1, 8 * _MEGABYTE)
    area.write(b"x" * (8 * _MEGABYTE))
    return area


def memory(given: Arguments) -> None:
    """Memory in one process. Says how much it has, in megabytes."""
    _hold(given["most"], _private)


def memory_shared(given: Arguments) -> None:
    """Shared memory in one process, which some limits do not see."""
    _hold(given["most"], _shared)


def memory_spread(given: Arguments) -> None:
    """Memory in many processes, each below the limit of one. Says how much those hold that are alive together."""
    each = given["most"] // given["processes"] // 8
    ready: dict[int, int] = {}
    for _ in range(given["processes"]):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            kept = [_private() for _ in range(each)]
            os.write(writer, b"x" * len(kept))
            time.sleep(20)
            os._exit(0)
        os.close(writer)
        ready[pid] = reader
    waiting, end = set(ready.values()), time.monotonic() + 20
    while waiting and time.monotonic() < end:
        waiting.difference_update(select.select(list(waiting), [], [], 1)[0])
    time.sleep(given["seconds"])
    complete = 0
    for pid, reader in ready.items():
        if reader not in waiting and os.read(reader, 100) and os.waitpid(pid, os.WNOHANG)[0] == 0:
            complete += 1
    say(str(complete * each * 8))
    os._exit(0)


def memory_files(given: Arguments) -> None:
    """Memory as files that are nowhere but in memory, unmapped."""
    kept: list[int] = []
    made = 0

    def fill(descriptor: int) -> None:
        nonlocal made
        kept.append(descriptor)
        for _ in range(4):
            os.write(descriptor, b"x" * (4 * _MEGABYTE))
            made += 4
            say(str(made))

    folders = ("", "/tmp", "/dev/shm", "/", "/dev", "/run", "/etc")
    for folder in folders:
        try:
            for number in range(given["most"] // 16):
                made_here = os.O_CREAT | os.O_RDWR
                fill(
                    os.open(f"{folder}/fill{number}", made_here, 0o600) if folder else os.memfd_create(f"fill{number}")
                )
        except (OSError, AttributeError):
            continue


def spin(given: Arguments) -> None:
    """All processors, with two processes. Says how many seconds of them it had."""
    for _ in range(2):
        if os.fork() == 0:
            end = time.monotonic() + given["seconds"]
            while time.monotonic() < end:
                pass
            os._exit(0)
    os.wait()
    os.wait()
    used = os.times()
    say(str(used.children_user + used.children_system))


_SPEED = 200 * _MEGABYTE
"""Bytes a second: how late a watch is should show in what was written, not how fast this machine's disk is."""
_NAMES_A_SECOND = 15_000
_BEGIN = time.monotonic()


def _keep_pace(seconds: float) -> None:
    """Wait until so many seconds have passed since the start."""
    time.sleep(max(0.0, _BEGIN + seconds - time.monotonic()))


def _write_files(size: int, most: int) -> None:
    block = os.urandom(min(size, _MEGABYTE))
    written = number = 0
    while written < most:
        number += 1
        try:
            with open(f"file{number}", "wb", buffering=0) as file:
                for _ in range(max(1, size // len(block))):
                    written += file.write(block)
                    _keep_pace(written / _SPEED)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                return


def disk_file(given: Arguments) -> None:
    """One endless file; then the next."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _write_files(given["most"], given["most"])


def disk_files(given: Arguments) -> None:
    """Large files, each small enough."""
    _write_files(16 * _MEGABYTE, given["most"])


def disk_names(given: Arguments) -> None:
    """Names without content, which take disk, too."""
    for number in range(given["names"]):
        with open(f"name{number}", "wb"):
            _keep_pace(number / _NAMES_A_SECOND)
    say("all names")


def disk_deleted(given: Arguments) -> None:
    """Files without a name, which nobody finds who looks into folders."""
    kept: list[Any] = []
    while len(kept) * 16 * _MEGABYTE < given["most"]:
        kept.append(open("file", "w+b", buffering=0))  # noqa: SIM115  # it is kept open
        os.unlink("file")
        say(str(_fill(kept[-1], len(kept))))


def disk_mapped(given: Arguments) -> None:
    """Files without a name that are not even open. Where it gets no more addresses, it keeps what it has."""
    kept: list[Any] = []
    while len(kept) * 4 * _MEGABYTE < given["most"]:
        with open("file", "w+b", buffering=0) as file:
            os.unlink("file")
            file.truncate(4 * _MEGABYTE)
            try:
                kept.append(mmap.mmap(file.fileno(), 4 * _MEGABYTE))
            except OSError:
                time.sleep(20)
                return
        for _ in range(4):
            kept[-1].write(b"x" * _MEGABYTE)
        _keep_pace(len(kept) * 4 * _MEGABYTE / _SPEED)
        say(str(len(kept) * 4))


def disk_locked(given: Arguments) -> None:
    """Files in folders that only a superuser may look into."""
    for number in range(given["most"] // (16 * _MEGABYTE)):
        os.mkdir(f"locked{number}")
        with open(f"locked{number}/file", "wb", buffering=0) as file:
            written = _fill(file, number + 1)
        os.chmod(f"locked{number}", 0)
        say(str(written))
    os.chmod(".", 0)


def disk_deep(given: Arguments) -> None:
    """Files deeper down than anybody looks."""
    for _ in range(300):
        os.mkdir("d")
        os.chdir("d")
    for number in range(given["most"] // (16 * _MEGABYTE)):
        with open(f"file{number}", "wb", buffering=0) as file:
            say(str(_fill(file, number + 1)))


def _fill(file: Any, number: int) -> int:
    """Write 16 MB; how many that is with the files before."""
    for _ in range(16):
        file.write(b"x" * _MEGABYTE)
    _keep_pace(number * 16 * _MEGABYTE / _SPEED)
    return number * 16


def output(_given: Arguments) -> None:
    """More output than anybody wants."""
    block = b"y\n" * 50_000
    for _ in range(2000):
        os.write(1, block)
        os.write(2, block)


def stubborn(given: Arguments) -> None:
    """Nothing makes it stop; it has children, and they are no better."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
    time.sleep(given["seconds"])


def _beat() -> None:
    """A sign of life in the work folder, for longer than anybody looks."""
    for number in range(2000):
        with open("beat", "w", encoding="ascii") as file:
            file.write(str(number))
        time.sleep(0.02)


def daemon(given: Arguments) -> None:
    """A process that is nobody's child any more; `stay`: this one waits, too."""
    if os.fork() == 0:
        os.setsid()
        maker = os.getpid()
        if os.fork() == 0:
            while os.getppid() == maker:
                time.sleep(0.01)
            for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            _beat()
        os._exit(0)
    end = time.monotonic() + 20
    while not os.path.exists("beat") and time.monotonic() < end:
        time.sleep(0.01)
    if given["stay"]:
        time.sleep(20)


if __name__ == "__main__":
    globals()[sys.argv[1]](json.loads(sys.argv[2]))
