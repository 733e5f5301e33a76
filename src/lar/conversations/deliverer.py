"""The deliverer: sends what is in the outbox, in order per conversation, until it is confirmed."""

import asyncio
import math
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from lar.conversations.presence import Channels
from lar.conversations.problems import Problems
from lar.conversations.strings import say
from lar.domain.delivery import Delivery, DeliveryState, Part
from lar.domain.ids import ConversationId
from lar.domain.values import Clock
from lar.errors import ChannelError, ChatGone, FileTooLarge, SendLater, SendUncertain, StoreError
from lar.store import conversations, deliveries
from lar.store.database import Database

log = structlog.get_logger(__name__)

RETRY_FIRST, RETRY_MOST = 0.5, 60.0
"""Seconds before an uncertain part is tried again: doubling from the first to the most."""

Next = tuple[Delivery | None, float]
"""The part to send now, or the time (seconds since the epoch) at which there will be one, 0.0 for never."""


class Deliverer:
    """Sends deliveries. One task per conversation that has something to send, none for the rest."""

    def __init__(self, db: Database, channels: Channels, problems: Problems, clock: Clock, language: str) -> None:
        self._db = db
        self._channels = channels
        self._problems = problems
        self._clock = clock
        self._language = language
        self._tasks: dict[ConversationId, asyncio.Task[None]] = {}
        self._again: set[ConversationId] = set()
        self._timers: dict[ConversationId, asyncio.TimerHandle] = {}
        self._looking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Recover what a crash left half sent, then send until cancelled."""
        unsubscribe = self._db.subscribe("deliveries", self._noticed)
        try:
            for channel, account in self._channels:
                uncertain = await self._db.write(deliveries.recover, channel, account)
                if uncertain:
                    log.warning("deliveries were interrupted and are sent again", channel=channel, count=uncertain)
            await self._look()
            await asyncio.get_running_loop().create_future()
        finally:
            unsubscribe()
            await self._stop()

    async def hurry(self, channel: str, account: str) -> None:
        """Try everything that waits for this account now, whatever was said about later."""
        for conversation_id in await self._db.read(deliveries.waiting, channel, account):
            self._wake(conversation_id, at_once=True)

    async def _look(self) -> None:
        for channel, account in self._channels:
            await self.hurry(channel, account)

    async def _stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        tasks = [*self._tasks.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _noticed(self, payload: str) -> None:
        if payload:
            self._wake(ConversationId(int(payload)))
        else:
            self._looking = asyncio.ensure_future(self._look())

    def _wake(self, conversation_id: ConversationId, *, at_once: bool = False) -> None:
        if conversation_id in self._tasks:
            self._again.add(conversation_id)
        else:
            self._tasks[conversation_id] = asyncio.ensure_future(self._drain(conversation_id, at_once=at_once))

    async def _drain(self, conversation_id: ConversationId, *, at_once: bool) -> None:
        """Send what a conversation has, one part after the other."""
        self._cancel_timer(conversation_id)
        try:
            later = await self._send_all(conversation_id, at_once=at_once)
        except StoreError as error:
            later = self._clock() + RETRY_MOST / 10
            log.warning("the outbox cannot be read or written", error=str(error))
        except Exception:
            later = self._clock() + RETRY_MOST
            log.exception("delivery failed", conversation=conversation_id)
        del self._tasks[conversation_id]
        if conversation_id in self._again:
            self._again.discard(conversation_id)
            self._wake(conversation_id)
        elif later:
            delay = max(0.0, later - self._clock())
            loop = asyncio.get_running_loop()
            self._timers[conversation_id] = loop.call_later(min(delay, RETRY_MOST), self._wake, conversation_id)

    def _cancel_timer(self, conversation_id: ConversationId) -> None:
        timer = self._timers.pop(conversation_id, None)
        if timer is not None:
            timer.cancel()

    async def _send_all(self, conversation_id: ConversationId, *, at_once: bool) -> float:
        now = math.inf if at_once else self._clock()
        following: Next = await self._db.write(deliveries.take, conversation_id, now)
        while following[0] is not None:
            following = await self._send(following[0])
        return following[1]

    async def _send(self, delivery: Delivery) -> Next:
        """Send one part and record what became of it; what comes next."""
        channel = self._channels.get((delivery.address.channel, delivery.address.account))
        if channel is None:
            return await self._put_back(delivery, math.inf, "its channel is not configured", uncertain=False)
        part = self._marked(delivery)
        try:
            receipt = await channel.send(delivery.address, part)
        except ChannelError as error:
            return await self._failed(delivery, error)
        return await self._db.write(deliveries.sent_and_next, delivery, receipt.vendor_id, self._clock())

    async def _failed(self, delivery: Delivery, error: ChannelError) -> Next:
        reason = str(error)
        match error:
            case SendLater():
                return await self._put_back(delivery, error.after, reason, uncertain=False)
            case SendUncertain():
                delay = min(RETRY_FIRST * 2 ** (delivery.attempts - 1), RETRY_MOST)
                return await self._put_back(delivery, delay, reason, uncertain=True)
            case ChatGone():
                return await self._db.write(self._gone, delivery, reason)
            case FileTooLarge():
                text = say(self._language, "file_failed", error=reason)
                return await self._db.write(self._replace, delivery, Part(text), reason)
            case _:
                where = delivery.address.channel
                self._problems.report(f"delivery {delivery.id}", f"part refused by {where}: {reason}")
                log.warning("part refused", delivery=delivery.id, error=reason)
                return await self._db.write(self._close, delivery, DeliveryState.REFUSED, reason)

    def _marked(self, delivery: Delivery) -> Part:
        """A part that may have arrived before says so."""
        part = delivery.part
        if not delivery.resent or part.edit_of or part.answers_press:
            return part
        mark = say(self._language, "resent")
        return replace(part, text=f"{part.text}\n\n{mark}" if part.text else mark)

    async def _put_back(self, delivery: Delivery, delay: float, error: str, *, uncertain: bool) -> Next:
        log.info("part waits", delivery=delivery.id, after=delay, error=error, uncertain=uncertain)
        until = self._clock() + min(delay, 365 * 86400.0)
        await self._db.write(deliveries.put_back, delivery.id, until, error, uncertain=uncertain)
        return None, until

    def _close(self, connection: Connection, delivery: Delivery, state: DeliveryState, error: str) -> Next:
        deliveries.close(connection, delivery.id, state, error)
        return deliveries.take(connection, delivery.conversation_id, self._clock())

    def _gone(self, connection: Connection, delivery: Delivery, error: str) -> Next:
        """The chat is closed to us: nothing more is tried there until it writes again."""
        where = delivery.address
        deliveries.close(connection, delivery.id, DeliveryState.GONE, error)
        closed = conversations.set_gone(connection, where.channel, where.account, where.chat, gone=True)
        deliveries.close_open(connection, closed, DeliveryState.GONE, turns_only=False)
        return None, 0.0

    def _replace(self, connection: Connection, delivery: Delivery, part: Part, error: str) -> Next:
        """Say in words what could not be sent, in its place."""
        deliveries.close(connection, delivery.id, DeliveryState.REFUSED, error)
        deliveries.add(connection, delivery.conversation_id, [part], self._clock(), delivery.turn_id)
        return deliveries.take(connection, delivery.conversation_id, self._clock())
