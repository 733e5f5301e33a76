"""`lar run`."""

import argparse
import asyncio
import contextlib
import signal

import uvloop

from lar import app
from lar.cli.context import read_config
from lar.config import Config
from lar.operations import home
from lar.operations.logging import set_up


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; a second signal ends the process at once."""
    config = read_config(arguments)
    home.prepare(config.home)
    settings = config.logging.model_copy(update={"level": "debug"}) if arguments.debug else config.logging
    set_up(settings, config.home / "logs", config.secrets)
    with contextlib.suppress(asyncio.CancelledError):
        uvloop.run(_serve(config, arguments.only))
    return 0


async def _serve(config: Config, only: str | None) -> None:
    loop = asyncio.get_running_loop()
    serving = asyncio.ensure_future(app.serve(config, only=only))

    def stop() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        serving.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await serving
