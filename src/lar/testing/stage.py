"""A stage: simulators of Telegram and of a model, and the real process between them, to be killed from outside."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lar.store import deliveries, turns
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.models import ModelSim
from lar.testing.process import POLL, LarProcess
from lar.testing.telegram import DEFAULT_TOKEN, TelegramSim

PATIENCE = 60.0
"""Seconds after which something that should have happened never will."""

COMMAND = (sys.executable, "-m", "lar", "run")
FIRST_USER, USERS = 1001, 400
"""Who is let in: so many users, from this id on."""


@dataclass(frozen=True, slots=True)
class Point:
    """The commit of a unit: before or after it, of which unit, the how-many-eth time."""

    phase: str
    unit: str
    number: int


class Points:
    """Counts the units a probe reports, however they share commits."""

    def __init__(self) -> None:
        self.seen: list[Point] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, report: str) -> list[Point]:
        """Take in one report of a probe: a point for every unit of the commit."""
        phase, _, units = report.partition(" ")
        points: list[Point] = []
        for unit in units.split(","):
            self._counts[phase, unit] += 1
            points.append(Point(phase, unit, self._counts[phase, unit]))
        self.seen += points
        return points


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something that only a look can tell has come true.

    Raises:
        TimeoutError: it has not.

    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what happens in another process sets no event here
            await asyncio.sleep(POLL)


@dataclass
class Stage:
    """Two simulators, a home, and the process in it."""

    telegram: TelegramSim
    models: ModelSim
    process: LarProcess
    effects: Path
    database: str

    async def start(self) -> None:
        """Start the process without a probe."""
        await self.process.start()

    @asynccontextmanager
    async def probed(self) -> AsyncGenerator[Callable[[], Awaitable[str]]]:
        """Start the process with a probe; yields what waits for the next report. Each wait lets the last one go on."""
        out_read, out_write = os.pipe()
        back_read, back_write = os.pipe()
        extra = {"LAR_TEST_PROBE": f"{out_write},{back_read}"}
        await self.process.start(pass_fds=(out_write, back_read), extra=extra)
        os.close(out_write)
        os.close(back_read)
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(out_read, "rb")
        )
        waiting = False

        async def following() -> str:
            nonlocal waiting
            if waiting:
                os.write(back_write, b".")
            waiting = False
            line = (await reader.readline()).decode().strip()
            waiting = True
            return line

        try:
            yield following
        finally:
            with suppress(OSError):
                os.write(back_write, b"." * 10_000)
            os.close(back_write)
            transport.close()

    async def settled(self, chats: int = 1) -> None:
        """Wait until every turn is over and every part is out."""
        async with asyncio.timeout(PATIENCE):
            while not await self._is_settled(chats):  # noqa: ASYNC110  # another process settles
                await asyncio.sleep(POLL)

    async def _is_settled(self, chats: int) -> bool:
        db = Database(StoreSettings(url=self.database))
        await db.open(read_only=True)
        try:
            if await db.read(turns.count_open):
                return False
            counts = await db.read(deliveries.counts)
            return not counts.get("pending") and not counts.get("sending") and counts.get("sent", 0) >= chats
        finally:
            await db.close()

    async def replies(self, chat: int, count: int = 1, seconds: float = PATIENCE) -> list[str]:
        """Wait until the bot has said so much in a chat, and return all it said there.

        Raises:
            TimeoutError: it said less; what it said is in the message.

        """
        try:
            await until(lambda: len(self.texts(chat)) >= count, seconds)
        except TimeoutError:
            raise TimeoutError(f"{count} replies were wanted in chat {chat}; there are {self.texts(chat)}") from None
        return self.texts(chat)

    def texts(self, chat: int) -> list[str]:
        """What the bot's messages say in a chat, in order."""
        return [str(m.get("text", m.get("caption", ""))) for m in self.telegram.messages(chat) if m["from"]["is_bot"]]

    def acted(self) -> Counter[str]:
        """How often each effect happened."""
        return Counter(self.effects.read_text().split("\n")[:-1]) if self.effects.exists() else Counter()


@asynccontextmanager
async def stage(
    folder: Path, database: str = "", command: Sequence[str] = COMMAND, env: Mapping[str, str] | None = None
) -> AsyncGenerator[Stage]:
    """A stage of its own in a folder of its own.

    `database` is a URL, by default that of the home's own file; `command` starts the process; `env` is added to its
    environment, and an empty value takes a variable out of it.
    """
    effects, home = folder / "effects", folder / "home"
    async with TelegramSim() as telegram, ModelSim() as models:
        settings = {
            "LAR_TEST_EFFECTS": str(effects),
            "TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN,
            "LAR__CHANNELS__TELEGRAM__API_BASE": telegram.url,
            "LAR__CHANNELS__TELEGRAM__ALLOWED_USER_IDS": ",".join(str(FIRST_USER + number) for number in range(USERS)),
            "OPENAI_API_KEY": "sk-simulated",
            "LAR__PROVIDERS__OPENAI__BASE_URL": models.openai_url,
            "LAR__AGENTS__MAIN__MODEL": "openai:sim-1",
            "LAR__MODELS__TRANSCRIPTION": "openai:gpt-4o-mini-transcribe",
            "LAR__MODELS__TAKES": '{"openai:sim-1": ["image"]}',
            "LAR__DATABASE__URL": database,
            **(env or {}),
        }
        process = LarProcess(home, {name: value for name, value in settings.items() if value}, command)
        try:
            yield Stage(telegram, models, process, effects, database or f"sqlite:///{home}/lar.db")
        finally:
            await process.kill()
