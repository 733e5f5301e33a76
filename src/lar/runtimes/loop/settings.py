"""What one model loop is made of."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lar.providers.contract import Parameters
from lar.providers.patience import Patience, Sleep

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

__all__ = ["LoopSettings", "Shorten", "Sleep"]


class Shorten(Protocol):
    """Makes a prompt shorter that a model refused as too long."""

    async def __call__(self, messages: "list[ModelMessage]", since: int, /) -> "list[ModelMessage] | None":
        """Fewer or shorter messages that still make sense; None: there is nothing to leave out.

        The turn begins at `messages[since]`, with what the person said; before it is history. A tool call and its
        result stay together.
        """
        ...


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """Which model thinks, and how often a failed call is tried again. `model` is written `provider:model`.

    `fallbacks` take over where it cannot answer. `files` is `LAR_HOME/files`, where the files are that a tool shows to
    the model; of these only images up to `max_image` bytes are looked at. `shorten` is asked where a model says that
    the prompt is too long; without one, the oldest half of the history is left out.
    """

    model: str
    parameters: Parameters = field(default_factory=Parameters)
    retries: int = 2
    files: Path = Path()
    max_image: int = 5_000_000
    fallbacks: tuple[str, ...] = ()
    shorten: Shorten | None = None

    def patience(self, sleep: Sleep = asyncio.sleep) -> Patience:
        """How long a model is waited for."""
        return Patience(self.retries, sleep=sleep)
