"""The seam between the server and an API: how a reply and an error look there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from lar.testing.models.ask import Ask
from lar.testing.models.reply import Reply
from lar.testing.models.wire import Chunk, Wire


class Refusal(NamedTuple):
    """A provider-shaped error: HTTP status, JSON body, extra headers."""

    http: int
    body: Wire
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API. The renderers take the request, the reply and the answer's id; `stream` also the piece size."""

    name: str
    whole: Callable[[Ask, Reply, str], Wire]
    stream: Callable[[Ask, Reply, str, int], Iterator[Chunk]]
    refuse: Callable[[str, str], Refusal]
    mime: str = "text/event-stream"
