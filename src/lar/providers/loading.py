"""Large libraries, loaded off the event loop and one after the other.

Two threads that import modules which need each other can meet half-way, and then one of them sees a module that is not
complete.
"""

import asyncio
import threading
from collections.abc import Callable
from importlib import import_module
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_one_at_a_time = threading.Lock()


async def load(module: str) -> None:
    """Import a module in a thread."""
    await loading(import_module, module)


async def loading(make: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call in a thread what may import large libraries."""

    def alone() -> T:
        with _one_at_a_time:
            return make(*args, **kwargs)

    return await asyncio.to_thread(alone)
