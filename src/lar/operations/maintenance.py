"""Maintenance: tasks that forget what is older than the owner wants to keep, and look after the database.

Rows go in small batches, each a transaction of its own, so that no turn waits for them.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from lar.conversations import answers
from lar.conversations.admins import Telling
from lar.conversations.attachments import FOLDER as FETCHED
from lar.conversations.attachments import SENT
from lar.conversations.settings import ConversationSettings
from lar.conversations.strings import say
from lar.domain.schedule import Cron, Every, Firing, Missed, Schedule, Timing
from lar.domain.values import Clock
from lar.engine.contract import JobContext
from lar.errors import StoreError
from lar.memory.remembering import Remembering
from lar.schedules import digest
from lar.schedules.firing import Ended, Finish
from lar.schedules.settings import MaintenanceSettings
from lar.schedules.tasks import Chore
from lar.store import artifacts, budgets, events, inbound, jobs, memories, pending, schedules, upkeep
from lar.store.database import Database
from lar.store.events import Event
from lar.tools.artifacts import FOLDER, sweep
from lar.tools.settings import ArtifactSettings

log = structlog.get_logger(__name__)

CACHES, ARTIFACTS, RETENTION, OPTIMISE, CHECK = "caches", "artifacts", "retention", "optimise", "check"
DAY_OF_MEMORY, WEEK_OF_MEMORY = "memory_day", "memory_week"
"""The names of the tasks."""

SOURCE = "database check"
"""Of the problem that a damaged database is."""

_DAY, _HOUR = 86400.0, 3600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Keeps house. `files` is `LAR_HOME/files`; `report` opens and closes a problem, `telling` reaches the admins."""

    db: Database
    settings: MaintenanceSettings
    conversations: ConversationSettings
    kept: ArtifactSettings
    files: Path
    report: Callable[[str, str | None], None]
    telling: Telling
    clock: Clock

    def chores(self) -> Mapping[str, Chore]:
        """The tasks by their names."""
        hourly, nightly, jitter = Timing(Every(_HOUR, 0.0)), digest.at(self.settings.at), self.settings.jitter_seconds
        return {
            CACHES: Chore(self.caches, hourly, jitter),
            ARTIFACTS: Chore(self.artifacts, hourly, jitter),
            RETENTION: Chore(self.retention, nightly, jitter),
            OPTIMISE: Chore(self.optimise, nightly, jitter),
            CHECK: Chore(self.check, nightly if self.db.dialect == "sqlite" else None, jitter),
        }

    async def caches(self, context: JobContext, _schedule: Schedule, _firing: Firing) -> Finish:
        """Forget files that waited in vain for a word, and close questions nobody answered."""
        now = self.clock()
        closed = await context.write(answers.sweep, now)
        since = now - self.conversations.file_hours * _HOUR
        rows = await _all(context, pending.prune, since)
        files = await asyncio.to_thread(sweep, self.files / FETCHED, since)
        return _noting(f"removed {rows} rows, {files} files; closed {closed} questions")

    async def artifacts(self, context: JobContext, _schedule: Schedule, _firing: Firing) -> Finish:
        """Forget what tools and answers made, files with their lines in the list."""
        since = self.clock() - self.kept.keep_days * _DAY
        rows = await _all(context, artifacts.forget, since)
        files = sum([await asyncio.to_thread(sweep, self.files / folder, since) for folder in (FOLDER, SENT)])
        return _noting(f"removed {rows} rows, {files} files")

    async def retention(self, context: JobContext, _schedule: Schedule, _firing: Firing) -> Finish:
        """Forget raw updates, finished jobs with their journals, firings, events, and what was spent long ago."""
        now = self.clock()
        before = now - self.conversations.retention_days * _DAY
        raw = await _all(context, inbound.forget_raw, now - self.conversations.raw_days * _DAY)
        rows = 0
        for forget in (inbound.prune, jobs.prune, schedules.prune, events.prune):
            rows += await _all(context, forget, before)
        rows += await _all(context, memories.prune, now - memories.KEPT)
        since = datetime.fromtimestamp(now).astimezone() - timedelta(days=self.settings.spend_days)
        rows += await context.write(budgets.prune, since.strftime("%Y-%m-%d"))
        return _noting(f"removed {rows} rows, the raw text of {raw} updates")

    async def optimise(self, context: JobContext, _schedule: Schedule, _firing: Firing) -> Finish:
        """Let the database know what is in its tables, one after the other."""
        for table in upkeep.TABLES:
            await context.write(upkeep.analyse, table)
        return _noting(f"looked at {len(upkeep.TABLES)} tables")

    async def check(self, _context: JobContext, _schedule: Schedule, firing: Firing) -> Finish:
        """Look for damage, beside everything else; what is found is a problem, told to the admins and the heartbeat."""
        try:
            wrong = await self.db.read(upkeep.check)
        except StoreError as error:
            wrong = [str(error)]
        if not wrong:
            self.report(SOURCE, None)
            return _noting("all is well")
        why = "; ".join(wrong)
        self.report(SOURCE, say("en", "database_damaged", why=why))
        log.error("the database is damaged", why=why)

        def finish(connection: Connection) -> Ended:
            now = self.clock()
            self.telling.tell(connection, lambda language: say(language, "database_damaged", why=why), now)
            events.add(
                connection, Event(0, "job finished", f"the database check found: {why}", now, key=f"check:{firing.id}")
            )
            return Ended(f"found: {why}")

        return finish


def of_memory(remembering: Remembering, jitter: float) -> Mapping[str, Chore]:
    """The tasks that have days and weeks summed up."""
    waker = remembering.waker

    async def day(_context: JobContext, _schedule: Schedule, firing: Firing) -> Finish:
        return _counting(await waker.day_is_over(firing.due_at))

    async def week(_context: JobContext, _schedule: Schedule, firing: Firing) -> Finish:
        return _counting(await waker.week_is_over(firing.due_at))

    daily, weekly = (Timing(Cron(line)) if remembering.works else None for line in waker.lines)
    return {DAY_OF_MEMORY: Chore(day, daily, jitter, Missed.ALL), WEEK_OF_MEMORY: Chore(week, weekly, jitter)}


async def _all(context: JobContext, forget: Callable[[Connection, float], int], before: float) -> int:
    """Forget batch by batch; how much."""
    total = 0
    while count := await context.write(forget, before):
        total += count
    return total


def _noting(note: str) -> Finish:
    return lambda _connection: Ended(note)


def _counting(wake: Callable[[Connection], int]) -> Finish:
    return lambda connection: Ended(f"{wake(connection)} to sum up")
