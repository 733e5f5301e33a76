"""The deliverer: sends what is in the outbox, in order per conversation, until it is confirmed."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Concatenate, ParamSpec

import structlog
from sqlalchemy import Connection

from lar.conversations.presence import Channels
from lar.conversations.problems import Problems
from lar.conversations.strings import say
from lar.domain.delivery import Delivery, DeliveryState, Part
from lar.domain.ids import ConversationId, DeliveryId
from lar.domain.values import Clock
from lar.engine.context import surely
from lar.errors import ChannelError, ChatGone, FileTooLarge, SendLater, SendRefused, SendUncertain, StoreError
from lar.store import conversations, deliveries
from lar.store.database import Database

P = ParamSpec("P")

log = structlog.get_logger(__name__)

RETRY_FIRST, RETRY_MOST = 0.5, 60.0
"""Seconds before an uncertain part is tried again: doubling from the first to the most."""

MOST_FAILURES = 5
"""How often an adapter may fail on a part in a way nobody foresaw before it is given up."""

LAST_SEND = 5.0
"""Seconds that sends on their way are given to end when we stop."""

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
        self._again: dict[ConversationId, bool] = {}
        self._doubtful: set[ConversationId] = set()
        self._timers: dict[ConversationId, asyncio.TimerHandle] = {}
        self._due: dict[ConversationId, float] = {}
        self._failures: dict[DeliveryId, int] = {}
        self._looking: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def run(self) -> None:
        """Recover what a crash left half sent, then send until cancelled. A send on its way is let end."""
        self._stopping = False
        unsubscribe = self._db.subscribe("deliveries", self._noticed)
        try:
            for channel, account in self._channels:
                uncertain = await surely(self._db.write, deliveries.recover, channel, account)
                if uncertain:
                    log.warning("deliveries were interrupted and are sent again", channel=channel, count=uncertain)
            await self._look()
            await asyncio.get_running_loop().create_future()
        finally:
            unsubscribe()
            await self._stop()

    async def hurry(self, channel: str, account: str) -> None:
        """Try everything that waits for this account now, whatever was said about later."""
        for conversation_id in await surely(self._db.read, deliveries.waiting, channel, account):
            self._wake(conversation_id, at_once=True)

    async def _look(self) -> None:
        for channel, account in self._channels:
            await self.hurry(channel, account)

    async def _stop(self) -> None:
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=LAST_SEND)
        left = [*self._tasks.values(), *self._looking]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self._tasks.clear()

    def _noticed(self, payload: str) -> None:
        if payload:
            self._wake(ConversationId(int(payload)))
        else:
            looking = asyncio.ensure_future(self._look())
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)

    def _wake(self, conversation_id: ConversationId, *, at_once: bool = False) -> None:
        if conversation_id in self._tasks:
            self._again[conversation_id] = at_once or self._again.get(conversation_id, False)
        elif not self._stopping:
            self._tasks[conversation_id] = asyncio.ensure_future(self._drain(conversation_id, at_once=at_once))

    async def _drain(self, conversation_id: ConversationId, *, at_once: bool) -> None:
        """Send what a conversation has, one part after the other."""
        self._cancel_timer(conversation_id)
        try:
            later = await self._send_all(conversation_id, at_once=at_once)
        except StoreError as error:
            later = self._clock() + RETRY_MOST / 10
            self._doubtful.add(conversation_id)
            log.warning("the outbox cannot be read or written", error=str(error))
        except Exception:
            later = self._clock() + RETRY_MOST
            self._doubtful.add(conversation_id)
            log.exception("delivery failed", conversation=conversation_id)
        del self._tasks[conversation_id]
        if conversation_id in self._doubtful:
            later = later or self._clock() + RETRY_FIRST
        again = self._again.pop(conversation_id, None)
        if again is not None:
            self._wake(conversation_id, at_once=again)
        elif later and not self._stopping:
            loop = asyncio.get_running_loop()
            soonest = loop.time() + min(max(0.0, later - self._clock()), RETRY_MOST)
            due = self._due.get(conversation_id, soonest)
            self._timers[conversation_id] = loop.call_at(due, self._wake, conversation_id)

    def _cancel_timer(self, conversation_id: ConversationId) -> None:
        timer = self._timers.pop(conversation_id, None)
        if timer is not None:
            timer.cancel()

    async def _send_all(self, conversation_id: ConversationId, *, at_once: bool) -> float:
        if conversation_id in self._doubtful:
            await self._db.write(deliveries.recover_in, conversation_id)
            self._doubtful.discard(conversation_id)
        now = math.inf if at_once or self._is_due(conversation_id) else self._clock()
        part, later = await self._db.write(deliveries.take, conversation_id, self._channels.keys(), now)
        while part is not None:
            if self._stopping:
                await self._put_back(part, 0.0, "stopping", uncertain=False)
                break
            part, later = await self._send(part)
        return later

    def _is_due(self, conversation_id: ConversationId) -> bool:
        """Whether a part that was put back has waited as long as was said, wherever the clock has jumped meanwhile."""
        return self._due.get(conversation_id, math.inf) <= asyncio.get_running_loop().time()

    async def _send(self, delivery: Delivery) -> Next:
        """Send one part and record what became of it; what comes next."""
        channel = self._channels[delivery.address.channel, delivery.address.account]
        self._due.pop(delivery.conversation_id, None)
        part = self._marked(delivery)
        try:
            try:
                receipt = await channel.send(delivery.address, part)
            except SendRefused:
                if part is delivery.part:
                    raise
                receipt = await channel.send(delivery.address, delivery.part)  # better unmarked than never
        except ChannelError as error:
            return await self._failed(delivery, error)
        except Exception as error:
            log.exception("a channel failed at a part", delivery=delivery.id)
            return await self._failed(delivery, self._judged(delivery, error))
        self._failures.pop(delivery.id, None)
        self._problems.report(_source(delivery), None)
        return await self._record(delivery, self._sent, receipt.vendor_id)

    def _judged(self, delivery: Delivery, error: Exception) -> ChannelError:
        """An adapter's fault: whether the part arrived nobody knows, and after some tries it holds nobody up."""
        reason = f"{type(error).__name__}: {error}"
        failures = self._failures[delivery.id] = self._failures.get(delivery.id, 0) + 1
        if failures < MOST_FAILURES:
            return SendUncertain(reason)
        del self._failures[delivery.id]
        return SendRefused(reason)

    async def _record(
        self,
        delivery: Delivery,
        write: Callable[Concatenate[Connection, Delivery, P], Next],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Next:
        """Write what became of a part, however long the database takes to be well again."""
        try:
            return await self._db.write(write, delivery, *args, **kwargs)
        except StoreError:  # whether a commit that broke was kept is not known: the next round looks for what was taken
            self._doubtful.add(delivery.conversation_id)
            return await surely(self._db.write, write, delivery, *args, **kwargs)

    async def _failed(self, delivery: Delivery, error: ChannelError) -> Next:
        reason = str(error)
        match error:
            case SendLater():
                return await self._put_back(delivery, error.after, reason, uncertain=False)
            case SendUncertain():
                delay = min(RETRY_FIRST * 2 ** min(delivery.attempts - 1, 10), RETRY_MOST)
                return await self._put_back(delivery, delay, reason, uncertain=True)
            case ChatGone():
                return await self._record(delivery, self._gone, reason)
            case FileTooLarge():
                text = say(self._language, "file_failed", error=reason)
                return await self._record(delivery, self._replace, Part(text), reason)
            case _:
                where = delivery.address.channel
                self._problems.report(_source(delivery), f"part {delivery.id} was refused by {where}: {reason}")
                log.warning("part refused", delivery=delivery.id, error=reason)
                return await self._record(delivery, self._refused, reason)

    def _marked(self, delivery: Delivery) -> Part:
        """A part that may have arrived before says so."""
        part = delivery.part
        if not delivery.resent or part.edit_of or part.answers_press:
            return part
        mark = say(self._language, "resent")
        return replace(part, text=f"{part.text}\n\n{mark}" if part.text else mark)

    async def _put_back(self, delivery: Delivery, delay: float, error: str, *, uncertain: bool) -> Next:
        log.info("part waits", delivery=delivery.id, after=delay, error=error, uncertain=uncertain)
        until = self._clock() + delay
        self._due[delivery.conversation_id] = asyncio.get_running_loop().time() + delay
        await surely(self._db.write, deliveries.put_back, delivery.id, until, error, uncertain=uncertain)
        return None, until

    def _following(self, connection: Connection, delivery: Delivery) -> Next:
        return deliveries.take(connection, delivery.conversation_id, self._channels.keys(), self._clock())

    def _sent(self, connection: Connection, delivery: Delivery, vendor_id: str) -> Next:
        deliveries.sent(connection, delivery.id, vendor_id, self._clock())
        return self._following(connection, delivery)

    def _refused(self, connection: Connection, delivery: Delivery, error: str) -> Next:
        deliveries.close(connection, delivery.id, DeliveryState.REFUSED, error)
        return self._following(connection, delivery)

    def _gone(self, connection: Connection, delivery: Delivery, error: str) -> Next:
        """The chat is closed to us: nothing more is tried there until it writes again."""
        where = delivery.address
        deliveries.close(connection, delivery.id, DeliveryState.GONE, error)
        closed = conversations.set_gone(connection, where.channel, where.account, where.chat, gone=True)
        deliveries.close_open(connection, closed, DeliveryState.GONE, turns_only=False)
        return None, 0.0

    def _replace(self, connection: Connection, delivery: Delivery, part: Part, error: str) -> Next:
        """Say in words what could not be sent, in its place."""
        deliveries.replace_part(connection, delivery.id, part, error)
        return self._following(connection, delivery)


def _source(delivery: Delivery) -> str:
    return f"deliveries to conversation {delivery.conversation_id}"
