"""Runbooks: work of the house that files describe. Read again whenever one changes; a broken one stops no other."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from sqlalchemy import Connection

from lar.conversations.strings import duration, say
from lar.conversations.timing import Asking
from lar.domain.conversation import Conversation
from lar.domain.delivery import Part
from lar.domain.ids import ScheduleId
from lar.domain.principal import Principal
from lar.domain.schedule import Schedule, ScheduleKind, ScheduleState
from lar.domain.values import Clock
from lar.schedules.rules import next_due, zone_of
from lar.schedules.runbook_files import Runbook, RunbookError, read
from lar.schedules.telling import moment_of, rule_of
from lar.store import deliveries, lasting, schedules
from lar.store.database import Database

PREFIX = "runbook:"
LOOK_EVERY = 10.0
"""Seconds between two looks at the folder."""

MOST_BYTES = 64_000
_BROKEN = "runbooks_broken"

Owners = Callable[[Connection, float], Iterator[tuple[Conversation, Principal]]]
Found = Mapping[str, Runbook | RunbookError]
"""What each file says, by its name without the ending; or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where runbooks are, which agents they may name, and the least seconds between two runs of one."""

    path: Path
    roles: frozenset[str]
    least: float

    def look(self) -> tuple[tuple[str, int, int], ...]:
        """By what a change is noticed."""
        with suppress(FileNotFoundError), os.scandir(self.path) as entries:
            return tuple(
                sorted((e.name, e.stat().st_mtime_ns, e.stat().st_size) for e in entries if e.name.endswith(_ENDINGS))
            )
        return ()

    def read(self) -> Found:
        """All files."""
        found: dict[str, Runbook | RunbookError] = {}
        for name, _, size in self.look():
            stem = name.rsplit(".", 1)[0]
            try:
                if size > MOST_BYTES:
                    raise RunbookError(1, f"the file is larger than {MOST_BYTES} bytes")  # noqa: TRY301  # as the others
                found[stem] = read((self.path / name).read_text("utf-8"), self.roles, self.least)
            except RunbookError as error:
                found[stem] = error
            except (OSError, UnicodeDecodeError) as error:
                found[stem] = RunbookError(1, f"the file cannot be read: {error}")
        return found


_ENDINGS = (".yaml", ".yml")


class Runbooks:
    """Keeps schedules as the files say. `report` shows what is wrong with a file, None: nothing any more."""

    def __init__(  # where, whose, when
        self,
        db: Database,
        folder: Folder,
        owners: Owners,
        report: Callable[[str, str | None], None],
        house: tzinfo,
        clock: Clock,
    ) -> None:
        self._db = db
        self._folder = folder
        self._owners = owners
        self._report = report
        self._house = house
        self._clock = clock
        self._broken: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look for changes until cancelled."""
        seen: object = None
        while True:
            now = await asyncio.to_thread(self._folder.look)
            if now != seen and await self.load():
                seen = now
            await asyncio.sleep(LOOK_EVERY)

    async def load(self) -> bool:
        """Read all files, and let the schedules be as they say. False: there is nobody yet whose they would be."""
        found = await asyncio.to_thread(self._folder.read)
        done = await self._db.write(self._apply, found)
        broken = {name: str(error) for name, error in found.items() if isinstance(error, RunbookError)}
        for name in self._broken - broken.keys():
            self._report(f"runbook {name}", None)
        for name, why in broken.items():
            self._report(f"runbook {name}", why)
        self._broken = frozenset(broken)
        return done

    def _apply(self, connection: Connection, found: Found) -> bool:
        now = self._clock()
        owner = next(self._owners(connection, now), None)
        if owner is None:
            return not found
        here, who = owner
        for schedule in schedules.with_prefix(connection, PREFIX):
            if (schedule.key or "").removeprefix(PREFIX) not in found:
                schedules.remove(connection, schedule.id)
        for name, runbook in found.items():
            if isinstance(runbook, Runbook):
                self._keep(connection, name, runbook, here, who, now)
        self._tell(connection, found, here, who, now)
        return True

    def _keep(  # what, whose, where, when
        self, connection: Connection, name: str, runbook: Runbook, here: Conversation, who: Principal, now: float
    ) -> None:
        options = {"agent": runbook.role or None, "mode": runbook.mode, "dedupe": runbook.dedupe}
        due = next_due(runbook.timing, self._house, now) if runbook.enabled else None
        wanted = Schedule(
            ScheduleId(0),
            ScheduleKind.RUNBOOK,
            runbook.prompt,
            runbook.timing,
            who.id,
            here.id,
            f"{PREFIX}{name}",
            ScheduleState.ACTIVE if runbook.enabled else ScheduleState.CANCELLED,
            due,
            jitter=runbook.jitter,
            missed=runbook.missed,
            options=options,
            created_at=now,
        )
        known = schedules.by_key(connection, f"{PREFIX}{name}")
        if known is None:
            schedules.add(connection, wanted)
            return
        same = replace(known, id=wanted.id, created_at=now, fired=0, missed_count=0, missed_at=None)
        if replace(same, next_due=due) != wanted:
            schedules.rewrite(connection, known.id, wanted)

    def _tell(self, connection: Connection, found: Found, here: Conversation, who: Principal, now: float) -> None:
        """Tell the owner of mistakes they were not told of."""
        broken = {name: str(error) for name, error in found.items() if isinstance(error, RunbookError)}
        told: Mapping[str, str] = lasting.load(connection, _BROKEN) or {}
        for name, why in broken.items():
            if told.get(name) != why:
                text = say(who.language, "runbook_broken", name=name, why=why)
                deliveries.add(connection, here.id, [Part(text)], now)
        if told != broken:
            lasting.save(connection, _BROKEN, broken)


def listed(asking: Asking, house: tzinfo) -> str:
    """Answer `/runbooks`: each with its last run, its next, and whether it is due."""
    language = asking.language
    lines = [_line(asking, each, house) for each in schedules.with_prefix(asking.connection, PREFIX)]
    broken: Mapping[str, str] = lasting.load(asking.connection, _BROKEN) or {}
    lines += [say(language, "runbook_broken", name=name, why=why) for name, why in broken.items()]
    return "\n".join(lines) or say(language, "runbooks_none")


def _line(asking: Asking, schedule: Schedule, house: tzinfo) -> str:
    language = asking.language
    zone = zone_of(schedule.timing.zone) if schedule.timing.zone else house
    ran = schedules.last_turns(asking.connection, schedule.id, 1)
    age = duration(language, asking.now - ran[0].at) if ran else ""
    last = say(language, "runbook_last", age=age, state=ran[0].state) if ran else say(language, "runbook_never")
    due = schedule.next_due
    following = say(language, "runbook_off") if due is None else moment_of(language, due, zone)
    return say(
        language,
        "runbook_line",
        name=(schedule.key or "").removeprefix(PREFIX),
        rule=rule_of(language, schedule.timing, zone),
        last=last,
        next=f"DUE ({following})" if due is not None and due <= asking.now else following,
    )
