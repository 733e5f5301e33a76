"""A simulated Telegram and a channel to it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from lar.channels.telegram.adapter import TelegramChannel
from lar.channels.telegram.api import Api
from lar.channels.telegram.settings import TelegramSettings
from lar.domain.conversation import Address
from lar.testing.clock import FakeClock
from lar.testing.telegram import DEFAULT_USER, TelegramSim


class Bench:
    """A Telegram, a channel to it, and what the channel reported and slept."""

    def __init__(self, sim: TelegramSim, files: Path, **options: Any) -> None:
        self.sim = sim
        self.files = files
        self.clock = FakeClock()
        self.slept: list[float] = []
        self.reports: list[str | None] = []
        self.settings = TelegramSettings.model_validate(
            {"bot_token": sim.token, "api_base": sim.url, "request_seconds": 0.5, "poll_seconds": 1, **options}
        )
        self.channel = TelegramChannel(
            self.settings, files, report=self.reports.append, clock=self.clock, sleep=self._sleep
        )
        self.api = Api(self.settings)
        self.address = Address("telegram", "main", str(DEFAULT_USER))

    async def close(self) -> None:
        """Close connections."""
        await self.channel.close()
        await self.api.close_connections()

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0.005)

    async def write(self, text: str) -> None:
        """The person writes."""
        self.sim.send_text(text)

    async def attach(self, content: bytes, name: str) -> None:
        """The person sends a document."""
        self.sim.send_media("document", content, filename=name, mime="text/plain")

    def seen(self, chat: int = DEFAULT_USER) -> list[str]:
        """Texts from the bot that are in the chat now."""
        bot = self.sim.bot.user["id"]
        return [
            str(message.get("text", message.get("caption", "")))
            for message in self.sim.messages(chat)
            if message["from"]["id"] == bot
        ]

    def calls(self, method: str) -> list[Any]:
        """Calls of one method so far."""
        return [call for call in self.sim.calls if call["method"] == method]

    def block(self) -> None:
        """The person blocks the bot."""
        self.sim.block()

    def lose_answer(self) -> None:
        """The next message takes effect, its answer is lost."""
        self.sim.fail("sendMessage", drop=True, after=True)

    def be_unwell(self) -> None:
        """The next message is answered with 500."""
        self.sim.fail("sendMessage", status=500)


@asynccontextmanager
async def serving(path: str, handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncGenerator[str]:
    """A web server with one route on a free port; yields its base URL."""
    app = web.Application()
    app.router.add_route("*", path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that no event announces."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the simulator's own state has no event to wait for
            await asyncio.sleep(0.005)
