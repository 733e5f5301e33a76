"""What a firing does: it tells a reminder, begins a turn, or runs a task of Lar's own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from sqlalchemy import Connection

from lar.conversations import lane
from lar.conversations.strings import say
from lar.domain.conversation import Conversation
from lar.domain.delivery import Part
from lar.domain.ids import MessageId, PrincipalId, ScheduleId, TurnId
from lar.domain.job import Job
from lar.domain.message import Author, Message
from lar.domain.schedule import Firing, FiringState, Schedule, ScheduleKind, ScheduleState
from lar.domain.turn import TurnState
from lar.domain.values import Clock
from lar.engine.contract import Done, JobContext, Outcome
from lar.schedules.buttons import below
from lar.schedules.rules import zone_of
from lar.schedules.telling import moment_of
from lar.store import conversations, deliveries, events, messages, people, schedules
from lar.store.database import Database
from lar.store.events import Event


@dataclass(frozen=True, slots=True)
class Ended:
    """What a task comes to: what its record notes, and the turn it began."""

    note: str = ""
    turn_id: TurnId | None = None


OPEN = frozenset({TurnState.QUEUED, TurnState.RUNNING})
"""Turns that are not over."""

Finish = Callable[[Connection], Ended]
"""Runs in the transaction that ends the firing."""

Task = Callable[[JobContext, Schedule, Firing], Awaitable[Finish]]
"""What a schedule of kind `task` does."""


Admits = Callable[[Connection, Conversation, PrincipalId], bool]


class FiringHandler:
    """Carries out firings: the engine's handler of jobs of kind "firing". `tasks` by the text of their schedule.

    `admits` tells whether a person may still talk in a conversation.
    """

    def __init__(  # what it tells needs a language, a zone and a clock
        self, db: Database, tasks: Mapping[str, Task], admits: Admits, house: tzinfo, language: str, clock: Clock
    ) -> None:
        self._db = db
        self._tasks = tasks
        self._admits = admits
        self._house = house
        self._language = language
        self._clock = clock

    async def run(self, context: JobContext) -> Outcome:
        """Do what the schedule says, once."""
        found = await self._db.read(_of, context.job)
        if found is None:
            return Done()
        schedule, firing = found
        if schedule.kind is not ScheduleKind.TASK:
            return Done(lambda connection: self._carry_out(connection, context.job))
        task = self._tasks.get(schedule.text)
        if task is None:  # of another version of Lar
            return Done(
                lambda connection: self._settle(connection, firing, FiringState.DROPPED, "there is no such task")
            )
        finish = await task(context, schedule, firing)
        return Done(lambda connection: self._end(connection, firing, finish(connection)))

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """Record that it failed."""
        found = _of(connection, job)
        if found is not None:
            self._settle(connection, found[1], FiringState.FAILED, error)

    def _end(self, connection: Connection, firing: Firing, ended: Ended) -> None:
        self._settle(connection, firing, FiringState.DONE, ended.note, ended.turn_id)

    def _settle(
        self, connection: Connection, firing: Firing, state: FiringState, note: str = "", turn: TurnId | None = None
    ) -> None:
        schedules.settle(connection, firing.id, state, self._clock(), turn_id=turn, note=note)

    def _carry_out(self, connection: Connection, job: Job) -> None:
        found = _of(connection, job)
        if found is None:
            return
        schedule, firing = found
        if schedule.kind is ScheduleKind.EVENT and schedule.state is not ScheduleState.CANCELLED:
            now = self._clock()
            events.add(connection, Event(0, "cron", schedule.text, now, key=f"firing:{firing.id}"))
            self._settle(connection, firing, FiringState.DONE, "left for the heartbeat")
        elif schedule.state is ScheduleState.CANCELLED or schedule.principal_id is None:
            self._settle(connection, firing, FiringState.DROPPED)
        elif not self._is_admitted(connection, schedule, schedule.principal_id):
            self._settle(connection, firing, FiringState.DROPPED, "this person is not let in any more")
        elif schedule.kind is ScheduleKind.REMINDER:
            self._tell(connection, schedule, firing, schedule.principal_id)
            self._settle(connection, firing, FiringState.DONE)
        elif schedule.kind is ScheduleKind.RUNBOOK and self._is_too_soon(connection, schedule):
            self._settle(connection, firing, FiringState.DROPPED, "the last run is too recent, or still runs")
        else:
            turn = self._begin(connection, schedule, firing, schedule.principal_id)
            self._settle(connection, firing, FiringState.DONE, turn=turn)

    def _is_admitted(self, connection: Connection, schedule: Schedule, who: PrincipalId) -> bool:
        if schedule.conversation_id is None:
            return True
        return self._admits(connection, conversations.get(connection, schedule.conversation_id), who)

    def _is_too_soon(self, connection: Connection, schedule: Schedule) -> bool:
        """Whether the last run is within the window in which there is one at most, or not over."""
        last = schedules.last_turns(connection, schedule.id, 1)
        window = float(schedule.options.get("dedupe", 0.0))
        return bool(last) and (last[0].state in OPEN or last[0].at > self._clock() - window)

    def _tell(self, connection: Connection, schedule: Schedule, firing: Firing, who: PrincipalId) -> None:
        if schedule.conversation_id is None:
            return
        language, zone = self._person(connection, schedule, who)
        key = "reminder_due" if not firing.late else "reminder_late_more" if firing.missed else "reminder_late"
        when = moment_of(language, firing.due_at, zone)
        text = say(language, key, text=schedule.text, when=when, more=firing.missed)
        part = Part(text, buttons=below(schedule, firing, language))
        deliveries.add(connection, schedule.conversation_id, [part], self._clock())

    def _begin(self, connection: Connection, schedule: Schedule, firing: Firing, who: PrincipalId) -> TurnId | None:
        """Begin the turn of a prompt."""
        if schedule.conversation_id is None:
            return None
        language, zone = self._person(connection, schedule, who)
        when = moment_of(language, firing.due_at, zone)
        text = say(language, "scheduled_late" if firing.late else "scheduled", text=schedule.text, when=when)
        now, here = self._clock(), conversations.get(connection, schedule.conversation_id)
        payload = {"schedule": schedule.key or f"#{schedule.id}", "mode": schedule.options.get("mode")}
        turn_id = lane.start(connection, here, who, now, now, payload, schedule.options.get("agent"))
        said = Message(
            MessageId(0),
            here.id,
            Author.USER,
            text,
            now,
            principal_id=who,
            turn_id=turn_id,
            source=", ".join(schedule.taint),
        )
        messages.add(connection, said)
        return turn_id

    def _person(self, connection: Connection, schedule: Schedule, who: PrincipalId) -> tuple[str, tzinfo]:
        """How to speak with them: the language, and the zone of this schedule."""
        person = people.get(connection, who)
        zone = schedule.timing.zone or person.zone
        return person.language or self._language, zone_of(zone) if zone else self._house


def _of(connection: Connection, job: Job) -> tuple[Schedule, Firing] | None:
    return schedules.firing_at(connection, ScheduleId(job.payload["schedule"]), job.payload["due"])
