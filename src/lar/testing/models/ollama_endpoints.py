"""Ollama's own endpoints."""

import hashlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from lar.testing.models import ollama
from lar.testing.models.completion import Completions
from lar.testing.models.exchange import Exchange
from lar.testing.models.vectors import embed
from lar.testing.models.wire import Wire, array, string

_MODELS = ("llama3.2", "sim-1")
_DIMENSIONS = 768
_MODIFIED = "2025-01-01T00:00:00Z"
_DETAILS: Wire = {
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "8B",
    "quantization_level": "Q4_K_M",
    "parent_model": "",
}


async def _answer(sim: Completions, exchange: Exchange) -> web.StreamResponse:
    ask = ollama.parse(await exchange.body())
    if not any(message.parts or message.media or message.results for message in ask.messages):  # only loads the model
        return exchange.json({**ollama.line(ask, ""), "done": True, "done_reason": "load"})
    return await sim.answer(exchange, ask)


def _tag(model: str) -> Wire:
    digest = hashlib.sha256(model.encode()).hexdigest()
    name = f"{model}:latest"
    size = 1_000_000
    return {"name": name, "model": name, "modified_at": _MODIFIED, "size": size, "digest": digest, "details": _DETAILS}


async def _tags(_sim: Completions, exchange: Exchange) -> web.StreamResponse:
    return exchange.json({"models": [_tag(model) for model in _MODELS]})


async def _show(_sim: Completions, exchange: Exchange) -> web.StreamResponse:
    await exchange.body()
    shown: Wire = {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "modified_at": _MODIFIED,
        "details": _DETAILS,
        "model_info": {"general.architecture": "llama", "llama.context_length": 131_072},
        "capabilities": ["completion", "tools", "vision", "thinking"],
    }
    return exchange.json(shown)


async def _version(_sim: Completions, exchange: Exchange) -> web.StreamResponse:
    return exchange.json({"version": "0.13.0"})


async def _embed(_sim: Completions, exchange: Exchange) -> web.StreamResponse:
    body = await exchange.body()
    given = body.get("input", body.get("prompt", ""))
    texts = [given] if isinstance(given, str) else array(given)
    dimensions = int(body.get("dimensions") or _DIMENSIONS)
    vectors = [embed(string(text), dimensions) for text in texts]
    if "prompt" in body:
        return exchange.json({"embedding": vectors[0]})
    return exchange.json({"model": body.get("model"), "embeddings": vectors, "prompt_eval_count": 1})


OLLAMA_ROUTES: tuple[tuple[str, Callable[..., Awaitable[web.StreamResponse]]], ...] = (
    (r"/api/chat$", _answer),
    (r"/api/generate$", _answer),
    (r"/api/(?:tags|ps)$", _tags),
    (r"/api/show$", _show),
    (r"/api/version$", _version),
    (r"/api/(?:embed|embeddings)$", _embed),
)
