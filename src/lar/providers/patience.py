"""How long a model is waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds; handed in, so that tests need not."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often the same is asked again, and how many seconds are waited at most before that."""

    retries: int = 2
    longest_wait: float = 30.0
    sleep: Sleep = asyncio.sleep
