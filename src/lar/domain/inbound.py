"""What a channel hands to the inbox."""

from dataclasses import dataclass, field
from enum import StrEnum

from lar.domain.conversation import Address, Place
from lar.domain.values import JsonObject


class AttachmentKind(StrEnum):
    """What a file is to the person who sent it."""

    PHOTO = "photo"
    DOCUMENT = "document"
    VOICE = "voice"
    AUDIO = "audio"
    VIDEO = "video"
    STICKER = "sticker"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message.

    `ref` is the vendor's handle to fetch it by; `size` is in bytes, 0 if unknown; `path` is relative to
    `LAR_HOME/files`, empty until it was fetched; `saved` is its name among the person's own files, where tools find it,
    empty if it is not there; `problem` says why it could not be fetched or saved; `heard` is what is said in it.
    """

    kind: AttachmentKind
    ref: str
    name: str
    mime: str = "application/octet-stream"
    size: int = 0
    path: str = ""
    problem: str = ""
    saved: str = ""
    heard: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote, as the channel knows them. `user` is the vendor's id, never empty."""

    user: str
    name: str
    username: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A message. `vendor_id` is the vendor's message id.

    `addressed` is true where the bot is meant (private chat, mention, reply to it, command). `group_key` joins the
    parts of an album; `more_expected` is true for a paste the vendor probably split, so that the next part is awaited
    briefly. `edited` marks a new version of the message with this `vendor_id`; `reply_to_text` is the quoted text.
    `source` says whose words these are where they are not the sender's own: those of a message that was handed on.
    """

    text: str
    vendor_id: str
    attachments: tuple[Attachment, ...] = ()
    addressed: bool = True
    group_key: str = ""
    more_expected: bool = False
    edited: bool = False
    reply_to_text: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """A button was pressed. `data` is what it carries; `press_id` is what the channel must be told was seen."""

    data: str
    message_id: str
    press_id: str


@dataclass(frozen=True, slots=True)
class ChatStatus:
    """The chat opened or closed to us: blocked, removed, or welcome again."""

    reachable: bool


@dataclass(frozen=True, slots=True)
class Inbound:
    """One vendor update. `raw` is kept as it came.

    An update that could not be understood has `content=None` and says why in `problem`; one that is understood and of
    no interest has `content=None` and no problem. `sender` and `address` are None only then.
    """

    channel: str
    account: str
    update_id: str
    raw: JsonObject = field(default_factory=dict[str, "str"])
    sender: Sender | None = None
    address: Address | None = None
    place: Place = Place.PRIVATE
    title: str = ""
    content: Text | Press | ChatStatus | None = None
    problem: str = ""
