"""Schedules and people for tests."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, select

from lar.domain.conversation import Address, Place
from lar.domain.ids import ConversationId, PrincipalId, ScheduleId
from lar.domain.principal import Principal, Role
from lar.domain.schedule import Firing, Once, Schedule, ScheduleKind, Timing
from lar.runtimes.contract import Finished, RuntimeEvent, TurnRequest
from lar.schedules.settings import ScheduleSettings
from lar.store import conversations, people, schedules
from lar.store.database import Database
from lar.store.schema import firing as firings
from lar.store.schema import job
from lar.testing.household import Household, Plan
from lar.testing.runtime import Act
from lar.tools.contract import ToolCall

NOW = 1_700_000_000.0


async def somebody(db: Database, user: str = "1", zone: str = "") -> tuple[PrincipalId, ConversationId]:
    """A person with a private chat."""

    def make(connection: Connection) -> tuple[PrincipalId, ConversationId]:
        who = people.add(connection, "fake", "main", user, Principal(PrincipalId(0), "Ann", Role.USER), NOW)
        people.set_zone(connection, who.id, zone)
        chat = conversations.ensure(connection, Address("fake", "main", user), Place.PRIVATE, "", NOW)
        return who.id, chat.id

    return await db.write(make)


def reminder(
    timing: Timing | float, next_due: float | None = None, *, of: tuple[PrincipalId, ConversationId] | None = None
) -> Schedule:
    """A reminder by its timing, or for one moment."""
    known = timing if isinstance(timing, Timing) else Timing(Once(timing))
    due = next_due if next_due is not None else known.rule.at if isinstance(known.rule, Once) else NOW
    found = Schedule(ScheduleId(0), ScheduleKind.REMINDER, "water the plants", known, next_due=due, created_at=NOW)
    return replace(found, principal_id=of[0], conversation_id=of[1]) if of else found


async def fired(db: Database) -> list[tuple[ScheduleId, float]]:
    """What fired, in order."""

    def read(connection: Connection) -> list[tuple[ScheduleId, float]]:
        rows = connection.execute(select(firings.c.schedule_id, firings.c.due_at).order_by(firings.c.id))
        return [(ScheduleId(schedule), due) for schedule, due in rows]

    return await db.read(read)


async def queued(db: Database) -> list[tuple[str, float]]:
    """The lanes of the jobs that wait, and when they run."""

    def read(connection: Connection) -> list[tuple[str, float]]:
        rows = connection.execute(select(job.c.lane, job.c.run_at).order_by(job.c.id))
        return [(lane, run_at) for lane, run_at in rows]

    return await db.read(read)


async def only(db: Database, schedule_id: ScheduleId) -> Firing:
    """The one firing of a schedule."""
    (found,) = await db.read(schedules.firings, schedule_id)
    return found


def plan(folder: Path, **more: int) -> Plan:
    """A household with these tools."""
    return Plan(folder, schedule_tools=True, schedules=ScheduleSettings.model_validate(more))


def calls(name: str, **arguments: object) -> Act:
    """A runtime that calls a tool and answers with what it gave."""

    async def act(request: TurnRequest) -> RuntimeEvent:
        outcome = await request.toolbox.execute(ToolCall("1", name, arguments))
        return Finished(f"{outcome.status}: {outcome.text}")

    return act


async def call(house: Household, name: str, **arguments: object) -> str:
    """What a tool gives to a model that calls it."""
    house.runtime.then(calls(name, **arguments))
    return await house.ask("go on")


async def kept(house: Household, *, active: bool = True) -> list[Schedule]:
    """What user 1 has scheduled."""

    def read(connection: Connection) -> list[Schedule]:
        known = people.find(connection, "fake", "main", "1")
        return schedules.of_person(connection, known.principal.id, active=active) if known else []

    return await house.db.read(read)
