"""How messages become turns, and how turns are stopped. Runs inside the transaction of whoever calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from lar.conversations import pending, questions
from lar.conversations.settings import ConversationSettings
from lar.domain.conversation import Conversation, Place, QueueMode
from lar.domain.delivery import DeliveryState
from lar.domain.ids import ConversationId, MessageId, PrincipalId, TurnId
from lar.domain.inbound import Text
from lar.domain.memory import Owner
from lar.domain.message import Author, Message
from lar.domain.question import Question
from lar.domain.turn import Turn, TurnState
from lar.domain.values import JsonObject
from lar.store import deliveries, jobs, lasting, messages, schedules, turns
from lar.store import questions as stored_questions
from lar.store.database import notify

TURN = "turn"
"""The kind of job that does a turn."""


HALTED = "halted"
"""The topic whose subscribers hear of an emergency stop."""


class Taken(StrEnum):
    """What became of a message."""

    STARTED = "started"
    JOINED = "joined"
    FULL_HERE = "full_here"
    FULL_EVERYWHERE = "full_everywhere"
    KEPT = "kept"
    """Until its sender says something about it."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What `stop` ended."""

    turns: int
    parts: int


def lane_of(conversation_id: ConversationId) -> str:
    """The lane of a conversation: one turn at a time."""
    return f"conversation:{conversation_id}"


def speech_lane(conversation_id: ConversationId) -> str:
    """The lane in which answers of a conversation are spoken, one after the other."""
    return f"speech:{conversation_id}"


def submit(
    connection: Connection,
    settings: ConversationSettings,
    conversation: Conversation,
    sender: PrincipalId,
    said: Text,
    now: float,
) -> Taken:
    """Store a message and give it to a turn, open or new. The caller holds the conversation's lock."""
    waits = bool(said.group_key) or said.more_expected
    due = now + settings.part_wait_seconds if waits else now
    open_turns = turns.open_in(connection, conversation.id)
    if pending.is_wordless(said) and not _is_of_album(connection, conversation, said, open_turns):
        kept = _keep(connection, conversation.id, sender, None, said, now)
        pending.ask_later(connection, settings, conversation, sender, kept, now)
        return Taken.KEPT
    joined = _join(connection, settings.queue_mode, conversation, sender, said, open_turns, now)
    if joined is not None and _still_open(connection, joined, due):
        pending.take(connection, settings, conversation, sender, joined.id, now)
        _keep(connection, conversation.id, sender, joined.id, said, now)
        return Taken.JOINED
    if sum(turn.state is TurnState.QUEUED for turn in open_turns) >= settings.max_queued_per_chat:
        return Taken.FULL_HERE
    if turns.count_open(connection) >= settings.max_queued:
        return Taken.FULL_EVERYWHERE
    if settings.queue_mode is QueueMode.INTERRUPT:
        _interrupt(connection, [turn for turn in open_turns if turn.principal_id == sender], now)
    turn_id = start(connection, conversation, sender, due, now)
    pending.take(connection, settings, conversation, sender, turn_id, now)
    _keep(connection, conversation.id, sender, turn_id, said, now)
    return Taken.STARTED


def _is_of_album(connection: Connection, conversation: Conversation, said: Text, open_turns: Sequence[Turn]) -> bool:
    """Whether an earlier part of this album brought words, and its turn has not begun."""
    album = messages.group_turn(connection, conversation.id, said.group_key) if said.group_key else None
    return any(turn.id == album and turn.state is TurnState.QUEUED for turn in open_turns)


def _join(
    connection: Connection,
    mode: QueueMode,
    conversation: Conversation,
    sender: PrincipalId,
    said: Text,
    open_turns: Sequence[Turn],
    now: float,
) -> Turn | None:
    """The open turn that takes this message in, if any: only one of the same sender ever does."""
    mine = [turn for turn in open_turns if turn.principal_id == sender]
    if not mine:
        return None
    if said.group_key:
        album = messages.group_turn(connection, conversation.id, said.group_key)
        for turn in mine:
            if turn.id == album and turn.state is TurnState.QUEUED:
                return turn
    last = open_turns[-1]
    if last not in mine or last.agent != conversation.agent:
        return None
    if last.state is TurnState.QUEUED:
        return last if mode is not QueueMode.QUEUE or _awaits_more(connection, last, now) else None
    return last if mode is QueueMode.STEER else None


def _awaits_more(connection: Connection, turn: Turn, now: float) -> bool:
    """Whether a queued turn is held back for further parts of a message."""
    job = jobs.get(connection, turn.job_id)
    return job is not None and job.run_at > now


def _still_open(connection: Connection, turn: Turn, due: float) -> bool:
    """Whether a turn still takes messages in; from here on to the commit a queued one does not begin."""
    return turn.state is TurnState.RUNNING or jobs.postpone(connection, turn.job_id, due)


def _interrupt(connection: Connection, mine: Sequence[Turn], now: float) -> None:
    """Stop a person's running turn. What was answered before, and what they wait for besides, is still theirs."""
    running = [turn for turn in mine if turn.state is TurnState.RUNNING]
    _end(connection, running, now, "interrupted by a new message")
    deliveries.close_turns(connection, [turn.id for turn in running], DeliveryState.CANCELLED)


def start(
    connection: Connection,
    conversation: Conversation,
    sender: PrincipalId,
    due: float,
    now: float,
    payload: JsonObject | None = None,
    agent: str | None = None,
) -> TurnId:
    """Queue a new turn for this person, to run from `due` (seconds since the epoch) on.

    `agent` serves it, None: that of the conversation.
    """
    lane = lane_of(conversation.id)
    given = {"conversation": conversation.id, "principal": sender, "place": conversation.place, **(payload or {})}
    job_id = jobs.enqueue(connection, kind=TURN, lane=lane, payload=given, now=now, run_at=due)
    served = conversation.agent if agent is None else agent
    return turns.add(
        connection, Turn(TurnId(0), conversation.id, sender, job_id, TurnState.QUEUED, served, created_at=now)
    )


def whose(payload: JsonObject) -> Owner | None:
    """Whose memory the turn has that a job with this payload does; None for one queued before payloads said so."""
    if "principal" not in payload:
        return None
    return Owner.of(Place(payload["place"]), PrincipalId(payload["principal"]), ConversationId(payload["conversation"]))


def start_approved(
    connection: Connection, conversation: Conversation, approved: Question, text: str, now: float
) -> TurnId:
    """Queue the turn that carries out what an admin approved; `text` tells the transcript."""
    turn_id = start(connection, conversation, approved.principal_id, now, now, {"question": approved.id})
    messages.add(connection, Message(MessageId(0), conversation.id, Author.USER, text, now, turn_id=turn_id))
    return turn_id


def answer_in_words(
    connection: Connection,
    conversation_id: ConversationId,
    sender: PrincipalId,
    asked: Question,
    said: Text,
    now: float,
) -> None:
    """Keep what somebody wrote instead of pressing a button, with the turn that asked them."""
    message_id = _keep(connection, conversation_id, sender, asked.turn_id, said, now)
    stored_questions.answered_by(connection, asked.id, message_id)


def text_of(said: Text) -> str:
    """What the transcript keeps of a message: its text, behind what it replies to and who is quoted."""
    text = f"[{said.source}]\n{said.text}".rstrip() if said.source else said.text
    return f"> {said.reply_to_text}\n\n{text}" if said.reply_to_text else text


def _keep(
    connection: Connection,
    conversation_id: ConversationId,
    sender: PrincipalId,
    turn_id: TurnId | None,
    said: Text,
    now: float,
) -> MessageId:
    return messages.add(
        connection,
        Message(
            MessageId(0),
            conversation_id,
            Author.USER,
            text_of(said),
            now,
            principal_id=sender,
            turn_id=turn_id,
            vendor_id=said.vendor_id,
            attachments=said.attachments,
            source=said.source,
        ),
        said.group_key,
    )


def stop(connection: Connection, conversation_id: ConversationId, now: float) -> Stopped:
    """End everything open in a conversation: its running turn, what waits, and parts that were not sent or spoken.

    Their writes are refused from the commit on.
    """
    parts = deliveries.close_open(connection, [conversation_id], DeliveryState.CANCELLED, turns_only=True)
    parts += len(jobs.cancel_lane(connection, speech_lane(conversation_id), now))
    return Stopped(_end(connection, turns.open_in(connection, conversation_id), now, "stopped"), parts)


def stop_everything(connection: Connection, by: PrincipalId, now: float) -> Stopped:
    """The emergency stop: end everything open everywhere, and keep it so until `let_go_on`.

    Subscribers of `HALTED` are told, so that what runs outside of jobs ends, too.
    """
    lasting.save(connection, jobs.HALT, {"by": by, "at": now})
    open_turns = turns.all_open(connection)
    conversations = sorted({turn.conversation_id for turn in open_turns})
    parts = deliveries.close_open(connection, conversations, DeliveryState.CANCELLED, turns_only=True)
    stopped = Stopped(_end(connection, open_turns, now, "emergency stop"), parts)
    jobs.cancel_active(connection, now)
    notify(connection, HALTED)
    return stopped


def let_go_on(connection: Connection) -> bool:
    """End the emergency stop. False if there was none."""
    notify(connection, "jobs")
    notify(connection, schedules.TOPIC)
    return lasting.drop(connection, jobs.HALT)


def is_halted(connection: Connection) -> bool:
    """Whether the emergency stop holds."""
    return lasting.load(connection, jobs.HALT) is not None


def _end(connection: Connection, open_turns: Sequence[Turn], now: float, why: str) -> int:
    """Cancel the jobs of these turns, mark them as stopped, and take back what they ask; how many there were."""
    job_ids = [turn.job_id for turn in open_turns]
    jobs.cancel(connection, job_ids, now)
    questions.cancel_turns(connection, [turn.id for turn in open_turns], now)
    return turns.stop_jobs(connection, job_ids, now, why)
