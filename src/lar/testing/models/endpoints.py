"""The simulator's endpoints: which paths there are and what each of them does.

Routes are matched on the end of the path, so that any base URL (with or without /v1, /openai/v1, ...) works.
"""

import base64
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from lar.testing.models import anthropic, failures, gemini, openai_chat, openai_responses
from lar.testing.models.audio import speech, transcribe
from lar.testing.models.completion import Completions
from lar.testing.models.exchange import Exchange
from lar.testing.models.ollama_endpoints import OLLAMA_ROUTES
from lar.testing.models.vectors import embed, packed
from lar.testing.models.wire import Wire, array, obj, objs, string

Endpoint = Callable[..., Awaitable[web.StreamResponse]]
"""`(completions, exchange, *groups of the route)` → response."""

MODELS = (
    *("sim-1", "gpt-5.2", "gpt-5-mini", "gpt-4o", "gpt-4o-mini", "claude-opus-4-5", "claude-sonnet-4-5"),
    *("gemini-3-pro", "gemini-2.5-flash", "llama3.2", "text-embedding-3-small", "whisper-1", "tts-1"),
)
"""What the model lists show; any other name is answered just as well."""

_GEMINI_DIMENSIONS = 768


async def _chat(sim: Completions, exchange: Exchange) -> web.StreamResponse:
    return await sim.answer(exchange, openai_chat.parse(await exchange.body()))


async def _responses(sim: Completions, exchange: Exchange) -> web.StreamResponse:
    body = await exchange.body()
    previous = string(body.get("previous_response_id"))
    if previous and previous not in sim.stored:
        return exchange.refuse(failures.openai("400", f"Previous response with id '{previous}' not found."))
    if previous:
        body = {**body, "input": sim.stored[previous] + openai_responses.input_items(body)}
    return await sim.answer(exchange, openai_responses.parse(body))


async def _stored_response(sim: Completions, exchange: Exchange, rid: str) -> web.StreamResponse:
    if exchange.request.method == "DELETE":
        sim.stored.pop(rid, None)
        return exchange.json({"id": rid, "object": "response", "deleted": True})
    return exchange.refuse(failures.openai("404", f"Response with id '{rid}' not found."))


async def _messages(sim: Completions, exchange: Exchange) -> web.StreamResponse:
    return await sim.answer(exchange, anthropic.parse(await exchange.body()))


async def _count_tokens(_sim: Completions, exchange: Exchange) -> web.StreamResponse:
    return exchange.json({"input_tokens": anthropic.parse(await exchange.body()).prompt_tokens})


async def _gemini(sim: Completions, exchange: Exchange, model: str, verb: str) -> web.StreamResponse:
    body = await exchange.body()
    if verb == "generateContent":
        return await sim.answer(exchange, gemini.parse(body, model, stream=False))
    if verb == "streamGenerateContent":
        if exchange.request.query.get("alt") != "sse":
            body = {**body, gemini.NOT_SSE: True}
        return await sim.answer(exchange, gemini.parse(body, model, stream=True))
    if verb == "countTokens":
        counted = gemini.parse(obj(body.get("generateContentRequest")) or body, model, stream=False)
        return exchange.json({"totalTokens": counted.prompt_tokens})
    if verb == "embedContent":
        return exchange.json({"embedding": _gemini_embedding(body)})
    if verb == "batchEmbedContents":
        return exchange.json({"embeddings": [_gemini_embedding(each) for each in objs(body.get("requests"))]})
    return exchange.refuse(failures.gemini("404", f"models/{model} is not found or does not support {verb}."))


def _gemini_embedding(request: Wire) -> Wire:
    text = " ".join(string(part.get("text")) for part in objs(obj(request.get("content")).get("parts")))
    return {"values": embed(text, int(request.get("outputDimensionality") or _GEMINI_DIMENSIONS))}


async def _models(_sim: Completions, exchange: Exchange, name: str | None) -> web.StreamResponse:
    if "v1beta" in exchange.entry["path"]:
        return exchange.json(_gemini_model(name) if name else {"models": [_gemini_model(model) for model in MODELS]})
    if "anthropic-version" in exchange.request.headers:
        data = [_anthropic_model(model) for model in MODELS]
        listed = {"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
        return exchange.json(_anthropic_model(name) if name else listed)
    data = [_openai_model(model) for model in MODELS]
    return exchange.json(_openai_model(name) if name else {"object": "list", "data": data})


def _openai_model(name: str) -> Wire:
    made = {"created": 1_700_000_000, "owned_by": "sim"}
    return {"id": name, "object": "model", **made, "name": name, "context_length": 200_000}


def _anthropic_model(name: str) -> Wire:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"}


def _gemini_model(name: str) -> Wire:
    limits = {"inputTokenLimit": 1_000_000, "outputTokenLimit": 65_536}
    methods = ["generateContent", "countTokens"]
    return {"name": f"models/{name}", "displayName": name, **limits, "supportedGenerationMethods": methods}


async def _embeddings(sim: Completions, exchange: Exchange) -> web.StreamResponse:
    body = await exchange.body()
    refused = sim.key_error(exchange.key)
    if refused:
        return exchange.refuse(failures.openai(refused))
    given = body.get("input")
    texts = array(given)
    if not texts or isinstance(texts[0], int):  # one text, or one text as token numbers
        texts = [given]
    dimensions = int(body.get("dimensions") or sim.options["dims"])
    data: list[Wire] = []
    for at, text in enumerate(texts):
        vector = embed(text if isinstance(text, str) else " ".join(map(str, array(text))), dimensions)
        coded: Any = base64.b64encode(packed(vector)).decode() if body.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": at, "embedding": coded})
    tokens = sum(len(str(text)) for text in texts) // 4 + 1
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return exchange.json({"object": "list", "model": body.get("model"), "data": data, "usage": usage})


_ROUTES: tuple[tuple[str, Endpoint], ...] = (
    (r"/chat/completions$", _chat),
    (r"/responses/?$", _responses),
    (r"/responses/(resp_\w+)$", _stored_response),
    (r"/messages/count_tokens$", _count_tokens),
    (r"/messages$", _messages),
    (r"/embeddings$", _embeddings),
    (r"/audio/transcriptions$", transcribe),
    (r"/audio/translations$", transcribe),
    (r"/audio/speech$", speech),
    (r"/models/([^/:]+|[^:]+/[^:]+):(\w+)$", _gemini),
    (r"/models(?:/(.+))?$", _models),
)
ROUTES: list[tuple[re.Pattern[str], Endpoint]] = [
    (re.compile(pattern), endpoint) for pattern, endpoint in (*OLLAMA_ROUTES, *_ROUTES)
]
"""Every path, the more specific ones first."""
