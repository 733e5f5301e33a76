"""What model calls cost, in US dollars. Imports the price list: for use after a first call."""

import ipaddress
from collections.abc import Sequence
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
        model = reference.partition(":")[2]
        if vendor.id and (vendor.id, model) not in _not_listed:
            usage = usage or Usage(input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens)
            try:
                return float(calc_price(usage, model, provider_id=vendor.id).total_price)
            except LookupError:
                _not_listed.add((vendor.id, model))
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

    def reckoned(self, reference: str, vendor: Vendor, tokens_in: int, tokens_out: int) -> Spent:
        """What a call cost of which nobody told."""
        spent = Spent(tokens_in, tokens_out, estimated=True)
        return replace(spent, usd=self.of(reference, vendor, spent))


def _by_hand(price: Price, tokens: Spent) -> float:
    return (price.input * tokens.input_tokens + price.output * tokens.output_tokens) / _PER_MILLION


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
