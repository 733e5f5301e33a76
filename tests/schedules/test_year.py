"""A whole leap year: 200 schedules of all kinds, two changes of the clocks and more, and a move to another country."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile
from random import Random
from zoneinfo import ZoneInfo

from calendar_oracle import Pattern, Stretch, stretch
from making import fired, reminder, somebody

from lar.conversations.timing import Asking
from lar.domain.schedule import Cron, Every, Once, Quiet, Schedule, Timing
from lar.schedules.clockwork import fire_due
from lar.schedules.reminders import Reminders
from lar.schedules.rules import next_due
from lar.store import conversations, people, schedules
from lar.store.database import Connection, Database
from lar.testing.databases import sqlite_db

__all__ = ["sqlite_db"]

HERE, THERE, ELSEWHERE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
START = datetime(2028, 1, 1, tzinfo=UTC).timestamp()
MOVE = datetime(2028, 8, 1, 12, tzinfo=UTC).timestamp()
END = datetime(2029, 1, 1, tzinfo=UTC).timestamp()
DAY = 86400.0


@dataclass(frozen=True)
class Wish:
    """A schedule, and what the oracle makes of it."""

    schedule: Schedule
    pattern: Pattern | None


def wishes(random: Random) -> list[Wish]:
    """200 schedules of all kinds."""
    found: list[Wish] = []
    for number in range(200):
        quiet = Quiet(random.choice((1320, 1380, 60)), random.choice((360, 390))) if number % 5 == 0 else None
        until = random.uniform(START, END) if number % 7 == 0 else None
        left = random.randint(1, 20) if number % 11 == 0 else None
        zone = random.choice(("", "", THERE, ELSEWHERE))
        pattern = None
        if number % 5 in {0, 1, 2}:
            pattern = Pattern(
                frozenset(random.sample(range(60), 1)),
                frozenset({random.choice((2, 2, 3, random.randrange(24)))}),
                days=frozenset({random.choice((29, 31, random.randint(1, 28)))}) if random.random() < 0.7 else None,
                weekdays=frozenset({random.randrange(7)}) if random.random() < 0.7 else None,
            )
            rule: Cron | Every | Once = Cron(pattern.line)
        elif number % 5 == 3:
            rule = Every(random.randint(3 * 1440, 40 * 1440) * 60.0, START + random.randint(0, 30 * 1440) * 60)
        else:
            rule = Once(START + random.randint(1, 366 * 1440) * 60.0)
        timing = Timing(rule, zone, until, quiet)
        found.append(Wish(replace(reminder(timing, START), left=left), pattern))
    return found


def expected(wish: Wish, looks: dict[str, Stretch]) -> list[float]:
    """When the oracle says it is due: in the zone of its person until they move, in the other one from then on."""
    timing = wish.schedule.timing

    def in_zone(zone: str) -> Iterable[float]:
        look = looks[zone]
        if wish.pattern is not None:
            due = look.cron(wish.pattern)
        elif isinstance(timing.rule, Every):
            step, first = int(timing.rule.seconds) // 60, int(timing.rule.start) // 60
            due = set(range(first, look.minutes.stop, step))
        else:
            assert isinstance(timing.rule, Once)
            due = {int(timing.rule.at) // 60}
        return sorted(minute * 60.0 for minute in (look.hush(due, timing.quiet) if timing.quiet else due))

    before, after = timing.zone or HERE, timing.zone or THERE
    dues = [due for due in in_zone(before) if START < due <= MOVE]
    dues += [due for due in in_zone(after) if MOVE < due < END]
    ends = takewhile(lambda due: timing.until is None or due <= timing.until, dues)
    return list(ends)[: wish.schedule.left]


async def test_a_year(sqlite_db: Database) -> None:
    """R-SC-1, R-SC-2: everything due in a year fires exactly once and in order, as an independent oracle has it."""
    reminders = Reminders(ZoneInfo("UTC"))
    of = await somebody(sqlite_db, zone=HERE)
    wanted: list[tuple[float, int]] = []
    before = datetime.fromisoformat("2027-12-30")
    looks = {zone: await asyncio.to_thread(stretch, zone, before, 369) for zone in (HERE, THERE, ELSEWHERE)}
    for wish in wishes(Random(2028)):  # noqa: S311  # an example, no secret
        new = replace(wish.schedule, principal_id=of[0], conversation_id=of[1])
        first = next_due(new.timing, ZoneInfo(HERE), START)
        made = await sqlite_db.write(schedules.add, replace(new, next_due=first))
        wanted += [(due, made.id) for due in expected(wish, looks)]

    def move(connection: Connection) -> str:
        asking = Asking(connection, people.get(connection, of[0]), conversations.get(connection, of[1]), "en", MOVE)
        return reminders.zone(asking, THERE)

    def live(connection: Connection, until: float) -> None:
        """Go from due to due; all in one transaction, for a year of commits takes a minute."""
        while (due := schedules.next_due(connection)) is not None and due <= until:
            assert fire_due(connection, ZoneInfo("UTC"), 0.0, due)

    await sqlite_db.write(live, MOVE)
    await sqlite_db.write(move)
    await sqlite_db.write(live, END - 1)
    found = [(due, schedule) for schedule, due in await fired(sqlite_db)]
    assert found == sorted(wanted)
    assert len(found) > 5000
