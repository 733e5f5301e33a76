"""What commands and buttons need of schedules. Runs inside the transaction of whoever calls."""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from lar.conversations.strings import say
from lar.domain.conversation import Conversation
from lar.domain.delivery import Part
from lar.domain.principal import Principal

PRESS = "r:"
"""What the data of a button below a reminder begins with."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks about schedules, where and when, and in which language they are answered."""

    connection: Connection
    who: Principal
    here: Conversation
    language: str
    now: float


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a press leads to. `edits`: the text takes the place of the message that was pressed."""

    text: str
    edits: bool = False
    taken: bool = True


class Timekeeper(Protocol):
    """Schedules as conversations see them."""

    def reminders(self, asking: Asking, argument: str, /) -> Part:
        """Answer `/reminders`."""
        ...

    def pressed(self, asking: Asking, data: str, /) -> Reaction:
        """Carry out a button below a reminder, once."""
        ...

    def zone(self, asking: Asking, argument: str, /) -> str:
        """Answer `/timezone`: tell the person's zone, or change it."""
        ...

    def runbooks(self, asking: Asking, /) -> str:
        """Answer `/runbooks`."""
        ...

    def absence(self, asking: Asking, /) -> str:
        """What did not come in time lately, as lines of `/status`."""
        ...


class NoTimekeeper:
    """Where there are no schedules. A `Timekeeper`."""

    def reminders(self, asking: Asking, _argument: str) -> Part:
        """None."""
        return Part(say(asking.language, "reminders_none"))

    def pressed(self, asking: Asking, _data: str) -> Reaction:
        """Nothing is."""
        return Reaction(say(asking.language, "press_stale"), taken=False)

    def zone(self, asking: Asking, _argument: str) -> str:
        """There is none."""
        return say(asking.language, "reminders_none")

    def runbooks(self, asking: Asking) -> str:
        """None."""
        return say(asking.language, "runbooks_none")

    def absence(self, _asking: Asking) -> str:
        """Nothing was missed."""
        return ""
