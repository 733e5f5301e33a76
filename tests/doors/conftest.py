"""The running product, started once for every test that can share it."""

import itertools
from collections.abc import AsyncGenerator, Iterator

import pytest
import pytest_asyncio

from lar.testing.stage import FIRST_USER, Stage, stage

ADMIN = FIRST_USER - 1


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A gateway between its two simulators, for all tests of this run; each talks in chats of its own."""
    env = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN), "LAR__PROVIDERS__OPENAI__TIMEOUT_SECONDS": "2"}
    async with stage(tmp_path_factory.mktemp("door"), env=env) as here:
        await here.start()
        await here.telegram.until_polling()
        yield here


@pytest.fixture(scope="session")
def unused_chats() -> Iterator[int]:
    """Private chats nobody has talked in."""
    return itertools.count(FIRST_USER)


@pytest.fixture
def chat(door: Stage, unused_chats: Iterator[int]) -> Iterator[int]:
    """A private chat of this test's own, with somebody who is let in."""
    yield next(unused_chats)
    door.telegram.faults.pending.clear()
    assert door.process.alive, door.process.output()
