"""What one model loop is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from lar.providers.contract import Parameters

Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds; handed in, so that tests need not."""


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """Which model thinks, and how often a failed call is tried again. `model` is written `provider:model`.

    `files` is `LAR_HOME/files`, where the files are that a tool shows to the model; of these only images up to
    `max_image` bytes are looked at.
    """

    model: str
    parameters: Parameters = field(default_factory=Parameters)
    retries: int = 2
    files: Path = Path()
    max_image: int = 5_000_000
