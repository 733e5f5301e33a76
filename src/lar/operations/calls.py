"""What the operator can ask of a Lar, by name: in the running gateway over its API, or on the database directly."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lar import __version__
from lar.domain.conversation import Address
from lar.domain.ids import TurnId
from lar.domain.values import Clock, JsonObject
from lar.errors import LarError
from lar.operations import approvals, mcp, people, schedules, usage
from lar.store import deliveries, records, turns
from lar.store.database import Database

READING = frozenset(
    {
        "status",
        "people/list",
        "approvals/list",
        "turn/list",
        "turn/record",
        "conversation/idle",
        "mcp/list",
        "usage",
        "schedules/list",
    }
)
"""Operations that change nothing."""


@dataclass(frozen=True, slots=True)
class Process:
    """What a gateway tells about itself. `agents` maps names to what thinks, such as `loop openai:gpt-5-mini`.

    `resting` are sentences about keys and models that rest.
    """

    started_at: float
    agents: Mapping[str, str]
    channels: tuple[str, ...]
    problems: Callable[[], Mapping[str, str]]
    resting: Callable[[], Sequence[str]] = tuple[str, ...]


class Operations:
    """The operations. `process` is None where no gateway runs and the database was opened by the command itself."""

    def __init__(self, db: Database, clock: Clock, process: Process | None = None) -> None:
        self._db = db
        self._clock = clock
        self._process = process
        self._by_name: Mapping[str, Callable[[JsonObject], Awaitable[JsonObject]]] = {
            "status": self._status,
            "people/list": lambda _: db.read(people.listing, clock()),
            "people/add": lambda arguments: db.write(people.add, arguments, clock()),
            "people/remove": lambda arguments: db.write(people.remove, arguments),
            "people/admin": lambda arguments: db.write(people.make_admin, arguments),
            "people/approve": lambda arguments: db.write(people.approve, arguments, clock()),
            "approvals/list": lambda _: db.read(approvals.listing),
            "approvals/decide": lambda arguments: db.write(approvals.decide, arguments, clock()),
            "approvals/withdraw": lambda arguments: db.write(approvals.withdraw, arguments),
            "turn/list": lambda arguments: db.read(_turns, arguments),
            "conversation/idle": lambda arguments: db.read(_idle, arguments),
            "turn/record": lambda arguments: db.read(_record, arguments),
            "usage": lambda arguments: db.read(usage.listing, arguments),
            "schedules/list": lambda _: db.read(schedules.listing),
            "mcp/list": lambda _: db.read(mcp.listing, process.problems() if process else {}),
            "mcp/accept": lambda arguments: db.write(mcp.accept, arguments, clock()),
        }

    async def call(self, name: str, arguments: JsonObject) -> JsonObject:
        """Run one operation; what it takes and gives is described where it is implemented.

        Raises:
            KeyError: there is none of this name.
            LarError: it cannot be done; the message says why.

        """
        return await self._by_name[name](arguments)

    async def _status(self, _arguments: JsonObject) -> JsonObject:
        """What Lar does right now.

        `running`, `version`, `database`, `turns` and `deliveries` (counts); of a gateway also `pid`, `uptime`
        (seconds), `agents`, `channels`, `resting` (sentences) and `problems` (source → sentence).
        """
        counts = await self._db.read(_counts)
        status = {"running": False, "version": __version__, "database": self._db.dialect, **counts}
        if self._process is None:
            return status
        return status | {
            "running": True,
            "pid": os.getpid(),
            "uptime": self._clock() - self._process.started_at,
            "agents": dict(self._process.agents),
            "channels": list(self._process.channels),
            "resting": list(self._process.resting()),
            "problems": dict(self._process.problems()),
        }


def _counts(connection: Connection) -> dict[str, object]:
    return {"turns": {"open": turns.count_open(connection)}, "deliveries": deliveries.counts(connection)}


def _turns(connection: Connection, arguments: JsonObject) -> JsonObject:
    """The last `limit` (20) turns."""
    limit = arguments.get("limit", 20)
    if not isinstance(limit, int) or not 0 < limit <= 1000:  # noqa: PLR2004  # said in the message
        raise LarError("limit is a number from 1 to 1000")
    return {"turns": records.newest_turns(connection, limit)}


def _record(connection: Connection, arguments: JsonObject) -> JsonObject:
    """Everything recorded about turn `id`."""
    wanted = arguments.get("id")
    record = records.turn_record(connection, TurnId(wanted)) if isinstance(wanted, int) else None
    if record is None:
        raise LarError(f"there is no turn {wanted}: `lar turn list` shows the last ones")
    return record


def _idle(connection: Connection, arguments: JsonObject) -> JsonObject:
    """Whether nothing is to be done or delivered in the conversation at `channel`, `account`, `chat`."""
    where = Address(*(str(arguments.get(name, "")) for name in ("channel", "account", "chat")))
    return {"idle": records.is_idle(connection, where)}
