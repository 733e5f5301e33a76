"""The room, put together: what an app needs of schedules."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from lar.conversations.admins import Telling, notify_chat, private_chats
from lar.conversations.problems import Problems
from lar.domain.conversation import Address, Conversation
from lar.domain.ids import PrincipalId
from lar.domain.memory import Owner
from lar.domain.principal import Principal
from lar.domain.schedule import Every, Quiet, Timing
from lar.domain.values import Clock
from lar.engine.contract import Handler
from lar.policy.access import AccessRules, admit
from lar.schedules import clocked, digest, heartbeat, hooks, tasks
from lar.schedules.arrivals import Arrivals
from lar.schedules.clockwork import FIRING, Clockwork
from lar.schedules.digest import Digest
from lar.schedules.firing import FiringHandler, Task
from lar.schedules.heartbeat import Heartbeat
from lar.schedules.reminders import Reminders
from lar.schedules.runbooks import Folder, Runbooks
from lar.schedules.settings import HeartbeatSettings, ScheduleSettings
from lar.schedules.tasks import Chore
from lar.schedules.tools import Desk, schedule_tools
from lar.schedules.zones import house_zone
from lar.store import people
from lar.store.database import Database


async def nothing_asked_for(_owner: Owner) -> bool:
    """Nobody wrote anything down."""
    return False


@dataclass(frozen=True, slots=True)
class House:
    """Where it all happens. `time_zone` is an IANA name, empty: the machine's; `accounts` says who may use which.

    `asked_for` tells whether a person wrote down what a heartbeat should look after. `runbooks` is the folder of these,
    `roles` are the agents they may name, `problems` what is wrong right now, and `notify` is the notification chat of
    the configuration. `files` is where a person's files are.
    """

    time_zone: str
    language: str
    clock: Clock
    accounts: Mapping[tuple[str, str], AccessRules]
    asked_for: Callable[[Owner], Awaitable[bool]] = nothing_asked_for
    runbooks: Path = Path("runbooks")
    roles: frozenset[str] = frozenset({"main"})
    problems: Problems = field(default_factory=Problems)
    notify: Address | None = None
    files: Callable[[PrincipalId], Path] = lambda person: Path("people") / str(person)

    def owners(self, connection: Connection, now: float) -> Iterator[tuple[Conversation, Principal]]:
        """The private chats of the admins; the terminal, which nobody may be looking at, comes last."""
        for (channel, account), rules in reversed(list(self.accounts.items())):
            yield from private_chats(connection, channel, account, rules, now)

    def admits(self, connection: Connection, here: Conversation, who: PrincipalId) -> bool:
        """Whether this person may still talk there; of an account that is not configured now, nothing is known."""
        channel, account = here.address.channel, here.address.account
        rules = self.accounts.get((channel, account))
        return rules is None or any(
            admit(rules, user, here.address.chat, known.principal.role if known.granted else None)
            for user, known in people.logins(connection, who, channel, account)
        )

    def notification_chat(self, connection: Connection, now: float) -> tuple[Conversation, str] | None:
        """The notification chat, and its language; None: none was named."""
        if notify_chat(connection) is None and self.notify is None:
            return None
        return next(iter(Telling(self.accounts, self.notify, self.language).chats(connection, now)), None)


class Timekeeping:
    """Schedules of one Lar."""

    def __init__(self, db: Database, settings: ScheduleSettings, house: House) -> None:
        self._clock = house.clock
        self.zone = house_zone(house.time_zone)
        beat = Heartbeat(db, settings.heartbeat, house.owners, house.asked_for, house.language, house.clock)
        tell = Digest(house.notification_chat, lambda: house.problems.open, self.zone, house.clock).tell
        beating, digest_at = settings.heartbeat, settings.digest_at
        self._chores: dict[str, Chore] = {
            heartbeat.TASK: Chore(beat.beat, beats(beating) if beating.enabled else None),
            digest.TASK: Chore(tell, digest.at(digest_at) if digest_at else None),
        }
        self._told = clocked.schedules_of(settings.events, settings.min_interval_seconds)
        self.tasks: dict[str, Task] = {name: chore.run for name, chore in self._chores.items()}
        self.clockwork = Clockwork(db, settings, self.zone, house.clock)
        self.reminders = Reminders(self.zone)
        self.tools = schedule_tools(Desk(db, settings, self.zone, house.clock))
        folder = Folder(house.runbooks, house.roles, settings.min_interval_seconds)
        self.runbooks = Runbooks(db, folder, house.owners, house.problems.report, self.zone, house.clock)
        self.arrivals = Arrivals(db, house.owners, house.files, house.clock)
        self.hooks = hooks.hooks(settings.hooks, db, house.clock)
        self._firings = FiringHandler(db, self.tasks, house.admits, self.zone, house.language, house.clock)

    def employ(self, chores: Mapping[str, Chore]) -> None:
        """Take on further tasks by their names, before `begin`."""
        self._chores.update(chores)
        self.tasks.update({name: chore.run for name, chore in chores.items()})

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What the engine runs."""
        return {FIRING: self._firings}

    def begin(self, connection: Connection) -> None:
        """Let there be the tasks and events that the configuration wants, and no other."""
        now = self._clock()
        tasks.keep_all(connection, tasks.PREFIX, tasks.schedules_of(self._chores), self.zone, now)
        tasks.keep_all(connection, clocked.PREFIX, self._told, self.zone, now)


def beats(settings: HeartbeatSettings) -> Timing:
    """When a heartbeat is due: at whole multiples of its interval, in its active hours."""
    start, end = (int(edge[:2]) * 60 + int(edge[3:]) for edge in settings.active_hours.split("-"))
    return Timing(Every(settings.minutes * 60, 0.0), quiet=Quiet(end, start))
