"""The heartbeat: from time to time Lar looks by itself at what happened, and at what its owner asked it to look after.

It costs nothing while nothing happened and nothing is asked for. A turn takes all events at once; what it says is only
shown if there is something to say. What a turn took that failed waits for the next one.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lar.conversations import lane
from lar.conversations.strings import say
from lar.domain.conversation import Conversation
from lar.domain.delivery import Part
from lar.domain.ids import MessageId, TurnId
from lar.domain.memory import Owner
from lar.domain.message import Author, Message
from lar.domain.principal import Principal
from lar.domain.schedule import Firing, Schedule
from lar.domain.turn import TurnState
from lar.domain.values import Clock
from lar.engine.contract import JobContext
from lar.policy.budgets import HEARTBEAT
from lar.schedules.firing import OPEN, Ended, Finish
from lar.schedules.settings import HeartbeatSettings
from lar.store import deliveries, events, lasting, messages, schedules
from lar.store.database import Database
from lar.store.events import Event

TASK = HEARTBEAT
"""The name of the task, and of what its model calls are paid by."""

PATIENCE, LONGEST = 3, 24 * 3600.0
"""After how many failures it backs off; and the longest it then waits, in seconds."""

MOST = 50
"""How many events a turn takes."""

_TOLD = "heartbeat_failing"
_LOOKED_BACK = 10

Owners = Callable[[Connection, float], Iterator[tuple[Conversation, Principal]]]
"""The private chats of the admins, the owner's first."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Beats. `asked_for` says whether somebody wrote down what Lar should look after."""

    db: Database
    settings: HeartbeatSettings
    owners: Owners
    asked_for: Callable[[Owner], Awaitable[bool]]
    language: str
    clock: Clock

    async def beat(self, _context: JobContext, schedule: Schedule, _firing: Firing) -> Finish:
        """Begin a turn if there is a reason to."""
        found = await self.db.write(self._owner)  # a private chat may have to be made
        asked = found is not None and await self.asked_for(Owner(found[1].id))
        return lambda connection: self._beat(connection, schedule, asked=asked)

    def _owner(self, connection: Connection) -> tuple[Conversation, Principal] | None:
        return next(self.owners(connection, self.clock()), None)

    def _beat(self, connection: Connection, schedule: Schedule, *, asked: bool) -> Ended:
        now, found = self.clock(), self._owner(connection)
        if found is None:
            return Ended("no admin has written yet")
        here, owner = found
        last = schedules.last_turns(connection, schedule.id, _LOOKED_BACK)
        if last and last[0].state in OPEN:
            return Ended("the last turn still runs")
        failures = next((n for n, turn in enumerate(last) if turn.state is not TurnState.FAILED), len(last))
        if failures >= PATIENCE:
            self._say_once(connection, here, owner, failures, now)
            pause = min(self.settings.minutes * 60 * 2 ** (failures - PATIENCE + 1), LONGEST)
            if now < last[0].at + pause:
                return Ended(f"backs off after {failures} failures")
        else:
            lasting.drop(connection, _TOLD)
        events.give_back(connection)
        waiting = events.waiting(connection, owner.id, owner=True, limit=MOST)
        if not waiting and not asked:
            return Ended("nothing to do")
        turn_id = self._begin(connection, here, owner, waiting, now)
        events.take(connection, [event.id for event in waiting], turn_id, now)
        return Ended(f"{len(waiting)} events", turn_id)

    def _begin(
        self, connection: Connection, here: Conversation, owner: Principal, waiting: Sequence[Event], now: float
    ) -> TurnId:
        payload = {"schedule": TASK, "heartbeat": True}
        turn_id = lane.start(connection, here, owner.id, now, now, payload, self.settings.agent or None)
        lines = "\n".join(f"- {event.kind}: {event.text}" for event in waiting)
        said = Message(
            MessageId(0),
            here.id,
            Author.USER,
            say("en", "heartbeat_events" if waiting else "heartbeat_nothing", lines=lines),
            now,
            principal_id=owner.id,
            turn_id=turn_id,
            source=", ".join(dict.fromkeys(event.source for event in waiting if event.source)),
        )
        messages.add(connection, said)
        return turn_id

    def _say_once(
        self, connection: Connection, here: Conversation, owner: Principal, failures: int, now: float
    ) -> None:
        if lasting.load(connection, _TOLD) is None:
            lasting.save(connection, _TOLD, {"at": now})
            text = say(owner.language or self.language, "heartbeat_failing", count=failures)
            deliveries.add(connection, here.id, [Part(text)], now)
