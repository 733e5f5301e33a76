"""The door to the model loop: imports no model library until the first turn, or until it is told to warm up."""

import asyncio
from collections.abc import AsyncGenerator

from lar.providers.loading import load
from lar.providers.models import Models
from lar.runtimes.contract import RuntimeEvent, TurnRequest
from lar.runtimes.loop.settings import LoopSettings, Sleep


class LoopRuntime:
    """Thinks with a model and tools. A `Runtime`; one serves all turns of its agent."""

    def __init__(self, models: Models, settings: LoopSettings, *, sleep: Sleep = asyncio.sleep) -> None:
        for model in (settings.model, *settings.fallbacks):
            models.check(model)
        self._models = models
        self._settings = settings
        self._sleep = sleep
        self._imported = False

    async def warm(self) -> None:
        """Import the model library and make the model, off the event loop, so that the first turn need not wait."""
        await self._ready()
        await self._models.get(self._settings.model, self._settings.parameters)

    async def run(self, request: TurnRequest) -> AsyncGenerator[RuntimeEvent, None]:
        """Think. Closing the iterator ends the model call or the tool call that runs.

        Raises:
            ThinkingError: it cannot go on.

        """
        await self._ready()
        from lar.runtimes.loop.thinking import Thinking

        events: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        thinking = Thinking(request, self._models, self._settings, self._sleep, events.put_nowait)
        task = asyncio.create_task(thinking.run())
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _ready(self) -> None:
        if not self._imported:
            await load("lar.runtimes.loop.thinking")
            self._imported = True
