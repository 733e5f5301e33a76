"""Days become two sentences, weeks become four: by the clock, each once, caught up after an absence."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial

import structlog

from lar.domain.ids import MemoryId, TurnId
from lar.domain.job import Job
from lar.domain.memory import Kind, Memory, Owner
from lar.domain.message import Author, Message
from lar.domain.values import Clock, JsonObject
from lar.engine.contract import Done, JobContext, Outcome, Wait
from lar.errors import ThinkingError
from lar.memory.days import Days
from lar.memory.recall import is_tainted
from lar.memory.sentences import exactly, split
from lar.memory.summing import DAY, MAJOR, TODAY, Wanted, listed, middle_cut, sum_up
from lar.providers.asking import Ask
from lar.store import jobs, memories, messages, turns
from lar.store.database import Connection, Database

log = structlog.get_logger(__name__)

KIND = "digest"
"""The kind of job that sums up for an owner."""

Wake = Callable[[Connection], int]
"""Queues what is to be summed up; for how many owners."""

WANTED: Mapping[Kind, Wanted] = {
    Kind.TODAY: Wanted(TODAY, 2),
    Kind.DAY: Wanted(DAY, 2),
    Kind.MAJOR: Wanted(MAJOR, 4),
}
"""How many sentences there are of what."""

RETRY, PATIENCE = 900.0, 6 * 3600.0
"""Seconds until a model that cannot be reached is asked again; and for how long, before Lar sums up by itself."""

_MOST_TURNS, _LONGEST_SAID = 300, 600
_BEHIND = -1
_HALF_A_DAY = 43_200.0


def enqueue_digest(  # whose, of what, when
    connection: Connection, kind: Kind, owner: Owner, day: date, now: float, suffix: str = ""
) -> None:
    """Have a day, today or all before summed up, once."""
    jobs.enqueue(
        connection,
        kind=KIND,
        lane=f"{KIND}:{owner.key}",
        payload={"what": kind, "owner": owner.key, "day": str(day)},
        now=now,
        priority=_BEHIND,
        dedup_key=f"{KIND}:{kind}:{owner.key}:{day}{suffix}",
    )


class Waker:
    """Has days and weeks summed up, for everybody. `lines` are the cron lines of both."""

    def __init__(self, db: Database, days: Days, clock: Clock) -> None:
        self._db = db
        self._days = days
        self._clock = clock
        daily, weekly = days.begins, days.weekly
        self.lines = (f"{daily.minute} {daily.hour} * * *", f"{weekly.minute} {weekly.hour} * * 0")

    async def day_is_over(self, due: float) -> Wake:
        """Have the day summed up that is over at this time (seconds since the epoch)."""
        day = self._days.of(due - _HALF_A_DAY)
        found = await self._db.read(memories.owners, self._days.start(day), self._days.end(day))
        return lambda connection: self._wake(connection, Kind.DAY, found, day)

    async def week_is_over(self, due: float) -> Wake:
        """Have the week summed up whose Sunday this time is on."""
        day, found = self._days.shown(due), await self._db.read(memories.owners_of, Kind.DAY)
        return lambda connection: self._wake(connection, Kind.MAJOR, found, day)

    def _wake(self, connection: Connection, kind: Kind, owners: Sequence[Owner], day: date) -> int:
        for owner in owners:
            enqueue_digest(connection, kind, owner, day, self._clock())
        return len(owners)


class Digester:
    """Sums up for one owner: the engine's handler of jobs of kind "digest". `ask` None: there is no model."""

    def __init__(self, db: Database, ask: Ask | None, days: Days, clock: Clock) -> None:
        self._db = db
        self._ask = ask
        self._days = days
        self._clock = clock

    async def run(self, context: JobContext) -> Outcome:
        """Sum up; where the model cannot be reached for hours, Lar joins what there is by itself."""
        if self._ask is None:
            return Done()
        payload = context.job.payload
        kind, owner, day = Kind(payload["what"]), Owner.parse(payload["owner"]), date.fromisoformat(payload["day"])
        material, made_from = await self._db.read(self._material, kind, owner, day)
        if not material:
            return Done()
        act = partial(self._sum_up, self._ask, kind, material)
        try:
            sentences = (await context.step("sum", "model", dict(payload), act, repeatable=True))["sentences"]
        except ThinkingError as error:
            now = self._clock()
            if now < context.job.created_at + PATIENCE:
                log.warning("a summary has to wait for its model", what=kind, error=str(error))
                return Wait(now + RETRY)
            sentences = exactly(split(material), WANTED[kind].count)
        return Done(lambda connection: self._keep(connection, kind, owner, day, sentences, made_from))

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """Nothing is lost: what was said is still there."""

    async def _sum_up(self, ask: Ask, kind: Kind, material: str) -> JsonObject:
        return {"sentences": list(await sum_up(ask, WANTED[kind], material))}

    def _material(self, connection: Connection, kind: Kind, owner: Owner, day: date) -> tuple[str, JsonObject]:
        """What is to be summed up, empty if nothing; and what it is made from."""
        if kind is Kind.MAJOR:
            return _weeks(memories.summaries(connection, owner))
        start = self._days.start(day)
        if kind is Kind.TODAY:
            told = memories.exchanges_since(connection, owner, start, _MOST_TURNS)
            found = [memory.turn_id for memory in told if memory.turn_id is not None]
        else:
            found = memories.turns_of(connection, owner, start, self._days.end(day), _MOST_TURNS)
        lines = _of_turns(connection, found)
        return listed(lines), {"day": str(day), "turns": len(found)}

    def _keep(  # whose, of what, when
        self, connection: Connection, kind: Kind, owner: Owner, day: date, sentences: Sequence[str], made: JsonObject
    ) -> None:
        now, until = self._clock(), self._days.end(day)
        suffix = ""
        if kind is Kind.DAY:
            memories.retire(connection, owner, Kind.TODAY, now, up_to_day=str(day))
        elif kind is Kind.TODAY:
            memories.retire(connection, owner, Kind.TODAY, now)
            suffix = f":{now:.6f}"
        else:
            last = made["days"][-1]
            memories.retire(connection, owner, Kind.MAJOR, now)
            memories.retire(connection, owner, Kind.DAY, now, up_to_day=last)
            until = self._days.end(date.fromisoformat(last))
        for number, text in enumerate(sentences, 1):
            memory = Memory(
                MemoryId(0), kind, owner.key, text, number, str(day), until=until, made_from=made, created_at=now
            )
            memories.add(connection, memory, f"{owner.key}:{kind}:{day}{suffix}:{number}")


def _weeks(current: Sequence[Memory]) -> tuple[str, JsonObject]:
    """What was remembered so far and the last days, as a model reads it; and which days they are."""
    told = [memory for memory in current if memory.text]
    days = [f"{memory.day}: {memory.text}" for memory in told if memory.kind is Kind.DAY]
    if not days:
        return "", {}
    before = [
        f"{memory.text}{' (as the person put it: keep it)' if memory.corrected else ''}"
        for memory in told
        if memory.kind is Kind.MAJOR
    ]
    dates = sorted({memory.day for memory in current if memory.kind is Kind.DAY})
    parts = [f"Remembered so far:\n{listed(before)}"] if before else []
    return "\n\n".join([*parts, f"The last days:\n{listed(days)}"]), {"days": dates, "before": bool(before)}


def _of_turns(connection: Connection, turn_ids: Sequence[TurnId]) -> list[str]:
    """A line for each of these turns. Of one that saw content from outside, only what the person said."""
    sentences = memories.of_turns(connection, turn_ids)
    taints = turns.taints(connection, turn_ids)
    said = messages.by_turn(messages.of_turns(connection, turn_ids))
    lines: list[str] = []
    for number in turn_ids:
        sentence = sentences.get(number)
        if sentence is not None and not sentence.text:  # forgotten
            continue
        if sentence is not None and not is_tainted(sentence.taint):
            lines.append(sentence.text)
        else:
            lines.append(_told(said.get(number, []), own_words=is_tainted(taints.get(number, []))))
    return [line for line in lines if line]


def _told(said: Sequence[Message], *, own_words: bool) -> str:
    """An exchange on a line. `own_words`: what the person said, without what they quoted or passed on."""
    parts: list[str] = []
    for message in said:
        if own_words and message.source:
            continue
        if message.author is Author.USER:
            parts.append(f"The person: {_unquoted(message.text) if own_words else message.text}")
        elif not own_words:
            parts.append(f"Lar: {message.text}")
    return " ".join(middle_cut(" ".join(part.split()), _LONGEST_SAID) for part in parts)


def _unquoted(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(">"))
