"""The real product, in which a tool, a job and a channel fail when they are told to."""

import asyncio
import os

from lar.app import App, Extras
from lar.channels.contract import Accept
from lar.channels.telegram.adapter import TelegramChannel
from lar.config import load
from lar.conversations.menu import MenuHandler
from lar.domain.risk import Risk
from lar.engine.contract import JobContext, Outcome
from lar.operations.logging import set_up
from lar.tools.contract import ToolContext
from lar.tools.define import tool

SECRET = "sk-simulated"  # noqa: S105  # what the stage gives the provider

WORDS = "the words of somebody"


@tool(risk=Risk.READ, repeatable=True)
async def burst(_context: ToolContext) -> str:
    """Burst."""
    raise LookupError(f"no valve fits {SECRET} or {WORDS!r}")


async def announce(
    self: MenuHandler,  # noqa: ARG001  # as the method has it
    context: JobContext,
) -> Outcome:
    """Stands in for the job that synchronises menus."""
    raise ArithmeticError(f"menu {context.job.id}")


async def receive(self: TelegramChannel, accept: Accept) -> None:  # noqa: ARG001  # as the method has it
    """Stands in for Telegram's receiving: it fails the first time."""
    TelegramChannel.run = receiving
    raise BufferError("the first poll")


receiving = TelegramChannel.run


async def main() -> None:
    """Run all of it."""
    MenuHandler.run = announce
    TelegramChannel.run = receive
    config = load(None, os.environ)
    set_up(config.logging, None, config.secrets)
    async with App(config, Extras(tools=(burst,))) as app:
        await app.run()


if __name__ == "__main__":
    asyncio.run(main())
