"""The room, put together: what an app needs of schedules."""

from collections.abc import Mapping

from lar.domain.values import Clock
from lar.engine.contract import Handler
from lar.schedules.clockwork import FIRING, Clockwork
from lar.schedules.firing import FiringHandler, Task
from lar.schedules.reminders import Reminders
from lar.schedules.settings import ScheduleSettings
from lar.schedules.tools import Desk, schedule_tools
from lar.schedules.zones import house_zone
from lar.store.database import Database


class Timekeeping:
    """Schedules of one Lar. `time_zone` is the house's (an IANA name, empty: the machine's)."""

    def __init__(  # the house, its people's language, its clock
        self, db: Database, settings: ScheduleSettings, time_zone: str, language: str, clock: Clock
    ) -> None:
        self.house = house_zone(time_zone)
        self.tasks: dict[str, Task] = {}
        self.clockwork = Clockwork(db, settings, self.house, clock)
        self.reminders = Reminders(self.house)
        self.tools = schedule_tools(Desk(db, settings, self.house, clock))
        self._firings = FiringHandler(db, self.tasks, self.house, language, clock)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What the engine runs."""
        return {FIRING: self._firings}
