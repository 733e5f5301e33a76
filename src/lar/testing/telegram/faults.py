"""Faults on order: the next calls fail, hang, are cut off, or take effect while their answer is lost."""

import asyncio
from typing import TypedDict

from lar.testing.telegram.wire import ApiError, Json

_TEXTS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
}


class Fault(TypedDict, total=False):
    """How calls fail."""

    status: int  # HTTP status to answer with
    description: str  # instead of the usual one
    retry_after: int  # seconds, with status 429; 1 unless given
    hang: float  # seconds to wait first
    drop: bool  # cut the connection
    after: bool  # the call takes effect, only its answer is lost
    chat_id: int  # only calls for this chat
    skip: int  # so many calls pass before


class Faults:
    """The faults on order, oldest first."""

    def __init__(self) -> None:
        self.pending: list[Json] = []

    def add(self, method: str, count: int, fault: Fault) -> None:
        """The next `count` calls of `method` fail; `*` means any but getUpdates."""
        self.pending.append({"method": method.lower(), "count": count, **fault})

    def take(self, method: str, chat_id: object) -> Json | None:
        """The fault that meets this call, which uses it up by one."""
        for fault in self.pending:
            if not _meets(fault, method, chat_id):
                continue
            if fault.get("skip"):
                fault["skip"] -= 1
                return None
            fault["count"] -= 1
            if fault["count"] <= 0:
                self.pending.remove(fault)
            return fault
        return None


def _meets(fault: Json, method: str, chat_id: object) -> bool:
    wanted = fault["method"]
    named = wanted == method or (wanted == "*" and method != "getupdates")
    return named and fault.get("chat_id") in (None, chat_id)


async def apply_fault(fault: Json) -> None:
    """Let it happen.

    Raises:
        ConnectionAbortedError: The connection is to be cut.
        ApiError: The answer.
    """
    if fault.get("hang"):
        await asyncio.sleep(fault["hang"])
    if fault.get("drop"):
        raise ConnectionAbortedError
    if fault.get("status"):
        status = int(fault["status"])
        text = fault.get("description") or _TEXTS.get(status, "Error")
        if status != 429:
            raise ApiError(status, text)
        wait = int(fault.get("retry_after", 1))
        text = fault.get("description") or f"{text}: retry after {wait}"
        raise ApiError(status, text, retry_after=wait)
