"""Messages that join a running turn."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import Connection

from lar.conversations.hearing import Heard
from lar.conversations.work import Work, arrived_since
from lar.domain.conversation import QueueMode
from lar.domain.message import Message
from lar.runtimes.contract import Said
from lar.store import conversations
from lar.store.database import Database

Hear = Callable[[Message], Awaitable[Heard]]
"""Makes of a message what a runtime gets."""


class Joined:
    """What arrived for a running turn. A runtime takes it between two model calls; what is left becomes a new turn."""

    def __init__(self, db: Database, work: Work, hear: Hear) -> None:
        self._db = db
        self._work = work
        self._hear = hear
        self._taken: set[int] = set()

    def wanted(self, mode: QueueMode) -> bool:
        """Whether messages may join a running turn at all."""
        return mode is QueueMode.STEER

    async def arrived(self) -> Sequence[Said]:
        """Those not taken yet, oldest first."""
        arrived = await self._db.read(arrived_since, self._work)
        return [await self._said(message) for message in arrived if message.id not in self._taken]

    async def _said(self, message: Message) -> Said:
        heard = await self._hear(message)
        return Said(message.id, heard.prompt, heard.media, heard.sources)

    def taken(self, ids: Sequence[int]) -> None:
        """The turn answers these."""
        self._taken.update(ids)

    def left_over(self, connection: Connection) -> list[Message]:
        """Those nobody took; from here on to the commit none can join."""
        conversations.lock(connection, self._work.conversation.id)
        return [message for message in arrived_since(connection, self._work) if message.id not in self._taken]
