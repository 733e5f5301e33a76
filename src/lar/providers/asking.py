"""One question to a model outside of any turn: no tools, no history, a bounded answer."""

import asyncio
from importlib import import_module
from typing import Protocol

from lar.errors import ThinkingError
from lar.providers.contract import Parameters
from lar.providers.models import Models

RETRIES, LONGEST_WAIT = 2, 30.0
"""How often a failed call that may succeed later is made again, and for how long (seconds) that is waited at most."""


class Ask(Protocol):
    """Asks a model."""

    async def __call__(self, system: str, prompt: str, /) -> str:
        """The answer; empty if the model said nothing.

        Raises:
            ThinkingError: there is none.

        """
        ...


class Asker:
    """Asks one model. An `Ask`. `max_output_tokens` bounds what an answer costs."""

    def __init__(self, models: Models, reference: str, max_output_tokens: int) -> None:
        models.check(reference)
        self._models = models
        self._reference = reference
        self._parameters = Parameters(max_output_tokens=max_output_tokens)

    async def __call__(self, system: str, prompt: str, /) -> str:
        """The answer; see `Ask`."""
        model = await self._models.get(self._reference, self._parameters)
        await asyncio.to_thread(import_module, "lar.providers.errors")
        from pydantic_ai.direct import model_request
        from pydantic_ai.messages import ModelRequest

        from lar.providers.errors import MODEL_ERRORS, explain

        question = ModelRequest.user_text_prompt(prompt, instructions=system)
        attempt = 0
        while True:
            try:
                return (await model_request(model, [question])).text or ""
            except MODEL_ERRORS as error:
                failure = explain(error)
                wait = 2.0**attempt if failure.retry_after is None else failure.retry_after
                if not failure.transient or attempt == RETRIES or wait > LONGEST_WAIT:
                    raise ThinkingError(failure.kind, failure.message, retry_after=failure.retry_after) from None
            attempt += 1
            await asyncio.sleep(wait)
