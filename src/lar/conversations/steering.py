"""Messages that join a running turn."""

from collections.abc import Sequence

from sqlalchemy import Connection

from lar.conversations.work import Work, arrived_since
from lar.domain.conversation import QueueMode
from lar.domain.message import Message
from lar.store import conversations
from lar.store.database import Database


class Joined:
    """What arrived for a running turn. A runtime takes it between two model calls; what is left becomes a new turn."""

    def __init__(self, db: Database, work: Work) -> None:
        self._db = db
        self._work = work
        self._taken: set[int] = set()

    def wanted(self, mode: QueueMode) -> bool:
        """Whether messages may join a running turn at all."""
        return mode is QueueMode.STEER

    async def arrived(self) -> Sequence[tuple[int, str]]:
        """Id and text of those not taken yet, oldest first."""
        arrived = await self._db.read(arrived_since, self._work)
        return [(message.id, message.text) for message in arrived if message.id not in self._taken]

    def taken(self, ids: Sequence[int]) -> None:
        """The turn answers these."""
        self._taken.update(ids)

    def left_over(self, connection: Connection) -> list[Message]:
        """Those nobody took; from here on to the commit none can join."""
        conversations.lock(connection, self._work.conversation.id)
        return [message for message in arrived_since(connection, self._work) if message.id not in self._taken]
