"""What a turn is reminded of: read in the transaction that begins it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lar.domain.conversation import Conversation
from lar.domain.ids import TurnId
from lar.domain.memory import Kind, Memory, Owner
from lar.domain.message import Message
from lar.memory.context import shown
from lar.store import memories, messages, turns
from lar.store.database import Connection

GROUP = "group"
"""The taint of whatever is said in a group: all of its memory has it."""


@dataclass(frozen=True, slots=True)
class Recall:
    """How much a turn is reminded of. `window` is how many messages word for word at most.

    `sentences` is how many sentences of exchanges at most. Without `summaries`, there are the messages alone.
    """

    window: int = 32
    sentences: int = 20
    summaries: bool = False


@dataclass(frozen=True, slots=True)
class Recalled:
    """What it is: messages word for word, sentences for what came before, and where content from outside came from."""

    said: tuple[Message, ...]
    memories: tuple[Memory, ...] = ()
    taint: tuple[str, ...] = ()


def recall(
    connection: Connection, rules: Recall, owner: Owner, here: Conversation, before: TurnId, now: float
) -> Recalled:
    """What a turn of this owner in this conversation is reminded of.

    An exchange is told word for word until it is a sentence. Once the day is summed up, what was said that day in sight
    of content from outside is told by that summary alone: it is made of what the person said.
    """
    if not rules.summaries:
        said = messages.window(connection, here.id, here.history_after, before, rules.window)
        return Recalled(tuple(said), (), tuple(_sources(_taints(connection, said).values())))
    told = memories.sentences(connection, here.id, here.history_after, before, rules.sentences)
    after = max((memory.turn_id or 0 for memory in told), default=0)
    said = messages.window(connection, here.id, here.history_after, before, rules.window, after)
    of_owner = memories.summaries(connection, owner)
    over = max((memory.until for memory in of_owner if memory.kind in {Kind.DAY, Kind.MAJOR}), default=0.0)
    taints = _taints(connection, said)
    past = {turn for turn in taints if is_tainted(taints[turn]) and _last_said(said, turn) < over}
    kept = [memory for memory in told if not (is_tainted(memory.taint) and memory.until < over)]
    kept = shown([*of_owner, *kept], rules.sentences, now)
    told_word_for_word = tuple(message for message in said if message.turn_id not in past)
    sources = _sources([sources for turn, sources in taints.items() if turn not in past])
    sources += [source for memory in kept for source in memory.taint]
    return Recalled(told_word_for_word, tuple(kept), tuple(dict.fromkeys(sources)))


def is_tainted(sources: Sequence[str]) -> bool:
    """Whether there is content from outside beyond what a group says."""
    return bool(set(sources) - {GROUP})


def _taints(connection: Connection, said: Sequence[Message]) -> Mapping[TurnId, list[str]]:
    return turns.taints(connection, {message.turn_id for message in said if message.turn_id is not None})


def _last_said(said: Sequence[Message], turn: TurnId) -> float:
    return max(message.created_at for message in said if message.turn_id == turn)


def _sources(of_turns: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(source for sources in of_turns for source in sources))
