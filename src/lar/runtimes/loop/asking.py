"""One model call: streamed, tried again where that can help, and explained where it cannot. Imports pydantic-ai."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import ContentFilterError, UnexpectedModelBehavior
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
from lar.providers.contract import Input
from lar.providers.failover import Failover
from lar.providers.health import Way
from lar.providers.prices import tokens_of, tokens_of_text
from lar.runtimes.contract import RuntimeEvent, TextDelta, TextReset
from lar.runtimes.loop.fitting import fitted
from lar.runtimes.loop.record import Transcript, digest, write_answer
from lar.runtimes.loop.shortening import Shortening
from lar.tools.contract import Tool

Emit = Callable[[RuntimeEvent], None]
Takes = Callable[[str], Collection[Input]]
"""What a model (`provider:model`) takes besides text."""

_unpriced: set[tuple[str | None, ...]] = set()
"""Models (provider, address, name) without a known price: finding that out takes a walk through the price list."""


class Asking:
    """Asks models, with the same system prompt and tools throughout a turn. `model` is the first of them.

    `takes` tells what a model takes besides text: of files of other kinds it is told.
    """

    def __init__(
        self,
        failover: Failover,
        model: str,
        system: str,
        tools: Sequence[Tool],
        shorten: Shortening,
        emit: Emit,
        takes: Takes,
    ) -> None:
        self._failover = failover
        self._shorten = shorten
        self._takes = takes
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
        self._size = tokens_of_text(system) + tokens_of_text(json.dumps(offered))
        self._constant = {"model": model, "system": digest(system), "tools": digest(offered)}

    def record(self, transcript: Transcript) -> JsonObject:
        """What the journal says about the question: digests, by which a replay tells what changed."""
        asked = {**self._constant, "messages": list(transcript.digests)}
        return {"digest": digest(asked), **asked}

    async def ask(self, messages: list[ModelMessage]) -> JsonObject:
        """Ask until there is an answer, and return it as the journal keeps it.

        Raises:
            ThinkingError: no model answers.

        """
        question = _Question(messages, self._parameters, self._shorten, self._emit, self._takes, self._size)
        answered = await self._failover.ask(question)
        usage = replace(_usage(answered.answer, answered.usd), model_calls=answered.attempts)
        return write_answer(answered.answer, usage, answered.way)


class _Question:
    """One question to whichever model answers it. A `Question`."""

    def __init__(
        self,
        messages: list[ModelMessage],
        parameters: ModelRequestParameters,
        shorten: Shortening,
        emit: Emit,
        takes: Takes,
        size: int,
    ) -> None:
        self._size = size
        self._takes = takes
        self._messages = messages
        self._parameters = parameters
        self._shorten = shorten
        self._shown = _Shown(emit)

    async def ask(self, way: Way, model: Model, /) -> ModelResponse:
        """Ask this model, showing what it says while it says it."""
        shown = self._shown
        shown.characters = 0
        messages = fitted(self._shorten.sent(self._messages), self._takes(way.reference))
        async with model_request_stream(model, messages, model_request_parameters=self._parameters) as stream:
            async for event in stream:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    shown.more(event.part.content)
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    shown.more(event.delta.content_delta)
        response = stream.get()
        if not response.text and not response.tool_calls:
            if response.finish_reason == "content_filter":
                raise ContentFilterError("the answer was filtered")
            if response.finish_reason == "error":
                raise UnexpectedModelBehavior("the model's answer was malformed")
        return response

    def size(self) -> int:
        """How many tokens the question is at most."""
        return self._size + tokens_of(self._shorten.sent(self._messages))

    def shown(self) -> int:
        """How many characters of an answer arrived."""
        return self._shown.characters

    def withdraw(self) -> None:
        """What was shown is void."""
        self._shown.withdraw()

    async def shorten(self) -> bool:
        """Leave something out."""
        return await self._shorten.more(self._messages)


class _Shown:
    """What the person has seen of an answer."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._any = False
        self.characters = 0

    def more(self, text: str) -> None:
        self.characters += len(text)
        if text:
            self._any = True
            self._emit(TextDelta(text))

    def withdraw(self) -> None:
        if self._any:
            self._any = False
            self._emit(TextReset())


def _usage(response: ModelResponse, usd: float | None) -> Usage:
    if usd is not None:
        return Usage(1, 0, response.usage.input_tokens, response.usage.output_tokens, usd)
    who = (response.provider_name, response.provider_url, response.model_name)
    if who not in _unpriced:
        try:
            usd = float(response.cost().total_price)
        except (LookupError, ValueError, AssertionError):
            _unpriced.add(who)
    return Usage(1, 0, response.usage.input_tokens, response.usage.output_tokens, usd)
