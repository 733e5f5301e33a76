"""The door to the model loop: imports no model library until the first turn, or until it is told to warm up."""

import asyncio
from collections.abc import AsyncGenerator
from importlib import import_module
from typing import TYPE_CHECKING

from lar.providers.models import Models
from lar.runtimes.contract import RuntimeEvent, TurnRequest
from lar.runtimes.loop.settings import LoopSettings, Sleep

if TYPE_CHECKING:
    from pydantic_ai.models import Model


class LoopRuntime:
    """Thinks with a model and tools. A `Runtime`; one serves all turns of its agent."""

    def __init__(self, models: Models, settings: LoopSettings, *, sleep: Sleep = asyncio.sleep) -> None:
        models.check(settings.model)
        self._models = models
        self._settings = settings
        self._sleep = sleep
        self._model: Model | None = None

    async def warm(self) -> None:
        """Import the model library and make the model, off the event loop, so that the first turn need not wait."""
        await self._ready()

    async def run(self, request: TurnRequest) -> AsyncGenerator[RuntimeEvent, None]:
        """Think. Closing the iterator ends the model call or the tool call that runs.

        Raises:
            ThinkingError: it cannot go on.

        """
        model = await self._ready()
        from lar.runtimes.loop.thinking import Thinking

        events: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        thinking = Thinking(request, model, self._settings, self._sleep, events.put_nowait)
        task = asyncio.create_task(thinking.run())
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _ready(self) -> "Model":
        if self._model is None:
            await asyncio.to_thread(import_module, "lar.runtimes.loop.thinking")
            self._model = await self._models.get(self._settings.model, self._settings.parameters)
        return self._model
