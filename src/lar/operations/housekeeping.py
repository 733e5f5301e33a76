"""Retention: once a day, what is older than the owner wants to keep is forgotten."""

import asyncio
from pathlib import Path

from sqlalchemy import Connection

from lar.conversations import answers
from lar.conversations.attachments import FOLDER as FETCHED
from lar.conversations.settings import ConversationSettings
from lar.domain.job import Job
from lar.domain.values import Clock
from lar.engine.contract import Done, JobContext, Outcome
from lar.store import artifacts, events, inbound, jobs, pending, schedules
from lar.tools.artifacts import FOLDER, sweep
from lar.tools.settings import ArtifactSettings

KIND = "housekeeping"
"""The kind of job that keeps house."""

_DAY, _HOUR = 86400.0, 3600.0


class HousekeepingHandler:
    """Keeps house: the engine's handler of jobs of kind "housekeeping". Each day's job queues the next day's.

    `files` is `LAR_HOME/files`.
    """

    def __init__(self, settings: ConversationSettings, kept: ArtifactSettings, files: Path, clock: Clock) -> None:
        self._settings = settings
        self._kept = kept
        self._files = files
        self._clock = clock

    async def run(self, context: JobContext) -> Outcome:
        """Close questions nobody answered, forget raw updates, finished jobs with their journals, and old files."""
        now = self._clock()
        await context.write(answers.sweep, now)
        await context.write(inbound.forget_raw, now - self._settings.raw_days * _DAY)
        await context.write(inbound.prune, now - self._settings.retention_days * _DAY)
        while await context.write(jobs.prune, now - self._settings.retention_days * _DAY):
            pass
        await context.write(schedules.prune, now - self._settings.retention_days * _DAY)
        await context.write(events.prune, now - self._settings.retention_days * _DAY)
        since = now - self._settings.file_hours * _HOUR
        await context.write(pending.prune, since)
        await asyncio.to_thread(sweep, self._files / FETCHED, since)
        await context.write(artifacts.forget, now - self._kept.keep_days * _DAY)
        await asyncio.to_thread(sweep, self._files / FOLDER, now - self._kept.keep_days * _DAY)
        return Done(self.schedule)

    def give_up(self, connection: Connection, _job: Job, _error: str) -> None:
        """Try again tomorrow."""
        self.schedule(connection)

    def schedule(self, connection: Connection) -> None:
        """Queue the next day's job, once."""
        tomorrow = int(self._clock() // _DAY) + 1
        jobs.enqueue(
            connection,
            kind=KIND,
            lane=KIND,
            payload={},
            now=self._clock(),
            run_at=tomorrow * _DAY,
            dedup_key=f"{KIND}:{tomorrow}",
        )
