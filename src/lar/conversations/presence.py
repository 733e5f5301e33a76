"""What the person sees while a turn runs: typing and previews. Best effort: nothing here delays or fails a turn."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog

from lar.channels.contract import Activity, Channel
from lar.conversations.work import Work
from lar.domain.conversation import Address
from lar.domain.ids import ConversationId
from lar.store import deliveries
from lar.store.database import Database

log = structlog.get_logger(__name__)

LAST_SHOW = 5.0
"""Seconds that what is on its way is given to arrive when we stop."""

Channels = Mapping[tuple[str, str], Channel]
"""(channel, account) → its adapter."""


class Presence:
    """Shows that turns run."""

    def __init__(self, db: Database, channels: Channels) -> None:
        self._db = db
        self._channels = channels
        self._tasks: set[asyncio.Task[None]] = set()
        self._previewing: dict[int, asyncio.Task[None]] = {}
        self._shown: dict[int, str] = {}

    def typing(self, work: Work) -> None:
        """Show typing once."""
        channel = self._channel(work.conversation.address)
        if channel is not None and channel.manifest.capabilities.typing:
            self._spawn(self._show(channel, work.conversation.address, Activity()))

    def preview(self, work: Work, text: str) -> None:
        """Show the answer so far, unless an earlier preview is still on its way."""
        turn = int(work.turn.id)
        channel = self._channel(work.conversation.address)
        if channel is not None and turn not in self._previewing:
            self._previewing[turn] = self._spawn(self._preview(channel, work, text))

    def end(self, work: Work) -> None:
        """The turn is over: a preview message that is still there goes."""
        turn = int(work.turn.id)
        if turn in self._previewing or turn in self._shown:
            self._spawn(self._remove(work))

    async def sweep(self) -> None:
        """At start: remove the previews that a crash left behind."""
        for conversation_id, address, message in await self._db.read(deliveries.previews):
            await self._drop(conversation_id, address, message)

    async def close(self) -> None:
        """Wait for what is on its way, but not for ever."""
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=LAST_SHOW)
            for task in stuck:
                task.cancel()

    def _channel(self, address: Address) -> Channel | None:
        return self._channels.get((address.channel, address.account))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.warning("presence could not be shown", error=f"{type(error).__name__}: {error}")

    async def _show(self, channel: Channel, address: Address, activity: Activity) -> None:
        await channel.show(address, activity)

    async def _preview(self, channel: Channel, work: Work, text: str) -> None:
        turn = int(work.turn.id)
        try:
            shown = self._shown.get(turn, "")
            message = await channel.show(work.conversation.address, Activity(preview=text, message=shown))
            if message and message != shown:
                self._shown[turn] = message
                await self._db.write(deliveries.keep_preview, work.conversation.id, message, work.turn.id)
        finally:
            del self._previewing[turn]

    async def _remove(self, work: Work) -> None:
        turn = int(work.turn.id)
        if turn in self._previewing:
            await asyncio.wait([self._previewing[turn]])
        message = self._shown.pop(turn, "")
        if message:
            await self._drop(work.conversation.id, work.conversation.address, message)

    async def _drop(self, conversation_id: ConversationId, address: Address, message: str) -> None:
        channel = self._channel(address)
        if channel is not None:
            await channel.show(address, Activity(message=message, done=True))
            await self._db.write(deliveries.drop_preview, conversation_id, message)
