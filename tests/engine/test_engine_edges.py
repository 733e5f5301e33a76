# pyright: reportPrivateUsage=false
# A test may look inside.
import asyncio
import time

from lar.domain.ids import JobId
from lar.engine.engine import Engine
from lar.engine.settings import EngineSettings
from lar.store.database import Database


async def test_an_old_run_does_not_take_the_place_of_a_new_one(sqlite_db: Database) -> None:
    """A job that is claimed again before its last run is quite over stays known as running."""
    engine = Engine(sqlite_db, {}, EngineSettings(), time.time)
    old, new = (asyncio.create_task(asyncio.sleep(0)) for _ in range(2))
    engine._tasks[JobId(1)] = new
    engine._on_end(JobId(1), old)
    assert engine._tasks == {JobId(1): new}
    engine._on_end(JobId(1), new)
    assert engine._tasks == {}
    await asyncio.gather(old, new)
