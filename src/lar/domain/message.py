"""One thing said in a conversation."""

from dataclasses import dataclass
from enum import StrEnum

from lar.domain.ids import ConversationId, MessageId, PrincipalId, TurnId
from lar.domain.inbound import Attachment


class Author(StrEnum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the transcript. `created_at` is in seconds since the epoch. Immutable but for `turn_id`."""

    id: MessageId
    conversation_id: ConversationId
    author: Author
    text: str
    created_at: float
    principal_id: PrincipalId | None = None
    turn_id: TurnId | None = None
    vendor_id: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of the history a prompt carries."""

    author: Author
    text: str
