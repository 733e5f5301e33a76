"""R-LM-1, R-LM-4: the table of providers and features, each cell run in the provider's own protocol."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_ai.direct import model_request
from pydantic_ai.messages import BinaryContent, ModelRequest, ThinkingPart, UserPromptPart

from lar.providers.anthropic.factory import AnthropicFactory
from lar.providers.contract import Input, Parameters
from lar.providers.google.factory import GoogleFactory
from lar.providers.groq.factory import GroqFactory
from lar.providers.keyed import KeyedFactory
from lar.providers.models import Models
from lar.providers.ollama.factory import OllamaFactory
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.openrouter.factory import OpenRouterFactory
from lar.providers.settings import ProviderKind, ProviderSettings
from lar.runtimes.contract import ModelCalled, TextDelta
from lar.runtimes.loop.runtime import LoopRuntime
from lar.runtimes.loop.settings import LoopSettings
from lar.testing.journal import MemoryJournal
from lar.testing.models import ModelSim
from lar.testing.models.samples import png_bytes
from lar.testing.turns import Ask, Effects, answer_of, think

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
BEGIN, END = "<!-- the table, as tests/providers/test_provider_table.py has it -->\n", "<!-- end of the table -->"

YES, NO = "yes", "-"
FEATURES = ("plain", "stream", "tools", "image", "audio", "document", "reasoning", "usage")
MEDIA: dict[str, tuple[Input, bytes, str]] = {
    "image": ("image", png_bytes(), "image/png"),
    "audio": ("audio", b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
    "document": ("document", b"%PDF-1.4\n%%EOF", "application/pdf"),
}

Make = Callable[[str, ProviderSettings], KeyedFactory]
PROVIDERS: dict[str, tuple[ProviderKind, Make, str, str]] = {
    "OpenAI Chat Completions": ("openai", OpenAIFactory, "openai", "gpt-5-mini"),
    "OpenAI Chat, an audio model": ("openai", OpenAIFactory, "openai", "gpt-4o-audio-preview"),
    "OpenAI Responses": ("openai_responses", OpenAIFactory, "openai", "gpt-5-mini"),
    "Anthropic": ("anthropic", AnthropicFactory, "anthropic", "claude-sonnet-4-6"),
    "Gemini": ("google", GoogleFactory, "gemini", "gemini-3-flash-preview"),
    "Groq": ("groq", GroqFactory, "groq", "openai/gpt-oss-120b"),
    "Groq, a model that sees": ("groq", GroqFactory, "groq", "meta-llama/llama-4-scout-17b-16e-instruct"),
    "OpenRouter": ("openrouter", OpenRouterFactory, "openrouter", "google/gemini-3-flash-preview"),
    "Ollama": ("ollama", OllamaFactory, "ollama", "llama3.2"),
    "Ollama, a model that sees": ("ollama", OllamaFactory, "ollama", "llava"),
    "any compatible server": ("openai", OpenAIFactory, "home", "mine"),
}
"""Rows of the table: the API, its factory, the provider's name, and a model."""


@pytest.fixture
async def sim() -> AsyncIterator[ModelSim]:
    """The servers."""
    async with ModelSim() as sim:
        yield sim


@pytest.fixture
async def models(sim: ModelSim, row: str) -> AsyncIterator[Models]:
    """The provider of this row."""
    kind, make, name, _ = PROVIDERS[row]
    url = sim.url if kind in {"google", "anthropic", "ollama"} else sim.openai_url
    models = Models({name: make(name, ProviderSettings(kind=kind, base_url=url, api_key=SecretStr("sk-test")))})
    yield models
    await models.close()


def reference(row: str) -> str:
    """The model of this row."""
    _, _, name, model = PROVIDERS[row]
    return f"{name}:{model}"


def expected(row: str, feature: str) -> str:
    """What the table says: media go to models that take them."""
    kind, make, name, model = PROVIDERS[row]
    if feature not in MEDIA:
        return YES
    return YES if MEDIA[feature][0] in make(name, ProviderSettings(kind=kind)).takes(model) else NO


def table() -> str:
    """The table of the page."""
    lines = [f"| | {' | '.join(FEATURES)} |", f"|---|{'---|' * len(FEATURES)}"]
    lines += [f"| {row} | {' | '.join(expected(row, feature) for feature in FEATURES)} |" for row in PROVIDERS]
    return "\n".join(lines) + "\n"


CELLS = [(row, feature) for row in PROVIDERS for feature in FEATURES if expected(row, feature) == YES]


async def sees(models: Models, model: str, feature: str) -> bool:
    """Whether a file arrives as what it is."""
    _, data, mime = MEDIA[feature]
    prompt = UserPromptPart(["[[image?]]", BinaryContent(data, media_type=mime)])
    response = await model_request(await models.get(model), [ModelRequest([prompt])])
    return (response.text or "").startswith("media: 1 in this message")


async def reasons(models: Models, model: str) -> bool:
    """Whether reasoning can be asked for, is kept apart from the answer, and goes along when tools are called."""
    runtime = LoopRuntime(models, LoopSettings(model, Parameters(reasoning_effort="low")))
    prompt = '[[think:let me see]] [[tool:look {"at": "the sky"}]]'
    journal = MemoryJournal()
    events = await think(runtime, Ask(prompt, tools=Effects().tools()), journal)
    parts: list[dict[str, str]] = (journal.output("model:1") or {})["response"]["parts"]
    kept = any(part["part_kind"] == ThinkingPart.part_kind and "let me see" in part["content"] for part in parts)
    return kept and answer_of(events).text == "tool look said: saw the sky"


@pytest.mark.parametrize(("row", "feature"), CELLS)
async def test_a_cell(models: Models, sim: ModelSim, row: str, feature: str) -> None:
    """R-LM-1: what the table promises works in the provider's own protocol."""
    model = reference(row)
    runtime = LoopRuntime(models, LoopSettings(model))
    match feature:
        case "plain":
            assert answer_of(await think(runtime, Ask("hello"))).text == "echo: hello"
        case "stream":
            events = await think(runtime, Ask("[[text:one two three four five six seven eight nine ten eleven]]"))
            assert sum(isinstance(event, TextDelta) for event in events) > 1
            assert sim.log[-1]["stream"]
        case "tools":
            effects = Effects()
            await think(runtime, Ask('[[tool:act {"on": "a"}]] [[tool:look {"at": "b"}]]', tools=effects.tools()))
            assert (effects.acted, effects.looked) == (["a"], ["b"])
        case "reasoning":
            assert await reasons(models, model)
        case "usage":
            events = await think(runtime, Ask("hello"))
            used = next(event.usage for event in events if isinstance(event, ModelCalled))
            tokens = sim.log[-1]["tokens"]
            assert (used.input_tokens, used.output_tokens) == (tokens["input"], tokens["output"])
        case _:
            assert await sees(models, model, feature)


def test_the_page_has_the_table() -> None:
    """docs/providers.md shows what this suite runs."""
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table()
