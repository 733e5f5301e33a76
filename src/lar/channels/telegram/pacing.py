"""Telegram's published limits as token buckets. Pure; the clock comes in.

Telegram lets bots go over its limits for a while and then answers 429, in which case nothing was delivered. `adaptive`
therefore sends at once until the first 429, and keeps strictly to the limits for ten minutes after the last one.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lar.domain.values import Clock

Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

_MEMORY = 600.0
_MOST_CHATS = 10_000


@dataclass(slots=True)
class Bucket:
    """`burst` sends at once, then `rate` a second. `level` may be negative: those sends are already promised."""

    burst: float
    rate: float
    level: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until the next send fits."""
        elapsed = max(0.0, now - self.at)
        self.level, self.at = min(self.burst, self.level + elapsed * self.rate), now
        return max(0.0, (1.0 - self.level) / self.rate)


@dataclass(slots=True)
class Pause:
    """Nothing happens for `seconds` from `since`. A clock that jumps back makes it begin again, not last longer."""

    since: float
    seconds: float

    def left(self, now: float) -> float:
        """Seconds that are left."""
        self.since = min(self.since, now)
        return max(0.0, self.seconds - (now - self.since))


class Pacer:
    """Says when the next message to a chat may go. `clock` should not jump; if it does, no wait grows by it."""

    def __init__(self, clock: Clock, *, strict: bool = False) -> None:
        self._clock = clock
        self._always = strict
        self._refused_at: float | None = None
        self._bot = Bucket(30, 30.0, 30, clock())
        self._chats: OrderedDict[str, Bucket] = OrderedDict()
        self._pauses: dict[str, Pause] = {}

    def wait(self, chat: str) -> float:
        """Seconds to wait before sending to `chat`; 0 means now."""
        now = self._clock()
        blocked = self._blocked(chat, now)
        if not self._is_strict(now):
            return blocked
        return max(blocked, self._bot.wait(now), self._bucket(chat, now).wait(now))

    def take(self, chat: str) -> None:
        """A message to `chat` goes out, now or after the wait that was announced."""
        now = self._clock()
        if self._is_strict(now):
            for bucket in (self._bot, self._bucket(chat, now)):
                bucket.wait(now)
                bucket.level -= 1

    def refused(self, chat: str, seconds: float) -> None:
        """Telegram said to wait before sending to `chat` again."""
        now = self._clock()
        self._refused_at = now
        self._pauses[chat] = Pause(now, seconds)
        bucket = self._bucket(chat, now)
        bucket.level, bucket.at = 1.0 - seconds * bucket.rate, now  # one message when the time has come

    def _blocked(self, chat: str, now: float) -> float:
        pause = self._pauses.get(chat)
        if pause is None:
            return 0.0
        left = pause.left(now)
        if not left:
            del self._pauses[chat]
        return left

    def _is_strict(self, now: float) -> bool:
        return self._always or (self._refused_at is not None and abs(now - self._refused_at) < _MEMORY)

    def _bucket(self, chat: str, now: float) -> Bucket:
        bucket = self._chats.get(chat)
        if bucket is None:
            burst, rate = (20.0, 20 / 60) if chat.startswith("-") else (3.0, 1.0)
            bucket = self._chats[chat] = Bucket(burst, rate, burst, now)
            if len(self._chats) > _MOST_CHATS:
                self._chats.popitem(last=False)
        self._chats.move_to_end(chat)
        return bucket
