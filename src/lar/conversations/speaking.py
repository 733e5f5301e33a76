"""Spoken answers: where somebody wants to hear them, a recording follows the text."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection

from lar.conversations.attachments import SENT
from lar.conversations.lane import speech_lane
from lar.conversations.minds import may_choose
from lar.conversations.strings import say
from lar.conversations.work import Work
from lar.domain.conversation import Conversation
from lar.domain.delivery import OutgoingFile, Part
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.job import Job
from lar.domain.message import Author
from lar.domain.principal import Principal
from lar.domain.spend import NOBODY, Payer
from lar.domain.turn import TurnState
from lar.domain.values import Clock, JsonObject
from lar.engine.contract import Done, JobContext, Outcome
from lar.errors import MediaError, ThinkingError
from lar.media.speech import MIME, Speaker, sayable
from lar.store import conversations, deliveries, jobs, messages, people, turns
from lar.store.database import Database

log = structlog.get_logger(__name__)

SPEAK = "speak"
"""The kind of job that speaks an answer."""

_ON, _OFF = "on", "off"


@dataclass(frozen=True, slots=True)
class Speech:
    """What speaks, or a sentence saying why nothing does; on which channels; and whether unasked.

    `most` is how much of an answer is spoken, in characters.
    """

    speaker: Speaker | str = "speech is switched off"
    channels: frozenset[str] = frozenset()
    always: bool = False
    most: int = 1500

    def spoken_in(self, conversation: Conversation) -> bool:
        """Whether answers are spoken there."""
        wanted = self.always if conversation.voice is None else conversation.voice
        return wanted and not isinstance(self.speaker, str) and conversation.address.channel in self.channels

    def answered(self, connection: Connection, work: Work, now: float) -> None:
        """A turn ends: have its answer spoken, if it is wanted. Called in the transaction that ends it."""
        if self.spoken_in(work.conversation):
            payload = {"turn": work.turn.id, "conversation": work.conversation.id}
            jobs.enqueue(connection, kind=SPEAK, lane=speech_lane(work.conversation.id), payload=payload, now=now)


def voice(
    connection: Connection, speech: Speech, here: Conversation, who: Principal, argument: str, language: str
) -> str:
    """What `/voice` answers: how it is; `on`, `off`: it is set."""
    wanted = argument.strip().lower()
    if isinstance(speech.speaker, str):
        return say(language, "voice_missing", why=speech.speaker)
    if here.address.channel not in speech.channels:
        return say(language, "voice_not_here")
    if not wanted:
        return say(language, "voice_is_on" if speech.spoken_in(here) else "voice_is_off", by=speech.speaker.name)
    if wanted not in {_ON, _OFF}:
        return say(language, "voice_usage")
    if not may_choose(here, who):
        return say(language, "voice_admins")
    conversations.set_voice(connection, here.id, voice=wanted == _ON)
    return say(language, f"voice_{wanted}")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is to be spoken, in which language, and on whose account."""

    text: str = ""
    language: str = ""
    payer: Payer = NOBODY


class SpeakHandler:
    """Speaks answers: the engine's handler of jobs of kind "speak". `files` is `LAR_HOME/files`.

    Whatever goes wrong, the text of the answer has long left: it is logged, and nobody is bothered.
    """

    def __init__(self, db: Database, speech: Speech, files: Path, language: str, clock: Clock) -> None:
        self._db = db
        self._speech = speech
        self._files = files
        self._language = language
        self._clock = clock

    async def run(self, context: JobContext) -> Outcome:
        """Speak the answer of a turn, once, and have the recording sent."""
        payload, speaker = context.job.payload, self._speech.speaker
        answer = await self._db.read(self._answer, TurnId(payload["turn"]))
        if isinstance(speaker, str) or not answer.text:
            return Done()

        async def act() -> JsonObject:
            path = Path(SENT) / str(payload["turn"]) / "answer.ogg"
            (self._files / path).parent.mkdir(parents=True, exist_ok=True)
            try:
                await speaker(answer.text, self._files / path, answer.language, answer.payer)
            except (MediaError, ThinkingError) as error:
                log.warning("an answer could not be spoken", turn=payload["turn"], error=str(error))
                return {"problem": str(error)}
            return {"file": asdict(OutgoingFile(str(path), path.name, MIME, voice=True))}

        asked = {"characters": len(answer.text), "by": speaker.name}
        output = await context.step("speak", "speech", asked, act, repeatable=True)
        return Done(lambda connection: self._send(connection, payload, output))

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """Nothing is lost: the answer was sent as text."""

    def _answer(self, connection: Connection, turn_id: TurnId) -> _Answer:
        turn = turns.get(connection, turn_id)
        if turn is None or turn.state is not TurnState.DONE:
            return _Answer()
        said = [
            message.text for message in messages.of_turns(connection, [turn_id]) if message.author is Author.ASSISTANT
        ]
        who = people.get(connection, turn.principal_id)
        payer = Payer(PrincipalId(who.id), turn.agent, conversation_id=turn.conversation_id)
        return _Answer(sayable("\n\n".join(said), self._speech.most), who.language or self._language, payer)

    def _send(self, connection: Connection, payload: Mapping[str, int], output: JsonObject) -> None:
        if "file" in output:
            part = Part(file=OutgoingFile(**output["file"]))
            here, turn = ConversationId(payload["conversation"]), TurnId(payload["turn"])
            deliveries.add(connection, here, [part], self._clock(), turn)
