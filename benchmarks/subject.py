"""A gateway between the two simulators: started, watched and talked to from the outside."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import Gateway, Process
from lar.testing.models import ModelSim
from lar.testing.telegram import TelegramSim
from traffic import Traffic, Turn

OWNER = 1001
USERS = 200
MODEL = "gpt-5-mini"
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything a phase needs."""

    gateway: Gateway
    process: Process
    telegram: TelegramSim
    models: ModelSim
    traffic: Traffic

    async def start(self) -> float:
        """Start the gateway and wait until it asks for updates; returns the seconds that took."""
        bot = self.telegram.bot
        bot.first_poll = None
        await self.process.start()
        deadline = time.monotonic() + self.gateway.ready_timeout
        while bot.first_poll is None:
            if self.process.ended or time.monotonic() > deadline:
                raise self.process.failure()
            await asyncio.sleep(0.002)
        return bot.first_poll - self.process.started

    async def ensure_running(self) -> None:
        """Start the gateway where it does not run, and have it answer once."""
        if not self.process.running:
            await self.start()
            await self.answered()

    async def answered(self) -> Turn:
        """Ask until it answers: a first poll may drop what was pending."""
        deadline = time.monotonic() + self.gateway.reply_timeout
        while time.monotonic() < deadline:
            turn = await self.traffic.ask(OWNER, 4.0)
            if turn.shown:
                return turn
        raise self.process.failure()


async def until(condition: Callable[[], bool], timeout: float) -> bool:  # noqa: ASYNC109  # giving up is no error here
    """Wait for a condition of a simulator; False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _variables(home: Path, telegram: TelegramSim, models: ModelSim) -> dict[str, str]:
    return {
        "HOME": str(home),
        "TG_URL": telegram.url,
        "TOKEN": telegram.token,
        "OPENAI_URL": models.openai_url,
        "API_KEY": "sk-bench-0001",
        "MODEL": MODEL,
        "USER_IDS": json.dumps([OWNER + number for number in range(USERS)]),
        "PORT": str(_free_port()),
        "PYTHON": sys.executable,
        "BIN": str(Path(sys.executable).parent),
        "BENCHMARKS": str(_HERE),
    }


@asynccontextmanager
async def prepared(name: str, work: Path) -> AsyncGenerator[Subject]:
    """Fresh simulators and a fresh HOME below `work` for `gateways/<name>.toml`; in the end the gateway is stopped."""
    home = work / name
    home.mkdir(parents=True)
    async with TelegramSim() as telegram, ModelSim(keep_bodies=10) as models:
        gateway = Gateway.load(_HERE / "gateways" / f"{name}.toml", _variables(home, telegram, models))
        process = Process(gateway, home)
        try:
            yield Subject(gateway, process, telegram, models, Traffic(telegram, gateway.resent))
        finally:
            await process.stop()
