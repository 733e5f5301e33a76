"""A process that runs jobs of three counted effects until it is killed, or until all are done.

Arguments: the database's URL, the file that counts effects, the number of jobs, the number of lanes.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from sqlalchemy import Connection

from lar.domain.job import Job
from lar.domain.values import JsonObject
from lar.engine.contract import Done, JobContext, Outcome
from lar.engine.engine import Engine
from lar.engine.settings import EngineSettings
from lar.errors import OutcomeUnknown
from lar.store import jobs
from lar.store.database import Database
from lar.store.settings import StoreSettings

KIND = "work"


class Counted:
    """Does three effects a job; each leaves a line outside the database."""

    def __init__(self, effects: Path) -> None:
        self._file = os.open(effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def run(self, context: JobContext) -> Outcome:
        """The first and the last effect must not be repeated."""
        for key, repeatable in (("first", False), ("second", True), ("third", False)):

            async def act(key: str = key) -> JsonObject:
                os.write(self._file, f"{context.job.lane} {context.job.id} {key}\n".encode())
                await asyncio.sleep(0.02)
                return {}

            try:
                await context.step(key, "tool", {}, act, repeatable=repeatable)
            except OutcomeUnknown:
                continue
        return Done()

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """Never wanted here: the parent sees the state."""


async def main(url: str, effects: Path, count: int, lanes: int) -> None:
    """Enqueue what is not there yet, and run everything."""
    db = Database(StoreSettings(url=url))
    await db.open()
    engine = asyncio.create_task(
        Engine(db, {KIND: Counted(effects)}, EngineSettings(lease=1.0, max_crashes=1000), time.time).run()
    )
    now = time.time()
    for start in range(0, count, lanes):
        await asyncio.gather(
            *(
                db.write(jobs.enqueue, kind=KIND, lane=f"lane{n}", payload={}, now=now, dedup_key=f"{start} {n}")
                for n in range(lanes)
            )
        )
    while await db.read(jobs.count_open, KIND):  # noqa: ASYNC110  # other processes finish jobs, too
        await asyncio.sleep(0.02)
    engine.cancel()
    await asyncio.gather(engine, return_exceptions=True)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
