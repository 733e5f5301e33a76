"""One model call: streamed, tried again where that can help, and explained where it cannot. Imports pydantic-ai."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import ContentFilterError
from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from lar.domain.turn import Usage
from lar.domain.values import JsonObject
from lar.errors import ThinkingError
from lar.providers.errors import MODEL_ERRORS, Failure, explain
from lar.runtimes.contract import RuntimeEvent, TextDelta, TextReset
from lar.runtimes.loop.record import Transcript, digest, write_answer
from lar.runtimes.loop.settings import LoopSettings, Sleep
from lar.tools.contract import Tool

Emit = Callable[[RuntimeEvent], None]

log = structlog.get_logger(__name__)

_unpriced: set[tuple[str | None, ...]] = set()
"""Models (provider, address, name) without a known price: finding that out takes a walk through the price list."""

_LONGEST_WAIT = 30.0
"""A provider that wants us to wait longer (seconds) is not waited for: the person is told when to come back."""


class Asking:
    """Asks one model, with the same system prompt and tools throughout a turn."""

    def __init__(
        self, model: Model, system: str, tools: Sequence[Tool], settings: LoopSettings, sleep: Sleep, emit: Emit
    ) -> None:
        self._model = model
        self._settings = settings
        self._sleep = sleep
        self._emit = emit
        self._parameters = ModelRequestParameters(
            function_tools=[
                ToolDefinition(
                    name=tool.name,
                    parameters_json_schema=dict(tool.schema),
                    description=tool.description,
                    strict=False,  # schemas are sent as they are
                )
                for tool in tools
            ],
            instruction_parts=[InstructionPart(system)] if system else [],
        )
        offered = [[tool.name, tool.description, dict(tool.schema)] for tool in tools]
        self._constant = {"model": settings.model, "system": digest(system), "tools": digest(offered)}

    def record(self, transcript: Transcript) -> JsonObject:
        """What the journal says about the question: digests, by which a replay tells what changed."""
        asked = {**self._constant, "messages": list(transcript.digests)}
        return {"digest": digest(asked), **asked}

    async def ask(self, messages: list[ModelMessage]) -> JsonObject:
        """Ask until there is an answer, and return it as the journal keeps it.

        Raises:
            ThinkingError: the model's provider refuses, or failed too often.

        """
        attempt = 0
        while True:
            attempt += 1
            shown = _Shown(self._emit)
            try:
                response = await self._stream(messages, shown)
            except MODEL_ERRORS as error:
                failure = explain(error)
                wait = self._wait(failure, attempt)
                said = "" if failure.kind == "auth" else str(error)[:500]  # some servers repeat the key they refuse
                log.warning("model call failed", kind=failure.kind, attempt=attempt, wait=wait, error=said)
                if wait is None:
                    raise ThinkingError(failure.kind, failure.message, retry_after=failure.retry_after) from error
                shown.withdraw()
                await self._sleep(wait)
            else:
                return write_answer(response, replace(_usage(response), model_calls=attempt))

    async def _stream(self, messages: list[ModelMessage], shown: "_Shown") -> ModelResponse:
        async with model_request_stream(self._model, messages, model_request_parameters=self._parameters) as stream:
            async for event in stream:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    shown.more(event.part.content)
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    shown.more(event.delta.content_delta)
        response = stream.get()
        if response.finish_reason == "content_filter" and not response.text and not response.tool_calls:
            raise ContentFilterError("the answer was filtered")
        return response

    def _wait(self, failure: Failure, attempt: int) -> float | None:
        """Seconds until the next attempt; None: there is none."""
        if not failure.transient or attempt > self._settings.retries:
            return None
        wait = 2.0 ** (attempt - 1) if failure.retry_after is None else failure.retry_after
        return wait if wait <= _LONGEST_WAIT else None


class _Shown:
    """What the person has seen of an answer."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._any = False

    def more(self, text: str) -> None:
        if text:
            self._any = True
            self._emit(TextDelta(text))

    def withdraw(self) -> None:
        if self._any:
            self._emit(TextReset())


def _usage(response: ModelResponse) -> Usage:
    usd = None
    who = (response.provider_name, response.provider_url, response.model_name)
    if who not in _unpriced:
        try:
            usd = float(response.cost().total_price)
        except (LookupError, ValueError, AssertionError):
            _unpriced.add(who)
    return Usage(1, 0, response.usage.input_tokens, response.usage.output_tokens, usd)
