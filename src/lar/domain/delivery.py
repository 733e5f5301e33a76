"""What leaves: parts of a reply, and what became of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, cast

from lar.domain.conversation import Address
from lar.domain.ids import ConversationId, DeliveryId, TurnId
from lar.domain.values import JsonObject


class DeliveryState(StrEnum):
    """A part's life: pending → sending → sent.

    `sending` found at start, or a send without an answer, is uncertain: the part goes back to pending, marked as
    resent. `cancelled` by `/stop`, `refused` by the vendor, `gone` with its chat.
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Entity:
    """Formatting of a stretch of text. `offset` and `length` count UTF-16 code units, as Telegram does.

    `kind` is one of bold, italic, underline, strikethrough, spoiler, code, pre, text_link, blockquote,
    expandable_blockquote. `url` belongs to text_link, `language` to pre.
    """

    kind: str
    offset: int
    length: int
    url: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """A choice below a message. `data` (at most 64 bytes) comes back when it is pressed."""

    label: str
    data: str


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file to send. `path` is relative to `LAR_HOME/files`. `voice`: it is spoken, to be heard in the chat."""

    path: str
    name: str
    mime: str = "application/octet-stream"
    voice: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What a channel sends in one call: text or a file with a caption, or an edit of the message `edit_of`.

    `edits` is the delivery whose message is edited; it becomes `edit_of` when the part leaves, or a new message where
    that one never arrived.
    """

    text: str = ""
    entities: tuple[Entity, ...] = ()
    buttons: tuple[tuple[Button, ...], ...] = ()
    file: OutgoingFile | None = None
    edit_of: str = ""
    answers_press: str = ""
    edits: int = 0

    def to_json(self) -> JsonObject:
        """The part as a JSON object, defaults left out."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, value: JsonObject) -> "Part":
        """Read what `to_json` wrote."""
        raw = cast("Mapping[str, object]", value)
        file = cast("Mapping[str, Any] | None", raw.get("file"))
        return cls(
            text=str(raw.get("text", "")),
            entities=tuple(Entity(**e) for e in cast("list[dict[str, str]]", raw.get("entities", []))),  # pyright: ignore[reportArgumentType]  # JSON of our own making
            buttons=tuple(
                tuple(Button(**b) for b in row) for row in cast("list[list[dict[str, str]]]", raw.get("buttons", []))
            ),
            file=OutgoingFile(**file) if file else None,
            edit_of=str(raw.get("edit_of", "")),
            answers_press=str(raw.get("answers_press", "")),
            edits=int(cast("int", raw.get("edits", 0))),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """The vendor took the part. `vendor_id` is its message id there, empty if it has none."""

    vendor_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One part on its way. `resent` is set where the receipt of an earlier try was lost. `attempts` counts tries."""

    id: DeliveryId
    conversation_id: ConversationId
    address: Address
    turn_id: TurnId | None
    part: Part
    state: DeliveryState
    attempts: int = 0
    resent: bool = False
    vendor_id: str = ""
    error: str = ""
