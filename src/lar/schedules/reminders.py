"""Reminders in conversations: `/reminders`, `/timezone`, the buttons below a reminder, and what was missed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from lar.conversations.strings import say
from lar.conversations.timing import Asking, Reaction
from lar.domain.conversation import Place
from lar.domain.delivery import Button, Part
from lar.domain.ids import ScheduleId
from lar.domain.schedule import Firing, Missed, Once, Schedule, ScheduleKind, ScheduleState, Timing
from lar.errors import ScheduleError
from lar.schedules import runbooks
from lar.schedules.buttons import CANCEL, DONE, TOMORROW, Pressed, below, read_press
from lar.schedules.rules import moment, next_due, zone_of
from lar.schedules.telling import line_of, moment_of, zone_name
from lar.store import people, schedules

SHOWN = 20
"""How many schedules a list shows."""

_SECONDS = {"10m": 600.0, "1h": 3600.0}
_DAY = 86400.0
_ROW = 4


class Reminders:
    """A `Timekeeper`. `house` is the zone of whoever has none of their own."""

    def __init__(self, house: tzinfo) -> None:
        self._house = house

    def zone_for(self, name: str) -> tzinfo:
        """The zone of this name, empty: the house's."""
        return zone_of(name) if name else self._house

    # ---- lists

    def reminders(self, asking: Asking, argument: str) -> Part:
        """All of a person's schedules, or one of them with its buttons."""
        wanted = argument.strip()
        found = (
            schedules.find(asking.connection, asking.who.id, wanted)
            if wanted
            else schedules.of_person(asking.connection, asking.who.id)
        )
        if asking.here.place is Place.GROUP:  # nobody else learns there what is theirs alone
            found = [schedule for schedule in found if schedule.conversation_id == asking.here.id]
        if not found:
            return Part(say(asking.language, "reminders_unknown" if wanted else "reminders_none", wanted=wanted[:50]))
        if wanted and len(found) == 1:
            return Part(self._line(asking, found[0]), buttons=below(found[0], None, asking.language))
        lines = [self._line(asking, schedule) for schedule in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(say(asking.language, "reminders_more", count=len(found) - SHOWN))
        text = say(asking.language, "reminders", lines="\n".join(lines))
        return Part(text, buttons=_cancels(asking.language, found[:SHOWN]))

    def _line(self, asking: Asking, schedule: Schedule) -> str:
        zone = self.zone_for(schedule.timing.zone or asking.who.zone)
        return line_of(asking.language, schedule, zone)

    def absence(self, asking: Asking) -> str:
        """What did not come in time in the last day."""
        found = schedules.absence(asking.connection, asking.now - _DAY)
        if not found.late and not found.left_out:
            return ""
        return say(asking.language, "status_missed", late=found.late, left_out=found.left_out)

    def runbooks(self, asking: Asking) -> str:
        """The runbooks, each with its last and its next run."""
        return runbooks.listed(asking, self._house)

    # ---- the zone of a person

    def zone(self, asking: Asking, argument: str) -> str:
        """Tell where a person lives, or let them live elsewhere: what repeats for them follows at once."""
        name, language = argument.strip(), asking.language
        if not name:
            here = zone_name(self.zone_for(asking.who.zone))
            return say(language, "zone_is", zone=here, now=self._time(asking, self.zone_for(asking.who.zone)))
        try:
            zone = self.zone_for("" if name.lower() == "default" else name)
        except ScheduleError:
            return say(language, "zone_unknown", zone=name[:50])
        people.set_zone(asking.connection, asking.who.id, "" if name.lower() == "default" else name)
        moved = self._move(asking, zone)
        return say(language, "zone_set", zone=zone_name(zone), now=self._time(asking, zone), moved=moved)

    def _move(self, asking: Asking, zone: tzinfo) -> int:
        moved = 0
        for schedule in schedules.of_person(asking.connection, asking.who.id):
            due = schedule.next_due
            if schedule.timing.zone or due is None or due <= asking.now:
                continue
            following = next_due(schedule.timing, zone, asking.now)
            if following != due:
                schedules.retime(asking.connection, schedule.id, schedule.timing, following, schedule.left)
                moved += 1
        return moved

    def _time(self, asking: Asking, zone: tzinfo) -> str:
        return moment_of(asking.language, asking.now // 60 * 60, zone)

    # ---- buttons

    def pressed(self, asking: Asking, data: str) -> Reaction:
        """Put a reminder off, be done with it, or cancel it; once, and only by whose it is."""
        press = read_press(data)
        schedule = schedules.get(asking.connection, press.schedule) if press else None
        if press is None or schedule is None:
            return Reaction(say(asking.language, "press_stale"), taken=False)
        if schedule.principal_id != asking.who.id:
            return Reaction(say(asking.language, "press_not_yours"), taken=False)
        if press.firing is None:
            outcome = self._before(asking, schedule, press)
        else:
            firing = schedules.get_firing(asking.connection, press.firing)
            outcome = self._after(asking, schedule, firing, press.act) if firing else ""
        if not outcome:
            return Reaction(say(asking.language, "press_stale"), taken=False)
        return Reaction(f"⏰ {schedule.text}\n{outcome}", edits=True)

    def _after(self, asking: Asking, schedule: Schedule, firing: Firing, act: str) -> str:
        """What comes of a button below a reminder that fired; empty: one was pressed before."""
        if not schedules.answer(asking.connection, firing.id, act):
            return ""
        if act == DONE:
            return say(asking.language, "reminder_done")
        if act == CANCEL:
            schedules.cancel(asking.connection, schedule.id)
            return say(asking.language, "reminder_cancelled")
        at = self._put_off(asking, schedule, act, asking.now, firing.due_at)
        return self._again(asking, schedule, at, f"snooze:{firing.id}")

    def _before(self, asking: Asking, schedule: Schedule, press: Pressed) -> str:
        """What comes of a button below a reminder that is still to come; empty: it is not what it was."""
        due = schedule.next_due
        if schedule.state is not ScheduleState.ACTIVE or due is None or int(due) != press.due:
            return ""
        if press.act == CANCEL:
            schedules.cancel(asking.connection, schedule.id)
            return say(asking.language, "reminder_cancelled")
        later = None if press.act == DONE else self._put_off(asking, schedule, press.act, due, due)
        if isinstance(schedule.timing.rule, Once):
            return self._move_once(asking, schedule, later)
        return self._skip(asking, schedule, due, later)

    def _move_once(self, asking: Asking, schedule: Schedule, later: float | None) -> str:
        """Let what comes once come later, None: not at all."""
        if later is None:
            schedules.retime(asking.connection, schedule.id, schedule.timing, None)
            return say(asking.language, "reminder_done")
        timing = replace(schedule.timing, rule=Once(later))
        schedules.retime(asking.connection, schedule.id, timing, later, schedule.left)
        zone = self.zone_for(schedule.timing.zone or asking.who.zone)
        return say(asking.language, "reminder_put_off", when=moment_of(asking.language, later, zone))

    def _skip(self, asking: Asking, schedule: Schedule, due: float, later: float | None) -> str:
        """Leave one due of what repeats out; it comes later instead, None: it does not."""
        zone = self.zone_for(schedule.timing.zone or asking.who.zone)
        left = None if schedule.left is None else schedule.left - 1
        following = next_due(schedule.timing, zone, due) if left != 0 else None
        schedules.retime(asking.connection, schedule.id, schedule.timing, following, left)
        if later is not None:
            return self._again(asking, schedule, later, f"snooze:{schedule.id}:{due:.0f}")
        if following is None:
            return say(asking.language, "reminder_done")
        return say(asking.language, "reminder_skipped", when=moment_of(asking.language, following, zone))

    def _put_off(self, asking: Asking, schedule: Schedule, act: str, since: float, due: float) -> float:
        """Until when. Tomorrow means the time of day it was due at."""
        if act != TOMORROW:
            return since + _SECONDS.get(act, 0.0)
        zone = self.zone_for(schedule.timing.zone or asking.who.zone)
        today = datetime.fromtimestamp(since, tz=UTC).astimezone(zone).date()
        at = datetime.fromtimestamp(due, tz=UTC).astimezone(zone).time()
        return moment(datetime.combine(today + timedelta(days=1), at), zone)

    def _again(self, asking: Asking, schedule: Schedule, at: float, key: str) -> str:
        """One more reminder of the same text."""
        once = replace(
            schedule,
            id=ScheduleId(0),
            kind=ScheduleKind.REMINDER,
            timing=Timing(Once(at), schedule.timing.zone),
            key=key,
            state=ScheduleState.ACTIVE,
            next_due=at,
            left=None,
            missed=Missed.ONCE,
            created_at=asking.now,
        )
        schedules.add(asking.connection, once)
        zone = self.zone_for(schedule.timing.zone or asking.who.zone)
        return say(asking.language, "reminder_put_off", when=moment_of(asking.language, at, zone))


def _cancels(language: str, found: Sequence[Schedule]) -> tuple[tuple[Button, ...], ...]:
    """Buttons that cancel, a few to a row."""
    buttons = [below(schedule, None, language)[1][1] for schedule in found]
    named = [replace(button, label=f"✖ #{schedule.id}") for button, schedule in zip(buttons, found, strict=True)]
    return tuple(tuple(named[row : row + _ROW]) for row in range(0, len(named), _ROW))
