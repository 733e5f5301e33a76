"""Throttles as bots feel them."""

from collections.abc import Hashable

from lar.testing.telegram.wire import ApiError


class RateLimiter:
    """Token buckets: 30/s per bot, 1/s per private chat, 20/min per group; small bursts pass."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def check(self, token: str, chat_id: int, now: float, *, group: bool) -> None:
        """Count one message at `now` (seconds).

        Raises:
            ApiError: 429 with retry_after, when it comes too early; it is not counted then.
        """
        per_chat = (20.0, 20 / 60) if group else (3.0, 1.0)
        rules: list[tuple[Hashable, float, float]] = [(token, 30.0, 30.0), ((token, chat_id), *per_chat)]
        levels: list[tuple[Hashable, float]] = []
        for key, burst, rate in rules:
            level, since = self._buckets.get(key, (burst, now))
            level = min(burst, level + (now - since) * rate)
            if level < 1:
                wait = max(1, round((1 - level) / rate))
                raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
            levels.append((key, level))
        for key, level in levels:
            self._buckets[key] = (level - 1, now)
