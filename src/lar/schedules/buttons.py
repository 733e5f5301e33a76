"""The buttons below a reminder: what they are called, and what they carry."""

from dataclasses import dataclass

from lar.conversations.strings import say
from lar.conversations.timing import PRESS
from lar.domain.delivery import Button
from lar.domain.ids import FiringId, ScheduleId
from lar.domain.schedule import Firing, Once, Schedule

DONE, CANCEL, TOMORROW = "done", "cancel", "1d"
SNOOZES = ("10m", "1h", TOMORROW)
"""Acts that put a reminder off."""

_PARTS = 4


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button below a reminder, as it comes back.

    `firing` is None where it has not fired yet: `due` tells which due it was shown for, in whole seconds.
    """

    schedule: ScheduleId
    firing: FiringId | None
    due: int
    act: str


def below(schedule: Schedule, firing: Firing | None, language: str) -> tuple[tuple[Button, ...], ...]:
    """The rows of buttons below a reminder that fired, or below one that will."""
    number, due = (firing.id, firing.due_at) if firing else (0, schedule.next_due or 0)
    repeats = not isinstance(schedule.timing.rule, Once)

    def button(act: str) -> Button:
        key = f"reminder_button_{'skip' if act == DONE and repeats and not firing else act}"
        return Button(say(language, key), f"{PRESS}{schedule.id}:{number}:{int(due)}:{act}")

    last = [button(DONE)]
    if repeats or firing is None:
        last.append(button(CANCEL))
    return tuple(map(button, SNOOZES)), tuple(last)


def read_press(data: str) -> Pressed | None:
    """Read what a button carries; None if it is none of ours."""
    parts = data.removeprefix(PRESS).split(":")
    if len(parts) != _PARTS or not all(part.isdecimal() for part in parts[:3]):
        return None
    if parts[3] not in {DONE, CANCEL, *SNOOZES}:
        return None
    firing = FiringId(int(parts[1])) if int(parts[1]) else None
    return Pressed(ScheduleId(int(parts[0])), firing, int(parts[2]), parts[3])
