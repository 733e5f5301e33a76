"""The running product as a child process: started, asked, killed from outside."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL = 0.02
"""Seconds between two looks at something that only a look can tell."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has run: its exit status, and what it wrote."""

    status: int
    output: str
    errors: str


class LarProcess:
    """`lar run` with a home of its own. `env` is the environment beyond PATH and PYTHONPATH.

    `command` may replace the program.
    """

    def __init__(
        self, home: Path, env: Mapping[str, str], command: Sequence[str] = (sys.executable, "-m", "lar", "run")
    ) -> None:
        self.home = home
        ours = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        self._env = {**ours, "LAR_HOME": str(home), "LAR__SERVER__PORT": "0", **env}
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 when it does not run."""
        return self._process.pid if self._process else 0

    def beside(self, home: Path, command: Sequence[str]) -> "LarProcess":
        """Another one with the same environment, in a home of its own."""
        return LarProcess(home, {name: value for name, value in self._env.items() if name != "LAR_HOME"}, command)

    async def start(self, *, pass_fds: Sequence[int] = (), extra: Mapping[str, str] | None = None) -> None:
        """Start it; its output goes to `home`/output.log."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "output.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**self._env, **(extra or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=pass_fds,
            )

    async def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
        self._process = None

    async def stop(self, seconds: float = 10.0) -> int:
        """SIGTERM; its exit status.

        Raises:
            TimeoutError: it did not stop within `seconds`; it is killed then.

        """
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            await self.kill()
            raise
        finally:
            self._process = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def ended(self, seconds: float = 30.0) -> int:
        """Wait until it ends by itself; its exit status.

        Raises:
            TimeoutError: it still runs.

        """
        if self._process is None:
            return 0
        return await asyncio.wait_for(self._process.wait(), seconds)

    async def lar(self, *arguments: str, said: str = "") -> Ran:
        """Run another command of the product in the same home, with `said` on its standard input.

        Where the tests' coverage is measured, so is the command's.
        """
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        command = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "lar",
            *arguments,
            env={**self._env, **measured},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await command.communicate(said.encode())
        return Ran(command.returncode or 0, output.decode(), errors.decode())

    async def url(self, seconds: float = 30.0) -> str:
        """Where its HTTP API answers, once it does.

        Raises:
            TimeoutError: it never did; its output is in the message.

        """
        path = self.home / "gateway.json"
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if path.exists():
                        found = json.loads(path.read_text())
                        if found["pid"] == self.pid:
                            return f"http://{found['host']}:{found['port']}"
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise TimeoutError(f"the gateway never listened; it said:\n{self.output()}") from None

    def output(self) -> str:
        """What it wrote so far."""
        path = self.home / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""
