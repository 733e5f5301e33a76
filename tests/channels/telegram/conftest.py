"""A simulated Telegram and a channel to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from telegram_bench import Bench

from lar.testing.telegram import TelegramSim


@pytest.fixture
async def sim() -> AsyncIterator[TelegramSim]:
    """A Telegram server."""
    async with TelegramSim(poll_floor=0) as telegram:
        yield telegram


@pytest.fixture
async def bench(sim: TelegramSim, tmp_path: Path) -> AsyncIterator[Bench]:
    """A channel with default settings, apart from short patience."""
    bench = Bench(sim, tmp_path / "files")
    bench.files.mkdir()
    yield bench
    await bench.close()
