"""Serve the API inside the gateway's event loop, on the wanted port or the next free one."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Generator

import structlog
import uvicorn

from lar.errors import ConfigError
from lar.web.api import build
from lar.web.doors import Doors
from lar.web.settings import ServerSettings

log = structlog.get_logger(__name__)

PORTS_TRIED = 50


def bind(settings: ServerSettings) -> socket.socket:
    """A listening socket on the configured port, or on the next free one.

    Raises:
        ConfigError: the address is not this machine's, or none of the ports is free.

    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    last = min(settings.port + PORTS_TRIED, 65536) if settings.port else 1
    for port in range(settings.port, last):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise ConfigError(f"server.host {settings.host} cannot be listened on: {error.strerror}") from None
        else:
            if settings.port not in {0, port_of(listener)}:
                log.warning("the port is busy, the next free one is taken", wanted=settings.port, port=port)
            listener.setblocking(False)
            return listener
    raise ConfigError(f"no port from server.port {settings.port} to {last - 1} is free: choose another")


def port_of(listener: socket.socket) -> int:
    """The port it listens on."""
    return int(listener.getsockname()[1])


class _Server(uvicorn.Server):
    """Leaves the signals to the gateway, which stops everything in order, and sleeps where uvicorn would poll."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.closing = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def main_loop(self) -> None:
        while not self.closing.is_set():
            await self.on_tick(0)  # the Date header
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):  # wait_for may swallow a cancellation on Python 3.11
                    await self.closing.wait()


async def serve(doors: Doors, settings: ServerSettings, listener: socket.socket) -> None:
    """Serve until cancelled; then let requests that run finish for a moment, and close the listener."""
    config = uvicorn.Config(
        build(doors, settings.host),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=4_000_000,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.closing.set()
        await asyncio.gather(serving, return_exceptions=True)
        listener.close()
