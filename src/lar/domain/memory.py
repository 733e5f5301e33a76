"""What is remembered of what was said: sentences, each with where it came from."""

from dataclasses import dataclass, field
from enum import StrEnum

from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, MemoryId, PrincipalId, TurnId
from lar.domain.values import JsonObject


class Kind(StrEnum):
    """What a sentence stands for: one exchange, today so far, a day that is over, or everything before."""

    EXCHANGE = "exchange"
    TODAY = "today"
    DAY = "day"
    MAJOR = "major"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory: a person's, or a group's, which is its conversation. Just one of the two is set."""

    principal_id: PrincipalId | None = None
    conversation_id: ConversationId | None = None

    @classmethod
    def of(cls, place: Place, principal_id: PrincipalId, conversation_id: ConversationId) -> "Owner":
        """Whose memory a turn of this person in this conversation has."""
        return cls(conversation_id=conversation_id) if place is Place.GROUP else cls(principal_id)

    @property
    def key(self) -> str:
        """`person:1` or `group:1`."""
        return f"person:{self.principal_id}" if self.conversation_id is None else f"group:{self.conversation_id}"

    @classmethod
    def parse(cls, key: str) -> "Owner":
        """Read what `key` wrote."""
        kind, _, number = key.partition(":")
        if kind == "group":
            return cls(conversation_id=ConversationId(int(number)))
        return cls(PrincipalId(int(number)))


@dataclass(frozen=True, slots=True)
class Memory:
    """One sentence. Its text never changes: a correction is another one; an empty text is what was forgotten.

    `number` counts the exchanges of a conversation, and the sentences of a summary. `day` is the day it is about, as
    `2026-03-29`. `until` is up to when it covers what was said (seconds since the epoch), for the sentence of an
    exchange when that was. `made_from` says from what it was made. `taint` is the content from outside that this was
    made from. `corrected`: a person wrote it.
    """

    id: MemoryId
    kind: Kind
    owner: str
    text: str
    number: int = 0
    day: str = ""
    turn_id: TurnId | None = None
    conversation_id: ConversationId | None = None
    until: float = 0.0
    made_from: JsonObject = field(default_factory=dict[str, "str"])
    taint: tuple[str, ...] = ()
    corrected: bool = False
    created_at: float = 0.0
