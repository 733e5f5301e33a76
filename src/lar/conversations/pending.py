"""Files without a word: kept until their sender says something, and part of that message then, once."""

from sqlalchemy import Connection

from lar.conversations.settings import ConversationSettings
from lar.conversations.strings import say
from lar.domain.conversation import Conversation
from lar.domain.delivery import Part
from lar.domain.ids import MessageId, PrincipalId, TurnId
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.domain.job import Job
from lar.domain.values import Clock
from lar.engine.contract import Done, JobContext, Outcome
from lar.media.intake import SPOKEN
from lar.store import conversations, deliveries, jobs, messages, people
from lar.store import pending as stored

HINT = "file_hint"
"""The kind of job that asks what to do with a file nobody says anything about."""

_HOUR = 3600.0


def is_wordless(said: Text) -> bool:
    """Whether this is files alone. A recording is words, and a sticker an answer."""
    return bool(said.attachments) and not said.text.strip() and not any(map(_speaks, said.attachments))


def _speaks(attachment: Attachment) -> bool:
    kind = attachment.kind
    return kind in SPOKEN or kind is AttachmentKind.STICKER or attachment.mime.startswith("audio/")


def ask_later(
    connection: Connection,
    settings: ConversationSettings,
    conversation: Conversation,
    sender: PrincipalId,
    kept: MessageId,
    now: float,
) -> None:
    """Ask what to do with a file that was kept, should its sender say nothing for a while."""
    if settings.file_hint_seconds:
        payload = {"conversation": conversation.id, "sender": sender, "message": kept}
        due = now + settings.file_hint_seconds
        jobs.enqueue(connection, kind=HINT, lane=f"{HINT}:{kept}", payload=payload, now=now, run_at=due)


def take(
    connection: Connection,
    settings: ConversationSettings,
    conversation: Conversation,
    sender: PrincipalId,
    turn_id: TurnId,
    now: float,
) -> None:
    """Give a turn the files that wait for words of this person here."""
    waiting = stored.of(connection, conversation.id, sender)
    fresh = [
        each.id
        for each in waiting
        if each.id > conversation.history_after and each.created_at > now - settings.file_hours * _HOUR
    ]
    if fresh:
        messages.move(connection, fresh, turn_id)


class HintHandler:
    """Asks: the engine's handler of jobs of kind "file_hint"."""

    def __init__(self, settings: ConversationSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def run(self, context: JobContext) -> Outcome:
        """Ask, if the file is the last that waits."""
        return Done(lambda connection: self._ask(connection, context.job))

    def give_up(self, connection: Connection, job: Job, error: str) -> None:
        """Leave it."""

    def _ask(self, connection: Connection, job: Job) -> None:
        conversation = conversations.get(connection, job.payload["conversation"])
        sender = PrincipalId(job.payload["sender"])
        waiting = stored.of(connection, conversation.id, sender)
        if not waiting or waiting[-1].id != job.payload["message"]:
            return
        language = people.get(connection, sender).language or self._settings.default_language
        deliveries.add(connection, conversation.id, [Part(say(language, "file_hint"))], self._clock())
