"""Where sandboxes are attacked: a gateway with things worth attacking, and a sandbox without walls for comparison."""

import asyncio
import ctypes
import hashlib
import json
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lar.sandboxes.choose import backend
from lar.sandboxes.contract import Check, Limits, Promise, Result, Sandbox, Spec
from lar.sandboxes.settings import SandboxSettings

_PROGRAMS = tuple(
    Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("sandbox_inside.py", "sandbox_bombs.py")
)
MEGABYTE = 1 << 20
LIMITS = Limits(
    seconds=60, memory=128 * MEGABYTE, cpus=1.0, processes=32, disk=1024 * MEGABYTE, file_size=32 * MEGABYTE
)
"""What attacks run under unless they say otherwise. Neither a busy machine nor what others write ends one of them."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A gateway with things worth attacking, and the sandbox between it and the attacker."""

    sandbox: Sandbox
    folder: Path
    work: Path
    secret: Path
    baits: dict[str, Any]

    async def attack(self, name: str, limits: Limits = LIMITS, **given: Any) -> Result:
        """Carry out an attack of `sandbox_inside` or `sandbox_bombs`."""
        return await self.sandbox.run(self.spec(name, limits, **given))

    def spec(self, name: str, limits: Limits = LIMITS, **given: Any) -> Spec:
        """The command that carries out an attack."""
        source = next(each for each in _PROGRAMS if f"def {name}(" in each)
        return Spec(("python3", "-c", source, name, json.dumps(self.baits | given)), self.work, limits=limits)


class Braggart:
    """Commands as they are, by a sandbox that claims to keep every promise: whatever is tame must catch it."""

    name = "braggart"
    hands_back = True
    internet = True
    promises = frozenset(Promise)

    async def run(self, spec: Spec) -> Result:
        """Start the command with all that is ours, and wait for it; a group of its own, as it may kill its group."""
        started = time.monotonic()
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = await asyncio.create_subprocess_exec(
                *spec.argv,
                stdin=DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=spec.work,
                close_fds=False,
                process_group=0,
            )
            code = await process.wait()
            said = [os.pread(stream.fileno(), MEGABYTE, 0) for stream in (stdout, stderr)]
        seconds = time.monotonic() - started
        return Result(code if code >= 0 else None, -code if code < 0 else None, said[0], said[1], seconds)

    async def check(self) -> Check:
        """All is well, of course."""
        return Check(True, "nothing was tried", self.promises)

    async def recover(self) -> None:
        """There is nothing to recover."""


def sandbox_called(name: str) -> Sandbox:
    """The sandbox the settings call so, with the settings of the tests; or the braggart."""
    return Braggart() if name == Braggart.name else backend(name, _settings())


def _settings() -> SandboxSettings:
    return SandboxSettings.model_validate_json(os.environ.get("LAR_TEST_SANDBOX", "{}"))


@contextmanager
def stage_for(sandbox: Sandbox, baits: dict[str, Any]) -> Generator[Stage]:
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
    decoy = os.environ["LAR_TEST_DECOY"]  # it must have been there from the start
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
            "engine": _settings().docker.host.removeprefix("unix://"),
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
