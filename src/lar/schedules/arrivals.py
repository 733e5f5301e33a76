"""What arrives in the owner's `inbox` folder, from a scanner or another machine: an event for the next heartbeat."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from stat import S_ISREG

from sqlalchemy import Connection

from lar.domain.conversation import Conversation
from lar.domain.ids import PrincipalId
from lar.domain.principal import Principal
from lar.domain.values import Clock
from lar.errors import SandboxError
from lar.sandboxes.tree import walk
from lar.store import events
from lar.store.database import Database
from lar.store.events import Event

FOLDER = "inbox"
"""The folder among the owner's files."""

LOOK_EVERY = 10.0
"""Seconds between two looks. A file that was the same at two of them has arrived."""

FRESH = 7 * 86400.0
"""Seconds after which a file that lies there was told of already; what was told is not known for ever."""

MOST = 200
"""How many names are looked at."""

Owners = Callable[[Connection, float], Iterator[tuple[Conversation, Principal]]]
Marks = Mapping[str, tuple[int, int]]
"""The files by name: when each last changed, in nanoseconds, and its size in bytes."""


class Arrivals:
    """Looks for new files. `files` is where a person's files are."""

    def __init__(self, db: Database, owners: Owners, files: Callable[[PrincipalId], Path], clock: Clock) -> None:
        self._db = db
        self._owners = owners
        self._files = files
        self._clock = clock
        self._owner: PrincipalId | None = None
        self._seen: Marks = {}
        self._told: set[tuple[str, tuple[int, int]]] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Tell of each file that is as it was at the last look; once, whatever is restarted.

        To find the owner is a write: their private chat may have to be made. It is done until there is one.
        """
        self._owner = owner = self._owner or await self._db.write(self._find_owner)
        if owner is None:
            return
        found = await asyncio.to_thread(_marks, self._files(owner) / FOLDER)
        still = {(name, mark) for name, mark in found.items() if self._seen.get(name) == mark}
        self._seen, self._told = found, self._told & set(found.items())
        fresh = sorted(each for each in still - self._told if each[1][0] / 1e9 > self._clock() - FRESH)
        if fresh:
            await self._db.write(self._tell, owner, fresh)
        self._told |= still

    def _find_owner(self, connection: Connection) -> PrincipalId | None:
        found = next(self._owners(connection, self._clock()), None)
        return None if found is None else found[1].id

    def _tell(self, connection: Connection, owner: PrincipalId, arrived: list[tuple[str, tuple[int, int]]]) -> None:
        for name, (changed, size) in arrived:
            text = f"{FOLDER}/{name!r}, {size} bytes"
            key = f"file:{owner}:{changed}:{name!r}"[:200]  # a name may be no text
            events.add(connection, Event(0, "file arrived", text, self._clock(), owner, f"file: {FOLDER}", key))


def _marks(folder: Path) -> Marks:
    """The plain files directly in this folder; a link to a folder is none."""
    try:
        return {
            entry.name: (entry.status.st_ctime_ns, entry.status.st_size)
            for entry in walk(folder, MOST, depth=0)
            if S_ISREG(entry.status.st_mode) and not entry.name.startswith(".")
        }
    except SandboxError:  # there is none
        return {}
