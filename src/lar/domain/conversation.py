"""Where a talk happens: a durable thread in one chat of one account of one channel."""

from dataclasses import dataclass
from enum import StrEnum

from lar.domain.ids import ConversationId


class Place(StrEnum):
    """What kind of room a conversation is. A group is stricter than a private chat."""

    PRIVATE = "private"
    GROUP = "group"


class Mode(StrEnum):
    """How much may be done in a conversation without asking.

    `ro` only looks; `rw` changes the person's own and asks before it reaches outside; `full` asks an admin only where
    content from outside is in the context.
    """

    RO = "ro"
    RW = "rw"
    FULL = "full"

    def stricter(self, other: "Mode") -> "Mode":
        """The one of the two that lets less happen without asking."""
        order = list(Mode)
        return min(self, other, key=order.index)


class QueueMode(StrEnum):
    """What happens to a message that arrives while a turn runs.

    `collect`: messages of one sender wait together and become one next turn. `queue`: each becomes a turn of its own.
    `steer`: it joins the running turn before the next model call. `interrupt`: the running turn stops, a new one
    starts.
    """

    COLLECT = "collect"
    QUEUE = "queue"
    STEER = "steer"
    INTERRUPT = "interrupt"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send: vendor ids as strings. `thread` is empty outside a topic."""

    channel: str
    account: str
    chat: str
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A durable thread. The prompt starts after message `history_after` (set by `/new`), 0 at first.

    `gone` is set when the chat blocked us; nothing is sent there until it writes again. `agent` is the name of the
    configured agent that serves it, empty for the default. `mode` is None until somebody sets it, `model` empty until
    somebody chooses one (`provider:model`); `voice` says whether answers are spoken, None until somebody does.
    """

    id: ConversationId
    address: Address
    place: Place
    title: str = ""
    agent: str = ""
    history_after: int = 0
    thread_number: int = 1
    gone: bool = False
    mode: Mode | None = None
    model: str = ""
    voice: bool | None = None
