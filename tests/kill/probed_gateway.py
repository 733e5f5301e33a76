"""The real product with two more tools, and a probe that stops the process around every commit until it is let on.

Both tools append a line to `$LAR_TEST_EFFECTS`. The probe writes a line to the first descriptor of `$LAR_TEST_PROBE`
and waits for a byte from the second.
"""

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from lar.app import App, Extras
from lar.config import load
from lar.domain.risk import Deed, Risk
from lar.operations.logging import set_up
from lar.tools.contract import Effect, Tool, ToolContext
from lar.tools.define import tool

EFFECTS = Path(os.environ["LAR_TEST_EFFECTS"])


def act(name: str) -> str:
    """Have an effect that outlives the process."""
    with EFFECTS.open("a") as file:
        file.write(f"{name}\n")
        file.flush()
        os.fsync(file.fileno())
    return f"{name} done"


@tool(risk=Risk.READ, repeatable=True)
async def look(_context: ToolContext, note: str = "") -> str:
    """Look at something; looking twice does no harm.

    Args:
        note: What to look for.
    """
    return act(f"look {note}")


@tool(risk=Risk.WRITE, repeatable=False)
async def charge(_context: ToolContext, note: str = "") -> str:
    """Charge a card; doing it twice costs twice.

    Args:
        note: Whose card.
    """
    return act(f"charge {note}")


@tool(risk=Risk.REACH, repeatable=False, effect=lambda _: Effect(Deed.SUBMIT, "wire the money", "bank"))
async def wire(_context: ToolContext, note: str = "") -> str:
    """Wire money: asked about before, and never done twice.

    Args:
        note: To whom.
    """
    return act(f"wire {note}")


TOOLS: tuple[Tool, ...] = (look, charge, wire)


class Probe:
    """Reports every commit, and waits for permission to go on."""

    def __init__(self, out: int, back: int) -> None:
        self._out = out
        self._back = back
        self._lock = threading.Lock()

    def __call__(self, phase: str, names: Sequence[str]) -> None:
        """Called by the thread that commits."""
        with self._lock:
            os.write(self._out, f"{phase} {','.join(names)}\n".encode())
            os.read(self._back, 1)


async def main() -> None:
    """Run a gateway and a worker."""
    config = load(None, os.environ)
    set_up(config.logging, None, config.secrets)
    probe = None
    if wires := os.environ.get("LAR_TEST_PROBE"):
        out, back = wires.split(",")
        probe = Probe(int(out), int(back))
    async with App(config, Extras(tools=TOOLS, probe=probe)) as app:
        await app.run(frozenset({"gateway", "worker"}))


if __name__ == "__main__":
    asyncio.run(main())
