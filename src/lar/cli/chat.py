"""`lar chat`: a client of the gateway's WebSocket; it brings a gateway along where none runs."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator

from lar.cli.client import Client, converse, say_once
from lar.cli.context import read_config
from lar.config import Config
from lar.errors import LarError
from lar.operations import home

START_SECONDS = 30.0
"""How long a gateway that is brought along may take to start."""


def chat(arguments: argparse.Namespace) -> int:
    """Talk. With a message in the arguments or lines on standard input: say each, print its answer, and exit."""
    config = read_config(arguments)
    home.prepare(config.home)
    messages = _given(arguments)
    if messages is not None and not messages:
        raise LarError("there is nothing to say: the message is empty")
    return asyncio.run(_chat(config, arguments, messages))


def _given(arguments: argparse.Namespace) -> list[str] | None:
    """The messages to say, None to talk."""
    if arguments.message is not None:
        return [arguments.message] if arguments.message.strip() else []
    if arguments.words:
        return [" ".join(arguments.words)]
    return None if sys.stdin.isatty() else [line.strip() for line in sys.stdin if line.strip()]


async def _chat(config: Config, arguments: argparse.Namespace, messages: list[str] | None) -> int:
    async with _gateway(config):
        client = Client(config.home, arguments.client)
        if messages is None:
            await converse(client)
        for message in messages or ():
            await say_once(client, message, arguments.timeout)
    return 0


@contextlib.asynccontextmanager
async def _gateway(config: Config) -> AsyncGenerator[None]:
    """The running gateway, else one of our own for as long as we talk."""
    if home.find(config.home):
        yield
        return
    from lar.app import serve  # a whole Lar, where none runs yet
    from lar.operations.logging import set_up

    quiet = config.logging.model_copy(update={"stderr": False})
    set_up(quiet, config.home / "logs", config.secrets)
    serving = asyncio.ensure_future(serve(_only_terminal(config)))
    try:
        await _started(config, serving)
        yield
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def _only_terminal(config: Config) -> Config:
    """The same without Telegram: who chats for a minute must not take messages from there and go away."""
    telegram = type(config.channels.telegram)()
    return config.model_copy(update={"channels": config.channels.model_copy(update={"telegram": telegram})})


async def _started(config: Config, serving: "asyncio.Future[None]") -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        running = home.find(config.home)
        if running and running.pid == os.getpid():
            return
        done, _ = await asyncio.wait({serving}, timeout=0.02)
        if done:
            serving.result()
            break
    raise LarError(f"the gateway did not start; {config.home / 'logs' / 'lar.log'} says why")
