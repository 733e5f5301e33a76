"""From a logged exception to a report: whoever logs one goes on at once, and never hears of it again."""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import cast

import structlog
from sqlalchemy import Connection

from lar.conversations.problems import Report
from lar.domain.ids import TurnId
from lar.domain.values import Clock
from lar.engine.context import surely
from lar.errors import StoreError
from lar.operations.incidents import Incident, incident
from lar.operations.reports import ReportFolder
from lar.store import messages
from lar.store.database import Database

log = structlog.get_logger(__name__)

WAITING = 64
"""Exceptions that may wait to be written; what comes on top is in the log alone."""

PAUSE = 1.0
"""Seconds between two rounds of writing: a failure that repeats in a fast loop is written once a round."""

NEW_PER_HOUR = 30
"""New reports an hour; what comes on top is in the log alone."""

_OURS = "lar."

Found = Callable[[Connection, Report], None]
"""Told of each report that was written, inside a transaction."""


class Reporter:
    """Writes reports of the exceptions that this process logs, while `listening`."""

    def __init__(self, folder: ReportFolder, db: Database, found: Found, clock: Clock) -> None:
        self._folder = folder
        self._db = db
        self._found = found
        self._clock = clock
        self._waiting: deque[Incident] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._new: deque[float] = deque(maxlen=NEW_PER_HOUR)

    @contextmanager
    def listening(self) -> Generator[None]:
        """Take note of what is logged meanwhile."""
        handler = _Listener(self._take, self._clock)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)

    async def run(self) -> None:
        """Write what was noted, until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            for found, times in self._counted():
                await self._write(found, times)
            await asyncio.sleep(PAUSE)

    def _take(self, found: Incident) -> None:
        """From any thread."""
        if len(self._waiting) < WAITING:
            self._waiting.append(found)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    def _counted(self) -> list[tuple[Incident, int]]:
        """What waits, each kind once with how often it came."""
        counted: dict[str, tuple[Incident, int]] = {}
        while self._waiting:
            found = self._waiting.popleft()
            _, times = counted.get(found.fingerprint, (found, 0))
            counted[found.fingerprint] = (found, times + 1)
        return list(counted.values())

    async def _write(self, found: Incident, times: int) -> None:
        crowded = len(self._new) == NEW_PER_HOUR and self._new[0] > self._clock() - 3600
        spoken = await self._spoken(found)
        try:
            report, new = await asyncio.to_thread(self._folder.note, found, spoken, times, only_known=crowded)
        except OSError as error:  # such as a full disk: the log has it, and the next time tries again
            log.warning("an error report could not be written", error=str(error))
            return
        if report is None:
            log.warning("too many new error reports: this one is left out", title=found.title)
            return
        if new:
            self._new.append(self._clock())
            log.warning("error report", file=report.name, title=report.title)
        await surely(self._db.write, self._found, report)

    async def _spoken(self, found: Incident) -> list[str] | None:
        """What people said in the turn that failed, of which not a word may stand in the report. None: not known."""
        turn = found.context.get("turn", "")
        if not turn.isdecimal():
            return []
        try:
            return [message.text for message in await self._db.read(messages.of_turn, TurnId(int(turn)))]
        except StoreError:
            return None


class _Listener(logging.Handler):
    """Hears exceptions in log lines. What cannot be understood is left to the log."""

    def __init__(self, take: Callable[[Incident], None], clock: Clock) -> None:
        super().__init__(logging.WARNING)
        self._take = take
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        """Note the exception of a line, if it has one; never fails, never waits."""
        ours = record.name.startswith(_OURS)
        if record.name == __name__ or not (ours or record.levelno >= logging.ERROR):
            return
        try:
            message: object = record.msg
            given = cast("Mapping[str, object]", message if isinstance(message, dict) else {})
            error = _error(record.exc_info or given.get("exc_info"))
            if error is not None:
                event = given.get("event") or record.name
                self._take(incident(str(event), error, given, self._clock()))
        except Exception:  # noqa: BLE001  # owns one report; whoever logged must not be hurt by it
            self.handleError(record)


def _error(given: object) -> BaseException | None:
    """The exception a log line carries: itself, as a triple, or by saying that it is being handled right now."""
    if isinstance(given, tuple):
        given = cast("tuple[object, ...]", given)[1]
    elif given is True:
        given = sys.exc_info()[1]
    return given if isinstance(given, BaseException) else None
