"""What models take besides text, by their names: a table, for where nothing better is known."""

from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase


class Kind(StrEnum):
    """What a model may take besides text."""

    IMAGE = "image"
    AUDIO = "audio"
    DOCUMENT = "document"


_NOTHING: frozenset[Kind] = frozenset()
_IMAGES = frozenset({Kind.IMAGE})
_PAGES = frozenset({Kind.IMAGE, Kind.DOCUMENT})
_ALL = frozenset(Kind)
_SOUND = frozenset({Kind.AUDIO})

# The first pattern that fits a model's own name, without the vendor before it, decides.
_MODELS: tuple[tuple[str, frozenset[Kind]], ...] = (
    ("*gpt-audio*", _SOUND),
    ("*gpt-4o*audio*", _SOUND),
    ("gpt-oss*", _NOTHING),
    ("gpt-3.5*", _NOTHING),
    ("gpt-4-turbo*", _IMAGES),
    ("gpt-4o*", _PAGES),
    ("gpt-4.*", _PAGES),
    ("gpt-4*", _NOTHING),
    ("gpt-5*", _PAGES),
    ("o1-mini*", _NOTHING),
    ("o3-mini*", _NOTHING),
    ("o[1-9]*", _PAGES),
    ("chatgpt-*", _PAGES),
    ("claude-*", _PAGES),
    ("gemini-*", _ALL),
    ("gemma-3n*", _NOTHING),
    ("gemma3n*", _NOTHING),
    ("gemma*3*", _IMAGES),
    ("gemma*4*", _IMAGES),
    ("llama*4*", _IMAGES),
    ("*vision*", _IMAGES),
    ("*-vl*", _IMAGES),
    ("*vl:*", _IMAGES),
    ("llava*", _IMAGES),
    ("bakllava*", _IMAGES),
    ("minicpm-v*", _IMAGES),
    ("moondream*", _IMAGES),
    ("pixtral*", _IMAGES),
    ("mistral-small*", _IMAGES),
    ("mistral-medium*", _IMAGES),
    ("grok-4*", _IMAGES),
    ("deepseek*", _NOTHING),
    ("llama*", _NOTHING),
    ("qwen*", _NOTHING),
    ("mixtral*", _NOTHING),
    ("codellama*", _NOTHING),
    ("whisper*", _NOTHING),
)

_BY_PROVIDER = {"openai": _IMAGES, "anthropic": _PAGES, "gemini": _ALL}
"""What a model of these providers takes that is not in the table; of any other: nothing."""


def takes(reference: str, said: Sequence[str] = ()) -> frozenset[Kind]:
    """What the model of a reference (`provider:model`) takes; `said` are the words of the configuration about it."""
    if said:
        return frozenset(kind for kind in Kind if kind in said)
    provider, _, model = reference.lower().partition(":")
    name = model.rpartition("/")[2]
    for pattern, kinds in _MODELS:
        if fnmatchcase(name, pattern):
            return kinds
    return _BY_PROVIDER.get(provider, _NOTHING)
