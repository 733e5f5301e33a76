"""What a turn works on: read once by its first attempt, pinned, and read again the same by every later one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace

from sqlalchemy import Connection

from lar.domain.conversation import Conversation, Place
from lar.domain.ids import JobId, PrincipalId, QuestionId
from lar.domain.memory import Memory, Owner
from lar.domain.message import Author, Message
from lar.domain.principal import Principal
from lar.domain.question import Question
from lar.domain.turn import Turn, TurnState
from lar.domain.values import JsonObject
from lar.memory.context import Composed, Material, Sizes, compose
from lar.memory.recall import GROUP, Recall, recall
from lar.store import conversations, jobs, memories, messages, people, questions, turns


@dataclass(frozen=True, slots=True)
class Work:
    """A turn and all that its prompt is made of."""

    turn: Turn
    conversation: Conversation
    principal: Principal
    said: tuple[Message, ...]
    history: tuple[Message, ...]
    system: str
    names: Mapping[PrincipalId, str]
    """Who said what, in a group; empty in a private chat."""
    taint: tuple[str, ...] = ()
    """Where content from outside came from that is in the history or in what was said."""
    approved: Question | None = None
    """The call of an earlier turn that an admin approved, and this one carries out."""
    memories: tuple[Memory, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """Names and texts of the workspace files."""
    sizes: Sizes = field(default_factory=Sizes)

    def prompt(self, said: str) -> Composed:
        """The whole prompt; `said` is what the person says now."""
        return compose(Material(self.system, self.history, self.memories, self.files, self.names, said), self.sizes)


@dataclass(frozen=True, slots=True)
class Reminder:
    """What a turn is given besides what is said.

    `system` makes the system prompt, `recall` is how much of what was said before is in the prompt, `sizes` how large
    that may be, `files` the workspace files.
    """

    system: Callable[[Conversation, Principal], str]
    recall: Recall
    sizes: Callable[[Conversation], Sizes]
    files: Sequence[tuple[str, str]] = ()


def load(connection: Connection, job_id: JobId) -> tuple[Work | None, bool]:
    """The work of a job, None before its first attempt has pinned it; and whether the turn is over already."""
    turn, pinned = turns.by_job(connection, job_id)
    if turn.state not in {TurnState.QUEUED, TurnState.RUNNING}:
        return None, True
    if pinned is None:
        return None, False
    return _read(connection, turn, pinned), False


def pin(connection: Connection, job_id: JobId, reminder: Reminder, now: float) -> Work:
    """Begin a turn: fix what its prompt is made of."""
    turn, _ = turns.by_job(connection, job_id)
    conversation = conversations.get(connection, turn.conversation_id)
    principal = people.get(connection, turn.principal_id)
    said = messages.of_turn(connection, turn.id)
    owner = Owner.of(conversation.place, principal.id, conversation.id)
    recalled = recall(connection, reminder.recall, owner, conversation, turn.id, now)
    served = replace(conversation, agent=turn.agent)
    system, sizes = reminder.system(served, principal), reminder.sizes(served)
    names = _names(connection, conversation, [*recalled.said, *said])
    approved = _approved(connection, turn)
    taint = _taint(conversation, recalled.taint, approved)
    pinned = {
        "names": {str(author): name for author, name in names.items()},
        "system": turns.keep_prompt(connection, system),
        "said": [message.id for message in said],
        "history": [message.id for message in recalled.said],
        "memories": [memory.id for memory in recalled.memories],
        "files": [[name, turns.keep_prompt(connection, text)] for name, text in reminder.files],
        "sizes": list(astuple(sizes)),
        "taint": taint,
    }
    turns.begin(connection, turn.id, pinned, now)
    return Work(
        turn,
        conversation,
        principal,
        tuple(said),
        recalled.said,
        system,
        names,
        tuple(taint),
        approved,
        recalled.memories,
        tuple(reminder.files),
        sizes,
    )


def _read(connection: Connection, turn: Turn, pinned: JsonObject) -> Work:
    return Work(
        turn,
        conversations.get(connection, turn.conversation_id),
        people.get(connection, turn.principal_id),
        tuple(messages.by_ids(connection, pinned["said"])),
        tuple(messages.by_ids(connection, pinned["history"])),
        turns.prompt_text(connection, pinned["system"]),
        names_of(pinned),
        tuple(pinned.get("taint", ())),
        _approved(connection, turn),
        tuple(memories.by_ids(connection, pinned.get("memories", ()))),
        tuple((name, turns.prompt_text(connection, digest)) for name, digest in pinned.get("files", ())),
        Sizes(*pinned.get("sizes", ())),
    )


def _approved(connection: Connection, turn: Turn) -> Question | None:
    job = jobs.get(connection, turn.job_id)
    number = job.payload.get("question") if job else None
    return questions.get(connection, QuestionId(number)) if isinstance(number, int) else None


def _taint(conversation: Conversation, recalled: Sequence[str], approved: Question | None) -> list[str]:
    """Content from outside taints for as long as it, or what was answered to it, is in the context."""
    sources = [*recalled, *([GROUP] if conversation.place is Place.GROUP else [])]
    if approved is not None:
        sources.extend(approved.about["taint"])
    return list(dict.fromkeys(sources))


def names_of(pinned: JsonObject) -> Mapping[PrincipalId, str]:
    """Who said what, as it was pinned."""
    return {PrincipalId(int(author)): name for author, name in pinned["names"].items()}


def _names(connection: Connection, conversation: Conversation, told: Iterable[Message]) -> Mapping[PrincipalId, str]:
    if conversation.place is Place.PRIVATE:
        return {}
    authors = {message.principal_id for message in told if message.principal_id is not None}
    return {author: people.get(connection, author).name for author in authors}


def arrived_since(connection: Connection, work: Work) -> list[Message]:
    """Messages that joined the running turn after it was pinned; not those that answered what it asked."""
    known = {message.id for message in work.said} | questions.answers_to(connection, work.turn.id)
    return [
        message
        for message in messages.of_turn(connection, work.turn.id)
        if message.id not in known and message.author is Author.USER
    ]
