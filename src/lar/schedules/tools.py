"""The tools for schedules. Everybody has their own; in a group only those of the group are seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Literal

from pydantic import Field

from lar.conversations.strings import say
from lar.domain.conversation import Place
from lar.domain.ids import ScheduleId
from lar.domain.risk import Deed, Risk
from lar.domain.schedule import Missed, Quiet, Schedule, ScheduleKind
from lar.domain.values import Clock, JsonObject
from lar.errors import ScheduleError, ToolError
from lar.schedules.grammar import clock as clock_of
from lar.schedules.reading import Understood, Unsure
from lar.schedules.rules import next_due, shortest_gap, zone_of
from lar.schedules.runbook_files import jitter_of
from lar.schedules.settings import ScheduleSettings
from lar.schedules.telling import line_of, moment_of, rule_of
from lar.schedules.words import request_in, understand, understand_when
from lar.store import people, schedules
from lar.store.database import Connection, Database
from lar.tools.contract import Effect, Tool, ToolContext
from lar.tools.define import tool

QUESTIONS = 3
"""How often a person is asked back about one schedule."""

_LONGEST_OPTION = 60

Words = Annotated[str, Field(max_length=1000)]
Body = Annotated[str, Field(max_length=4000)]
Reference = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the tools work with. `house` is the zone of whoever has none of their own."""

    db: Database
    settings: ScheduleSettings
    house: tzinfo
    clock: Clock

    def zone(self, name: str) -> tzinfo:
        """The zone of this name, empty: the house's."""
        return zone_of(name) if name else self.house


def schedule_tools(desk: Desk) -> tuple[Tool, ...]:
    """`schedule_prompt`, `list_scheduled_prompts`, `cancel_scheduled_prompt` and `delete_scheduled_prompt`."""
    return (_scheduler(desk), *_keepers(desk))


def _scheduler(desk: Desk) -> Tool:
    """The tool that schedules."""

    @tool(risk=Risk.WRITE, repeatable=True, effect=_scheduling)
    async def schedule_prompt(
        context: ToolContext,
        when: Words = "",
        text: Body = "",
        request: Words = "",
        kind: Literal["reminder", "prompt"] = "reminder",
        missed: Literal["once", "skip", "all"] = "once",
        quiet: Annotated[str, Field(max_length=20)] = "",
        jitter: Annotated[str, Field(max_length=40)] = "",
    ) -> str:
        """Schedule a reminder or a prompt for this person, once or again and again. It survives restarts.

        A reminder sends its text, without you. A prompt is given to you at its time as if the person had written it:
        for what has to be looked up or thought about then. Nobody approves of anything in such a turn.

        Give either `when` and `text`, or the person's own sentence as `request`. Where it is not sure what they mean,
        they are asked. Tell them what the result says: the date, the time and the zone.

        Args:
            context: Who asks.
            when: In English: "in 30 minutes", "tomorrow at 07:00", "2027-03-01 09:00", "every weekday at 9:00", "every
                2 hours until 18:00", "the last friday of every month at 17:00", "every day at 9:00 for 3 weeks", or
                a cron line: "cron: 0 9 * * 1-5". A zone may follow: "at 9:00 America/Bogota time".
            text: What to say, or what you are to do then, complete in itself.
            request: The whole request in the person's words, such as "remind me tomorrow at 7 to call Ana".
            kind: Whether its text is told as it is, or given to you.
            missed: What comes of firings while Lar does not run: one for all of them, none, or every one.
            quiet: Hours in which it must not fire, such as "22:00-07:00": what falls into them comes when they end.
            jitter: How much later it may begin, by chance, such as "10 minutes", where many would come at once.
        """
        person = await desk.db.read(people.get, context.principal.id)
        zone = desk.zone(person.zone)
        meant = await _meant(desk, context, zone, when.strip(), text.strip(), request.strip())
        new = _schedule(desk, context, meant, zone, ScheduleKind(kind), Missed(missed), _quiet(quiet), _jitter(jitter))
        made = await desk.db.write(_add, new, desk.settings.max_per_person)
        language, there = context.principal.language, zone_of(made.timing.zone) if made.timing.zone else zone
        due = made.next_due if made.next_due is not None else meant.first
        return say(
            language,
            f"{made.kind}_made",
            number=made.id,
            text=made.text,
            when=moment_of(language, due, there),
            rule=rule_of(language, made.timing, there, made.left),
        )

    return schedule_prompt


def _keepers(desk: Desk) -> tuple[Tool, ...]:
    """The tools that list and end."""

    @tool(risk=Risk.READ, repeatable=True)
    async def list_scheduled_prompts(context: ToolContext, include_ended: bool = False) -> str:
        """List this person's reminders and scheduled prompts: number, text, next time, how often.

        Args:
            context: Who asks.
            include_ended: Also those that fired for the last time or were cancelled.
        """
        found = await desk.db.read(schedules.of_person, context.principal.id, active=not include_ended)
        person = await desk.db.read(people.get, context.principal.id)
        lines = [
            line_of(context.principal.language, each, desk.zone(each.timing.zone or person.zone))
            for each in _visible(context, found)
        ]
        return "\n".join(lines) or say(context.principal.language, "reminders_none")

    @tool(risk=Risk.WRITE, repeatable=True, effect=_cancelling)
    async def cancel_scheduled_prompt(context: ToolContext, schedule: Reference) -> str:
        """Cancel one of this person's reminders or scheduled prompts: it never fires again, and is listed as ended.

        Args:
            context: Who asks.
            schedule: Its number, or words of its text.
        """
        found = await _one(desk, context, schedule, active=True)
        await desk.db.write(schedules.cancel, found.id)
        return say(context.principal.language, "schedule_cancelled", number=found.id, text=found.text)

    @tool(risk=Risk.WRITE, repeatable=True, effect=_deleting)
    async def delete_scheduled_prompt(context: ToolContext, schedule: Reference) -> str:
        """Delete one of this person's reminders or scheduled prompts for good, with the record of its firings.

        Args:
            context: Who asks.
            schedule: Its number, or words of its text.
        """
        found = await _one(desk, context, schedule, active=False)
        await desk.db.write(schedules.remove, found.id)
        return say(context.principal.language, "schedule_deleted", number=found.id, text=found.text)

    return list_scheduled_prompts, cancel_scheduled_prompt, delete_scheduled_prompt


def _scheduling(arguments: JsonObject) -> Effect:
    what = arguments["request"].strip() or f"{arguments['when'].strip()}: {arguments['text'].strip()}"
    return Effect(Deed.REMEMBER, f"schedule a {arguments['kind']}: {what}")


def _cancelling(arguments: JsonObject) -> Effect:
    return Effect(Deed.REMEMBER, f"cancel the schedule {arguments['schedule']!r}")


def _deleting(arguments: JsonObject) -> Effect:
    return Effect(Deed.REMEMBER, f"delete the schedule {arguments['schedule']!r} for good")


async def _meant(  # when, what, or both in a sentence
    desk: Desk, context: ToolContext, zone: tzinfo, when: str, text: str, request: str
) -> Understood:
    """What is meant; a person is asked where that is not sure."""
    now = desk.clock()
    if not (when or request):
        raise ToolError("Say when, or give the whole request in the person's words.")
    if when and not (text or request):
        raise ToolError("Say what the text is.")
    for number in range(QUESTIONS + 1):
        try:
            if when:
                found = understand_when(when, now, zone)
                return Understood(found.timing, found.first, found.left, text)
            return understand(request, now, zone)
        except ScheduleError as error:
            raise ToolError(say(context.principal.language, "schedule_refused", why=error)) from None
        except Unsure as unsure:
            if number == QUESTIONS:
                raise ToolError(
                    say(context.principal.language, "schedule_refused", why=unsure.question.rstrip(".?"))
                ) from None
            options = [option for option in unsure.options if len(option) <= _LONGEST_OPTION]
            said = await context.desk.choose(f"{context.call}.{number}", unsure.question, options)
            when, text, request = _with_answer(unsure, said.strip(), when, text, request_in(said, now, zone))
    raise AssertionError("the last question is refused")  # pragma: no cover  # the loop above returns or raises


def _with_answer(unsure: Unsure, said: str, when: str, text: str, anew: tuple[str, str] | None) -> tuple[str, str, str]:
    """When, what, or a whole new request, after somebody answered.

    `anew` is what they said as a request of its own: one that says when and what takes the place of the first; one
    that says half of it is the answer if that half was asked for.
    """
    words, what = anew or ("", "")
    if words and what:
        return "", "", said
    if unsure.words:
        return unsure.words, what or said, ""
    if what:
        return "", "", said
    if when or unsure.text:
        return words or said, unsure.text or text, ""
    return "", "", said


def _schedule(  # who, where, when and how
    desk: Desk,
    context: ToolContext,
    meant: Understood,
    zone: tzinfo,
    kind: ScheduleKind,
    missed: Missed,
    quiet: Quiet | None,
    jitter: float,
) -> Schedule:
    now = desk.clock()
    timing = meant.timing if quiet is None else meant.timing.hushed(quiet)
    due = next_due(timing, zone, min(now, meant.first) - 1) if quiet is not None else meant.first
    gap = shortest_gap(timing, zone, now)
    if gap is not None and gap < desk.settings.min_interval_seconds:
        least = f"{desk.settings.min_interval_seconds:g}"
        raise ToolError(say(context.principal.language, "schedule_too_often", seconds=least))
    return Schedule(
        id=ScheduleId(0),
        kind=kind,
        text=meant.text,
        timing=timing,
        principal_id=context.principal.id,
        conversation_id=context.conversation_id,
        key=f"turn:{context.turn_id}:{context.call}",
        next_due=due,
        left=meant.left,
        jitter=jitter,
        missed=missed,
        taint=context.taint,
        created_at=now,
    )


def _add(connection: Connection, new: Schedule, most: int) -> Schedule:
    """Keep it, unless the person has so many already; the same call makes it once."""
    before = schedules.by_key(connection, new.key) if new.key else None
    if before is None and new.principal_id and schedules.count_active(connection, new.principal_id) >= most:
        raise ToolError(f"There are {most} schedules already: cancel some first (/reminders lists them).")
    return before or schedules.add(connection, new)


def _quiet(words: str) -> Quiet | None:
    """Quiet hours as they are written: `22:00-07:00`."""
    if not words.strip():
        return None
    edges = [clock_of(edge.strip()) for edge in words.split("-")]
    if len(edges) != 2 or None in edges:  # noqa: PLR2004  # from and to
        raise ToolError(f"{words!r} are no hours: write them like 22:00-07:00.")
    start, end = (edge[0] * 60 + edge[1] for edge in edges if edge)
    return Quiet(start, end)


def _jitter(words: str) -> float:
    """How much later it may begin, in seconds."""
    try:
        return jitter_of(words)
    except ScheduleError as error:
        raise ToolError(f"{error}.") from None


def _visible(context: ToolContext, found: Sequence[Schedule]) -> list[Schedule]:
    """In a group only what belongs there: nobody else learns what is a person's alone."""
    return [each for each in found if context.place is Place.PRIVATE or each.conversation_id == context.conversation_id]


async def _one(desk: Desk, context: ToolContext, reference: str, *, active: bool) -> Schedule:
    found = _visible(context, await desk.db.read(schedules.find, context.principal.id, reference, active=active))
    if not found:
        raise ToolError(say(context.principal.language, "reminders_unknown", wanted=reference[:50]))
    if len(found) > 1:
        lines = "\n".join(line_of(context.principal.language, each, desk.house) for each in found)
        raise ToolError(say(context.principal.language, "schedule_which", lines=lines))
    return found[0]
