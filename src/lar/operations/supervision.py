"""Parts of the process that go on whatever happens to one of them."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from lar.conversations.problems import Problems

log = structlog.get_logger(__name__)

RESTART_FIRST, RESTART_MOST = 1.0, 60.0
"""Seconds before a part that failed is started again: doubling from the first to the most."""

Work = Callable[[], Awaitable[None]]


class Supervisor:
    """Runs parts and shows what is wrong with them in `problems`."""

    def __init__(self, problems: Problems, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._problems = problems
        self._sleep = sleep

    async def forever(self, name: str, serve: Work) -> None:
        """Run a part for ever: should it fail, that is recorded, shown, and it is started again."""
        pause = RESTART_FIRST
        while True:
            try:
                await serve()
            except Exception as error:
                log.exception("part failed", part=name)
                self._problems.report(name, f"failed: {error}; it is started again")
            await self._sleep(pause)
            pause = min(pause * 2, RESTART_MOST)
            self._problems.report(name, None)

    async def once(self, name: str, work: Work) -> None:
        """Do something at start that Lar can live without."""
        try:
            await work()
        except Exception as error:
            log.exception("start-up work failed", part=name)
            self._problems.report(name, f"failed: {error}")
