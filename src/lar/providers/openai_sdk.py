"""The OpenAI SDK, tuned: one pool of connections, no retries of its own, no rewriting of requests.

The SDK walks through every request along Python's type hints to rename keys that need no renaming here: 0.2 ms per
message of the history, more than half of the CPU of a whole model call. `LeanClient` sends the request as it was
built, by the SDK's documented `client.post`.
"""

from functools import cached_property
from typing import Any, TypeVar, cast

from openai import AsyncOpenAI, AsyncStream, NotGiven, Omit, RequestOptions
from openai.resources.chat import AsyncChat, AsyncCompletions
from openai.resources.responses import AsyncResponses
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import ValidationError
from pydantic_ai.models.openai import OpenAIChatModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile

from lar.providers.contract import Parameters
from lar.providers.settings import ProviderSettings
from lar.providers.transport import open_http

_OPTIONS = {"extra_headers": "headers", "extra_query": "params", "extra_body": "extra_json", "timeout": "timeout"}

AS_THEY_ARE = OpenAIModelProfile(json_schema_transformer=None)
"""Schemas of tools are ours and plain: walking through them again for every request is half a millisecond."""

_Whole = TypeVar("_Whole", bound=ChatCompletion | Response)


class Chunk(ChatCompletionChunk):
    """A streamed chunk that is built in one go where it is as documented, else as the SDK builds it: tolerantly."""

    @classmethod
    def build(cls, *, response: object, data: object) -> ChatCompletionChunk:
        """The SDK's hook for types that make themselves."""
        del response
        try:
            return ChatCompletionChunk.model_validate(data)
        except ValidationError:
            return ChatCompletionChunk.construct(**cast("dict[str, Any]", data))


class _LeanCompletions(AsyncCompletions):
    async def create(self, **parameters: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # the same call, untyped
        stream_class = AsyncStream[Chunk]
        return await _post(self._client, "/chat/completions", parameters, ChatCompletion, stream_class)


class _LeanChat(AsyncChat):
    @cached_property
    def completions(self) -> AsyncCompletions:  # pyright: ignore[reportIncompatibleMethodOverride]  # the SDK's own class of property
        return _LeanCompletions(self._client)


class _LeanResponses(AsyncResponses):
    async def create(self, **parameters: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # the same call, untyped
        stream_class = AsyncStream[ResponseStreamEvent]
        return await _post(self._client, "/responses", parameters, Response, stream_class)


class LeanClient(AsyncOpenAI):
    """The SDK's client with `chat.completions.create` and `responses.create` sending what they are given."""

    @cached_property
    def chat(self) -> AsyncChat:  # pyright: ignore[reportIncompatibleMethodOverride]  # the SDK's own class of property
        """Chat Completions."""
        return _LeanChat(self)

    @cached_property
    def responses(self) -> AsyncResponses:  # pyright: ignore[reportIncompatibleMethodOverride]  # the SDK's own class of property
        """Responses."""
        return _LeanResponses(self)


async def _post(
    client: AsyncOpenAI,
    path: str,
    parameters: dict[str, Any],
    whole: type[_Whole],
    stream_class: type[AsyncStream[Any]],
) -> object:
    given = {name: value for name, value in parameters.items() if not isinstance(value, NotGiven | Omit)}
    taken = {option: given.pop(name, None) for name, option in _OPTIONS.items()}
    options = RequestOptions(**{option: value for option, value in taken.items() if value is not None})
    stream = bool(given.get("stream"))
    answer: object = await client.post(
        path, cast_to=whole, body=given, options=options, stream=stream, stream_cls=stream_class
    )
    return answer


def open_client(settings: ProviderSettings, key: str) -> LeanClient:
    """A client with its own pool of connections. A model may stay silent for the configured time, between any bytes."""
    http = open_http(settings.timeout_seconds)
    return LeanClient(
        api_key=key or "no-key-needed",  # servers at home often want none, and the SDK wants one
        base_url=settings.address or None,
        http_client=http,
        timeout=http.timeout,
        max_retries=0,
    )


def fill(settings: OpenAIChatModelSettings, parameters: Parameters) -> None:
    """Put in what is set, and nothing else."""
    if parameters.temperature is not None:
        settings["temperature"] = parameters.temperature
    if parameters.max_output_tokens is not None:
        settings["max_tokens"] = parameters.max_output_tokens
    if parameters.reasoning_effort is not None:
        settings["openai_reasoning_effort"] = parameters.reasoning_effort
