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
    """A message of the transcript. `created_at` is in seconds since the epoch.

    It changes twice at most: a file without a word gets its turn, and the text of a message what came with it. `source`
    is set where it holds content from outside.
    """

    id: MessageId
    conversation_id: ConversationId
    author: Author
    text: str
    created_at: float
    principal_id: PrincipalId | None = None
    turn_id: TurnId | None = None
    vendor_id: str = ""
    attachments: tuple[Attachment, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of the history a prompt carries."""

    author: Author
    text: str
