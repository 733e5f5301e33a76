"""A gateway under test: its file below `gateways/`, and its process."""

import asyncio
import contextlib
import os
import secrets
import signal
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from process_tree import members

_MARK = "LAR_BENCH_RUN"
_PASSED_ON = ("PATH", "LANG", "TERM")


@dataclass(frozen=True, slots=True)
class Gateway:
    """One file below `gateways/`; every string in it may use ${VARIABLES}.

    `command` runs it, `env` is its environment (with PATH, LANG, TERM and HOME). What follows is empty where a gateway
    cannot do it: `version` prints its version and ends, `stop` is the message that stops a turn, `resent` what a part
    shows that was sent again after its receipt was lost. Times in seconds.
    """

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict[str, str])
    version: list[str] = field(default_factory=list[str])
    stop: str = ""
    resent: str = ""
    ready_timeout: float = 30.0
    reply_timeout: float = 30.0

    @classmethod
    def load(cls, path: Path, variables: Mapping[str, str]) -> "Gateway":
        """Read a file and fill in the variables."""

        def filled(value: Any) -> Any:
            match value:
                case str():
                    return Template(value).safe_substitute(variables)
                case list():
                    return [filled(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # TOML
                case dict():
                    return {name: filled(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]  # TOML
                case _:
                    return value

        return cls(**filled(tomllib.loads(path.read_text(encoding="utf-8"))))


class GatewayFailed(Exception):
    """The gateway ended or did not get ready; its output is in `gateway.log` of its folder."""


class Process:
    """The gateway's process tree in a HOME of its own."""

    def __init__(self, gateway: Gateway, home: Path) -> None:
        self.gateway = gateway
        self.home = home
        self.started = 0.0  # seconds since the epoch
        self._mark = secrets.token_hex(8)
        self._process: asyncio.subprocess.Process | None = None
        inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self.env = {**inherited, "HOME": str(home), _MARK: self._mark, **gateway.env}

    async def start(self) -> None:
        """Start it; its output goes to `gateway.log`."""
        with (self.home / "gateway.log").open("ab") as log:
            self.started = time.time()
            self._process = await asyncio.create_subprocess_exec(
                *self.gateway.command,
                cwd=self.home,
                env=self.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def pids(self) -> set[int]:
        """All its processes."""
        return members(self._process.pid, f"{_MARK}={self._mark}") if self._process else set()

    @property
    def running(self) -> bool:
        """Whether anything of it is left."""
        return bool(self.pids())

    def failure(self) -> GatewayFailed:
        """What to raise when it ended or hangs."""
        code = self._process.returncode if self._process else None
        state = "hangs" if code is None else f"ended with {code}"
        return GatewayFailed(f"{self.gateway.name} {state}; see {self.home / 'gateway.log'}")

    @property
    def ended(self) -> bool:
        """Whether the process that was started has ended."""
        return self._process is None or self._process.returncode is not None

    def _signal(self, number: signal.Signals) -> bool:
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(pids)

    async def kill(self) -> None:
        """SIGKILL the whole tree, also what it forks meanwhile."""
        while self._signal(signal.SIGKILL):  # noqa: ASYNC110  # /proc has no event
            await asyncio.sleep(0.02)
        if self._process:
            await self._process.wait()

    async def stop(self, grace: float = 8.0) -> None:
        """SIGTERM; what is left after `grace` seconds is killed."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.running and time.monotonic() < deadline:  # noqa: ASYNC110  # the same
            await asyncio.sleep(0.05)
        await self.kill()
