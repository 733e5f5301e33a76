"""What model calls cost, in US dollars. Imports the price list: for use after a first call."""

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

from genai_prices import Usage, calc_price
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from lar.domain.spend import Spent
from lar.policy.settings import BudgetSettings, Price
from lar.providers.contract import Vendor

_IMAGE_TOKENS = 3_000
_BYTES_PER_TOKEN = 10
_PER_MILLION = 1_000_000
_HEARD_TOKENS, _WRITTEN_TOKENS = 20, 10
"""Tokens of a second of sound, and of what is said in it, at most."""
_SOUNDS_LIKE = 2
"""Tokens of sound for a character that is spoken, at most."""
_SPEECH: Mapping[tuple[str, str], Price] = {
    ("openai", "tts-1"): Price(input=15.0),
    ("openai", "tts-1-hd"): Price(input=30.0),
}
"""Prices the list does not have, by vendor and model: where characters are billed, a character is a token."""

_not_listed: set[tuple[str, str]] = set()
"""Models the list does not know: finding that out takes a walk through it."""


class Prices:
    """Prices of models: the owner's, else the list's, else nothing at home, else the dearest that is likely."""

    def __init__(self, settings: BudgetSettings) -> None:
        self._settings = settings

    def of(self, reference: str, vendor: Vendor, tokens: Spent, usage: Usage | None = None) -> float:
        """What so many tokens of this model cost. `usage` is the same, with what of it was read from a cache."""
        own = self._settings.prices.get(reference)
        if own is not None:
            return _by_hand(own, tokens)
        if vendor.id == "home":
            return 0.0
        usage = usage or Usage(input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens)
        listed = self._listed(reference.partition(":")[2], vendor, usage)
        if listed is not None:
            return listed
        return 0.0 if is_at_home(vendor.url) else _by_hand(self._settings.unknown, tokens)

    def paid(self, reference: str, vendor: Vendor, response: ModelResponse, asked: int) -> Spent:
        """What an answer cost. Where the server does not count tokens, they are reckoned: `asked` for the prompt."""
        used = response.usage
        if not (used.input_tokens or used.output_tokens):
            return self.reckoned(reference, vendor, asked, tokens_of([response]))
        usage = Usage(
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cache_read_tokens=used.cache_read_tokens or None,
            cache_write_tokens=used.cache_write_tokens or None,
        )
        spent = Spent(used.input_tokens, used.output_tokens)
        return replace(spent, usd=self.of(reference, vendor, spent, usage))

    def sound(self, reference: str, vendor: Vendor, seconds: float) -> Spent:
        """What it costs at most to transcribe so many seconds of sound, reckoned."""
        tokens_in, tokens_out = math.ceil(seconds * _HEARD_TOKENS), math.ceil(seconds * _WRITTEN_TOKENS)
        usd = self._of_sound(reference, vendor, seconds, Spent(tokens_in, tokens_out))
        return Spent(usd=usd, estimated=True)

    def heard(self, reference: str, vendor: Vendor, told: Mapping[str, object], seconds: float) -> Spent:
        """What a transcription cost by what the provider `told`: tokens or a duration; else of so many seconds."""
        found = told.get("usage")
        usage = cast("Mapping[str, object]", found if isinstance(found, dict) else {})
        tokens = Spent(_count(usage.get("input_tokens")), _count(usage.get("output_tokens")))
        if tokens.input_tokens or tokens.output_tokens:
            return replace(tokens, usd=self._of_sound(reference, vendor, 0.0, tokens))
        length = usage.get("seconds") or told.get("duration")
        if isinstance(length, int | float) and length > 0:
            return Spent(usd=self._of_sound(reference, vendor, float(length), Spent()))
        return self.sound(reference, vendor, seconds)

    def spoken(self, reference: str, vendor: Vendor, characters: int) -> Spent:
        """What it costs at most to have so many characters spoken, reckoned: nobody tells."""
        spent = Spent(characters, characters * _SOUNDS_LIKE, estimated=True)
        rate = None if reference in self._settings.prices else _SPEECH.get((vendor.id, reference.partition(":")[2]))
        return replace(spent, usd=_by_hand(rate, spent) if rate else self.of(reference, vendor, spent))

    def _of_sound(self, reference: str, vendor: Vendor, seconds: float, tokens: Spent) -> float:
        own = self._settings.prices.get(reference)
        if own is not None:
            return _by_hand(own, tokens) + own.minute * seconds / 60
        if vendor.id == "home":
            return 0.0
        usage = Usage(
            input_tokens=tokens.input_tokens,
            input_audio_tokens=tokens.input_tokens,
            output_tokens=tokens.output_tokens,
            audio_seconds=math.ceil(seconds),
        )
        listed = self._listed(reference.partition(":")[2], vendor, usage)
        if listed or (listed is None and is_at_home(vendor.url)):
            return listed or 0.0
        unknown = self._settings.unknown
        return unknown.minute * seconds / 60 or _by_hand(unknown, tokens)

    def _listed(self, model: str, vendor: Vendor, usage: Usage) -> float | None:
        """What the list says; None: it does not know the model."""
        if not vendor.id or (vendor.id, model) in _not_listed:
            return None
        try:
            return float(calc_price(usage, model, provider_id=vendor.id).total_price)
        except LookupError:
            _not_listed.add((vendor.id, model))
            return None

    def reckoned(self, reference: str, vendor: Vendor, tokens_in: int, tokens_out: int) -> Spent:
        """What a call cost of which nobody told."""
        spent = Spent(tokens_in, tokens_out, estimated=True)
        return replace(spent, usd=self.of(reference, vendor, spent))


def _by_hand(price: Price, tokens: Spent) -> float:
    return (price.input * tokens.input_tokens + price.output * tokens.output_tokens) / _PER_MILLION


def _count(told: object) -> int:
    return told if isinstance(told, int) else 0


def is_at_home(url: str) -> bool:
    """Whether this address is on this machine or in this house: nobody sends a bill for it."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith((".local", ".lan", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return bool(host) and "." not in host


def tokens_of(messages: list[ModelMessage]) -> int:
    """How many tokens these messages are at most, as far as can be said without counting them."""
    return sum(_of_part(part) for message in messages for part in message.parts)


def tokens_of_text(text: str) -> int:
    """Two characters to the token, one where they are not plain: more than any tokenizer makes of prose."""
    return len(text) // 2 + 1 if text.isascii() else len(text) + 1


def _of_part(part: object) -> int:
    match part:
        case TextPart(content=content) | ThinkingPart(content=content):
            return tokens_of_text(content)
        case ToolCallPart():
            return tokens_of_text(part.args_as_json_str())
        case UserPromptPart(content=content) | ToolReturnPart(content=content):
            items = cast("Sequence[object]", content) if isinstance(content, list | tuple) else [content]
            return sum(_of_item(item) for item in items)
        case _:
            return 0


def _of_item(item: object) -> int:
    if isinstance(item, BinaryContent):
        more = 0 if item.is_image else len(item.data) // _BYTES_PER_TOKEN
        return _IMAGE_TOKENS + more
    return tokens_of_text(item if isinstance(item, str) else str(item))
