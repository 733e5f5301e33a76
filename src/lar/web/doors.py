"""What the HTTP server opens onto. It holds no rules of its own: everything it does is one of these callables."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lar.channels.terminal.adapter import Socket
from lar.channels.terminal.frames import Hello
from lar.domain.values import JsonObject

Webhook = Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""Takes the headers (names in lower case) and the body of a vendor's request; returns the HTTP status to answer."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of a gateway.

    `token` is what local clients prove themselves with. `problems` names what is wrong right now, one sentence each.
    `call` runs an operation by its name and raises KeyError for an unknown one, LarError with a sentence for the
    person if it cannot be done. `chat` talks with one client until it is gone. `webhooks` by path.
    """

    token: str
    problems: Callable[[], Mapping[str, str]]
    call: Callable[[str, JsonObject], Awaitable[JsonObject]]
    chat: Callable[[Socket, Hello], Awaitable[None]]
    webhooks: Mapping[str, Webhook] = field(default_factory=dict[str, "Webhook"])
