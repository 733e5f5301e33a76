"""Exchanges become sentences: in the background, one at a time, each once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from lar.domain.ids import ConversationId, MemoryId, TurnId
from lar.domain.job import Job, JobState
from lar.domain.memory import Kind, Memory, Owner
from lar.domain.message import Author, Message
from lar.domain.turn import Turn
from lar.domain.values import Clock, JsonObject
from lar.engine.contract import Done, JobContext, Outcome
from lar.memory.days import Days
from lar.memory.digests import enqueue_digest
from lar.memory.settings import MemorySettings
from lar.memory.summing import EXCHANGE, LONGEST_SAID, Wanted, middle_cut, try_to
from lar.providers.asking import Ask
from lar.store import conversations, jobs, memories, messages, people, turns
from lar.store.database import Connection, Database

KIND = "compress"
"""The kind of job that makes sentences of the exchanges of a conversation."""

BEHIND = -1
"""The priority of what nobody waits for."""

Told = Callable[[Connection, ConversationId, str, int, float], None]
"""Tells a conversation, in a language, how many exchanges became sentences; the last argument is the time."""

_EVER = TurnId(2**62)
_ONE = Wanted(EXCHANGE, 1)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One exchange: a turn that is over, and all that was said in it. `taint` is what it saw from outside."""

    turn: TurnId
    owner: Owner
    said: tuple[Message, ...]
    person: str
    taint: tuple[str, ...] = ()

    def told(self) -> str:
        """As a model reads it."""
        return "\n\n".join(f"{self.speaker(message)}: {_text(message)}" for message in self.said)

    def speaker(self, message: Message) -> str:
        """Who said this."""
        return "Lar" if message.author is Author.ASSISTANT else self.person or "The person"


class Compressor:
    """Makes sentences of exchanges: the engine's handler of jobs of kind "compress". `ask` None: there is no model."""

    def __init__(  # what a handler works with
        self, db: Database, ask: Ask | None, settings: MemorySettings, days: Days, clock: Clock, told: Told
    ) -> None:
        self._db = db
        self._ask = ask
        self._settings = settings
        self._days = days
        self._clock = clock
        self._told = told

    def answered(self, connection: Connection, conversation_id: ConversationId, said_before: Sequence[Message]) -> None:
        """An answer was given: have older exchanges become sentences, if there are any. Called as the turn ends."""
        told = {message.turn_id for message in said_before}
        if self._ask is None or self._settings.style != "summaries" or len(told) < self._settings.exchanges:
            return
        due = self._clock() + self._settings.compress_after_seconds
        self._enqueue(connection, conversation_id, {"keep": self._settings.exchanges}, due)

    def compact(self, connection: Connection, conversation_id: ConversationId, language: str) -> None:
        """Have all exchanges become sentences now, and tell."""
        self._enqueue(connection, conversation_id, {"keep": 0, "language": language}, None)

    def _enqueue(self, connection: Connection, here: ConversationId, payload: JsonObject, due: float | None) -> None:
        lane, now = f"{KIND}:{here}", self._clock()
        if due is None or not any(job.state is JobState.QUEUED for job in jobs.open_in_lane(connection, lane)):
            given = {"conversation": here, **payload}
            jobs.enqueue(connection, kind=KIND, lane=lane, payload=given, now=now, run_at=due, priority=BEHIND)

    async def run(self, context: JobContext) -> Outcome:
        """Make a sentence of each exchange that is due. Where the model cannot be reached, the rest waits."""
        payload = context.job.payload
        here = ConversationId(payload["conversation"])
        made: list[tuple[Spoken, str]] = []
        if self._ask is None:
            return Done()
        for spoken in await self._db.read(_outstanding, here, payload["keep"], self._settings.window):
            act = partial(self._sum_up, self._ask, spoken)
            output = await context.step(f"exchange:{spoken.turn}", "model", {"turn": spoken.turn}, act, repeatable=True)
            if not output["text"]:
                break
            made.append((spoken, output["text"]))
        return Done(lambda connection: self._keep(connection, here, made, payload.get("language", "")))

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """Nothing is lost: the exchanges are still there, and the next answer tries again."""

    async def _sum_up(self, ask: Ask, spoken: Spoken) -> JsonObject:
        return {"text": "".join(await try_to(ask, _ONE, spoken.told()))}

    def _keep(
        self, connection: Connection, here: ConversationId, made: Sequence[tuple[Spoken, str]], language: str
    ) -> None:
        now = self._clock()
        kept = 0
        for spoken, text in made:
            there = messages.of_turns(connection, [spoken.turn])
            if not there:  # trimmed meanwhile
                continue
            number = memories.next_number(connection, here)
            sentence = Memory(
                MemoryId(0),
                Kind.EXCHANGE,
                spoken.owner.key,
                text,
                number,
                str(self._days.of(there[-1].created_at)),
                spoken.turn,
                here,
                there[-1].created_at,
                {"messages": [message.id for message in there]},
                spoken.taint,
                created_at=now,
            )
            kept += memories.add(connection, sentence, f"{KIND}:{spoken.turn}", there[0].id)
            if number % self._settings.today_every == 0:
                enqueue_digest(connection, Kind.TODAY, spoken.owner, self._days.of(now), now, f":{spoken.turn}")
        if language:
            self._told(connection, here, language, kept, now)


def _outstanding(connection: Connection, here: ConversationId, keep: int, window: int) -> list[Spoken]:
    """The exchanges of a conversation that are no sentences yet, oldest first, but for the newest `keep`."""
    conversation = conversations.get(connection, here)
    begun = turns.open_in(connection, here)
    before = begun[0].id if begun else _EVER
    after = memories.newest_turn(connection, here)
    said = messages.window(connection, here, conversation.history_after, before, window, after)
    by_turn = messages.by_turn(said)
    older = list(by_turn)[: max(len(by_turn) - keep, 0)]
    taints = turns.taints(connection, older)
    return [
        _spoken(connection, turn, by_turn[number], taints.get(number, []))
        for number in older
        if (turn := turns.get(connection, number)) is not None
    ]


def _spoken(connection: Connection, turn: Turn, said: Sequence[Message], taint: Sequence[str]) -> Spoken:
    conversation = conversations.get(connection, turn.conversation_id)
    owner = Owner.of(conversation.place, turn.principal_id, turn.conversation_id)
    return Spoken(turn.id, owner, tuple(said), people.get(connection, turn.principal_id).name, tuple(taint))


def _text(message: Message) -> str:
    """A message's words; a file that its turn did not get to see is named."""
    unseen = (attachment for attachment in message.attachments if not (attachment.path or attachment.problem))
    files = [f"[{attachment.kind}: {attachment.name}]" for attachment in unseen]
    return middle_cut("\n".join([message.text, *files]).strip(), LONGEST_SAID)
