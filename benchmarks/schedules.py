"""Measure schedules: how long looking for the next due takes, what 10,000 of them cost, and 1,000 due at once.

    python benchmarks/schedules.py [--seconds 20]

The look-ups are made on a SQLite file; the rest by the real process against the simulator of Telegram.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, insert

from lar.domain.conversation import Address, Place
from lar.domain.ids import ConversationId, PrincipalId, ScheduleId
from lar.domain.principal import Principal, Role
from lar.domain.schedule import Every, Once, Schedule, ScheduleKind, Timing
from lar.store import conversations, people, schedules
from lar.store.database import Database
from lar.store.schema import schedule as table
from lar.store.settings import StoreSettings
from lar.testing.stage import FIRST_USER, stage, until
from lar.testing.telegram import TelegramSim
from process_tree import memory_mb, run_seconds

AT_ONCE, MANY, LOOKS = 1000, 10_000, 500


def one(due: float) -> Schedule:
    """A reminder for one moment."""
    return Schedule(ScheduleId(0), ScheduleKind.REMINDER, "water the plants", Timing(Once(due)), next_due=due)


def fill(connection: Connection, count: int, due: float) -> None:
    """So many schedules, one a second from `due` on; half as many that are over besides."""
    for state, number in (("active", count), ("done", count // 2)):
        rows: list[dict[str, object]] = [
            {
                "kind": "reminder",
                "text": "x",
                "timing": Timing(Every(86400, due + n)).to_json(),
                "state": state,
                "next_due": due + n if state == "active" else None,
                "missed": "once",
                "options": {},
                "created_at": 0.0,
            }
            for n in range(number)
        ]
        if rows:
            connection.execute(insert(table), rows)


async def look_ups(folder: Path, count: int) -> tuple[float, float]:
    """Median microseconds of one look for the next due, and of one look for what is due now (nothing)."""
    db = Database(StoreSettings(url=f"sqlite:///{folder / f'{count}.db'}"))
    await db.open()
    await db.write(fill, count, 2e9)

    def look(connection: Connection) -> tuple[float, float]:
        took: tuple[list[float], list[float]] = ([], [])
        for _ in range(LOOKS):
            begun = time.perf_counter()
            schedules.next_due(connection)
            between = time.perf_counter()
            schedules.due(connection, 1e9, 200)
            took[0].append(between - begun)
            took[1].append(time.perf_counter() - between)
        return statistics.median(took[0]) * 1e6, statistics.median(took[1]) * 1e6

    found = await db.read(look)
    await db.close()
    return found


async def idle(folder: Path, count: int, seconds: float) -> tuple[float, float]:
    """CPU in percent of a core, and memory in MB, of a gateway that has nothing to do but so many schedules."""
    async with stage(folder, env={"LAR__AGENTS__MAIN__RUNTIME": "offline"}) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("what is 1+1", FIRST_USER)
        await here.process.stop()
        await _written(here.database, lambda connection: fill(connection, count, time.time() + 1e6))
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("what is 1+1", FIRST_USER)
        await asyncio.sleep(8)  # what starts later has started
        before = run_seconds([here.process.pid])
        await asyncio.sleep(seconds)
        burnt = run_seconds([here.process.pid]) - before
        return burnt / seconds * 100, memory_mb([here.process.pid])


async def herd(folder: Path, *, limits: bool) -> tuple[float, float, float]:
    """1,000 reminders of 1,000 people due in one second: seconds to the first, the median and the last seen."""
    env = {"LAR__AGENTS__MAIN__RUNTIME": "offline"}
    async with stage(folder, env=env) as here:
        here.telegram.configure({"rate_limits": limits})
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("what is 1+1", FIRST_USER)
        await here.process.stop()
        due = float(int(time.time()) + 12)
        await _written(here.database, lambda connection: _crowd(connection, due))
        arrived: list[float] = []
        _listen(here.telegram, arrived)
        await here.start()
        await until(lambda: len(arrived) >= AT_ONCE, 180)
        late = sorted(at - due for at in arrived)
        return late[0], statistics.median(late), late[-1]


def _listen(telegram: TelegramSim, arrived: list[float]) -> None:
    def heard(event: dict[str, object]) -> None:
        if event["kind"] == "send" and "water the plants" in str(event["text"]):
            arrived.append(time.time())

    telegram.on_event = heard


def _crowd(connection: Connection, due: float) -> None:
    """1,000 people, each with a reminder for this moment."""
    (account,) = {known.account for known in people.everyone(connection)}
    for number in range(AT_ONCE):
        user = str(2_000_000 + number)
        who = people.add(connection, "telegram", account, user, Principal(PrincipalId(0), "A", Role.USER), 0)
        chat = conversations.ensure(connection, Address("telegram", account, user), Place.PRIVATE, "", 0)
        schedules.add(connection, replace(one(due), principal_id=who.id, conversation_id=ConversationId(chat.id)))


async def _written(url: str, fn: Callable[[Connection], None]) -> None:
    db = Database(StoreSettings(url=url))
    await db.open()
    await db.write(fn)
    await db.close()


async def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long idling is watched")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        for count in (10, 1000, 100_000):
            nearest, due = await look_ups(Path(folder), count)
            print(f"{count:>7} schedules: next due in {nearest:.0f} µs, what is due in {due:.0f} µs", flush=True)
        for count in (0, MANY):
            cpu, memory = await idle(Path(folder) / f"idle{count}", count, seconds)
            print(f"{count:>7} schedules: idle CPU {cpu:.2f} % of a core, {memory:.1f} MB", flush=True)
        for limits in (False, True):
            first, median, last = await herd(Path(folder) / f"herd{limits}", limits=limits)
            how = "with Telegram's limits" if limits else "without limits"
            print(
                f"{AT_ONCE} at once, {how}: first {first:.2f} s, median {median:.2f} s, last {last:.2f} s", flush=True
            )


if __name__ == "__main__":
    asyncio.run(main())
