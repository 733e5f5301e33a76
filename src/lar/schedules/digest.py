"""The daily digest: a few lines to the notification chat about the day that is over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import Connection

from lar.conversations.strings import say
from lar.domain.conversation import Conversation
from lar.domain.delivery import Part
from lar.domain.schedule import Cron, Firing, Schedule, Timing
from lar.domain.turn import TurnState
from lar.domain.values import Clock
from lar.engine.contract import JobContext
from lar.schedules.firing import Ended, Finish
from lar.store import budgets, deliveries, events, schedules, turns

TASK = "digest"
_DAY = 86400.0

NotifyChat = Callable[[Connection, float], tuple[Conversation, str] | None]
"""The notification chat and its language; None: there is none."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Tells of the day. `problems` are what is wrong right now, by source."""

    where: NotifyChat
    problems: Callable[[], Mapping[str, str]]
    house: tzinfo
    clock: Clock

    async def tell(self, _context: JobContext, _schedule: Schedule, _firing: Firing) -> Finish:
        """Tell it, where there is a chat for it."""
        return self._tell

    def _tell(self, connection: Connection) -> Ended:
        now = self.clock()
        found = self.where(connection, now)
        if found is None:
            return Ended("there is no notification chat")
        chat, language = found
        deliveries.add(connection, chat.id, [Part(self._text(connection, language, now))], now)
        return Ended("told")

    def _text(self, connection: Connection, language: str, now: float) -> str:
        counts = turns.counts_since(connection, now - _DAY)
        absence = schedules.absence(connection, now - _DAY)
        yesterday = (datetime.fromtimestamp(now, self.house) - timedelta(days=1)).strftime("%Y-%m-%d")
        spent = sum(line.usd for line in budgets.lines(connection, yesterday, yesterday))
        text = say(
            language,
            "digest",
            done=counts.get(TurnState.DONE, 0),
            failed=counts.get(TurnState.FAILED, 0),
            fired=schedules.fired_since(connection, now - _DAY),
            late=absence.late,
            left_out=absence.left_out,
            waiting=events.count_waiting(connection),
            day=yesterday,
            usd=f"{spent:.2f}",
        )
        return "\n".join([text, *(f"⚠️ {source}: {sentence}" for source, sentence in self.problems().items())])


def at(time: str) -> Timing:
    """Every day at this time, written `HH:MM`."""
    hour, minute = time.split(":")
    return Timing(Cron(f"{int(minute)} {int(hour)} * * *"))
