"""The simulator: the world, its users' hands, and the HTTP server in front of it."""

import ssl
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, Unpack

import aiohttp
from aiohttp import web

from lar.domain.values import Clock
from lar.testing.telegram.control import Control
from lar.testing.telegram.server import BotApi, respond
from lar.testing.telegram.user import UserSide
from lar.testing.telegram.webhooks import WebhookPusher
from lar.testing.telegram.wire import MAX_UPLOAD, ApiError
from lar.testing.telegram.world import Bot, Options

DEFAULT_TOKEN = "424242:AAF-simulated-token-0123456789abcdef"  # noqa: S105  # opens nothing but the simulator
_MAX_BODY = MAX_UPLOAD + (4 << 20)  # bytes: the biggest file and some parameters


class TelegramSim(UserSide):
    """A Telegram Bot API server on `url`; an async context manager.

    Args:
        token: Of the first bot.
        host: To listen on.
        port: To listen on; 0: any free one, known once started.
        username: Of the first bot; ends in _bot.
        extra_tokens: Of more bots, called <name>1_bot and so on.
        clock: Where dates, `t` of events, rate limits take the time from.
        log_size: How many calls are remembered.
        options: Traits of the server, see `Options`; they can be changed later with `configure`.
    """

    def __init__(  # `options` are the keywords of Options
        self,
        token: str = DEFAULT_TOKEN,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        username: str = "sim_bot",
        extra_tokens: Sequence[str] = (),
        clock: Clock = time.time,
        log_size: int = 100_000,
        **options: Unpack[Options],
    ) -> None:
        bots = [Bot(token, username, "Sim Bot")]
        for number, extra in enumerate(extra_tokens, start=1):
            bots.append(Bot(extra, f"{username.removesuffix('_bot')}{number}_bot", f"Sim Bot {number}"))
        super().__init__(bots, options, clock, log_size)
        self.host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """What stands for https://api.telegram.org."""
        return f"http://{self.host}:{self.port}"

    async def start(self) -> Self:
        """Listen; `port` is the true one afterwards."""
        api = BotApi(self)
        control = Control(self)
        self.on_pending = WebhookPusher(self, api).push
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/file/bot{token}/{path:.+}", api.serve_file)
        app.router.add_route("*", "/bot{token}/{method}", api.serve)
        app.router.add_route("*", "/_sim/{action}", control.serve)
        app.router.add_route("*", "/_sim/{action}/{chat_id}", control.serve)
        app.router.add_route("*", "/{rest:.*}", _nothing_here)
        self.http = aiohttp.ClientSession()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, keepalive_timeout=300)
        await self._runner.setup()
        await self.listen(self.host, self.port)
        self.port = self._runner.addresses[0][1]
        return self

    async def listen(self, host: str, port: int, ssl_context: ssl.SSLContext | None = None) -> None:
        """One more address to serve on, e.g. a TLS one standing in for api.telegram.org.

        Raises:
            RuntimeError: Before `start`.
        """
        if self._runner is None:
            raise RuntimeError("the simulator is not running; call start() first")
        await web.TCPSite(self._runner, host, port, ssl_context=ssl_context, backlog=1024).start()

    async def stop(self) -> None:
        """Send pollers home and close."""
        self.reset()
        if self.http:
            await self.http.close()
            self.http = None
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def _nothing_here(_: web.Request) -> web.StreamResponse:
    return respond(ApiError(404, "Not Found"))
