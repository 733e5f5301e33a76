"""The real product with a tool that takes its time; `$LAR_TEST_EFFECTS` tells when it began and when it ended."""

import asyncio
import os
from pathlib import Path

from lar.app import App, Extras
from lar.config import load
from lar.domain.risk import Risk
from lar.operations.logging import set_up
from lar.tools.contract import ToolContext
from lar.tools.define import tool

EFFECTS = Path(os.environ["LAR_TEST_EFFECTS"])


def note(text: str) -> None:
    """Leave a trace."""
    with EFFECTS.open("a") as file:
        file.write(f"{text}\n")


@tool(risk=Risk.WRITE, repeatable=False)
async def ponder(_context: ToolContext, seconds: float = 60.0) -> str:
    """Think about it.

    Args:
        seconds: For how long.
    """
    note("begun")
    await asyncio.sleep(seconds)
    note("ended")
    return "pondered"


async def main() -> None:
    """Run a gateway and a worker."""
    config = load(None, os.environ)
    set_up(config.logging, None, config.secrets)
    async with App(config, Extras(tools=(ponder,))) as app:
        await app.run(frozenset({"gateway", "worker"}))


if __name__ == "__main__":
    asyncio.run(main())
