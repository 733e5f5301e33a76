"""Which models take images, audio and documents: a small table by API and name. Nobody is asked."""

import re

from lar.providers.contract import Input
from lar.providers.settings import ProviderKind

_SEES: frozenset[Input] = frozenset({"image"})
_READS: frozenset[Input] = frozenset({"image", "document"})
_ALL: frozenset[Input] = frozenset({"image", "audio", "document"})
_HEARS: frozenset[Input] = frozenset({"audio"})
_NOTHING: frozenset[Input] = frozenset()

# The first pattern that is found in the name decides. Names are those of the vendor's own API.
_GOOGLE = (
    (r"^gemini-.*(embedding|tts)|^imagen|^veo|^gemma-3n", _NOTHING),
    (r"^gemini-", _ALL),
    (r"^gemma-[34]", _SEES),
)
_ANTHROPIC = ((r"^claude-(2|instant)", _NOTHING), (r"^claude-", _READS))
_OPENAI = (
    (r"audio", _HEARS),
    (r"^gpt-3|^gpt-4(-\d|$)|^gpt-oss|^o1-mini|^o3-mini|embedding|whisper|tts|transcribe|realtime", _NOTHING),
    (r"^gpt-4-turbo", _SEES),
    (r"^(gpt-4o|gpt-4\.|gpt-[5-9]|chatgpt-|o[1-9])", _READS),
)
_OPEN_MODELS = (
    (r"gemma-?3n", _NOTHING),
    (r"llama-?4|llava|vision|[-:/]vl\b|vl[-:]|-vl|gemma-?[34]|minicpm-v|pixtral|moondream|qwen3\.[5-9]", _SEES),
    (r"mistral-(small|medium)|grok-4", _SEES),
)

_BY_KIND: dict[ProviderKind, tuple[tuple[str, frozenset[Input]], ...]] = {
    "google": _GOOGLE,
    "anthropic": _ANTHROPIC,
    "openai": (*_OPENAI, *_OPEN_MODELS),
    "openai_responses": (*_OPENAI, *_OPEN_MODELS),
    "groq": _OPEN_MODELS,
    "ollama": _OPEN_MODELS,
    "openrouter": _OPEN_MODELS,
}
_BY_VENDOR = {"google": _GOOGLE, "anthropic": _ANTHROPIC, "openai": _OPENAI}


def taken_by(kind: ProviderKind, model: str) -> frozenset[Input]:
    """What a model may be given besides text; nothing where its name is not known."""
    table = _BY_KIND[kind]
    if kind == "openrouter":
        vendor, _, rest = model.lower().partition("/")
        table, model = _BY_VENDOR.get(vendor, table), rest or model
    found = (takes for pattern, takes in table if re.search(pattern, model.lower()))
    return next(found, _NOTHING)
