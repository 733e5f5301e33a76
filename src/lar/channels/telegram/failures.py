"""How a call of the Bot API fails: by type, as far as it is known.

The one question a sender must answer after a failure is whether the message may have arrived.
"""

import json
from typing import Any, cast

_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 400, 401, 403, 404, 409
_TOO_LARGE, _TOO_MANY, _SERVER_ERRORS = 413, 429, 500
_LONGEST_WAIT = 3600.0


class TelegramError(Exception):
    """A call failed. Where no subclass says more, nobody knows what became of it."""


class NotSent(TelegramError):
    """The server was not reached: nothing happened."""


class NoAnswer(TelegramError):
    """The request went out and no answer came back: it may have happened."""


class ServerTrouble(TelegramError):
    """The server answered that it is not well: nothing happened."""


class TooLarge(TelegramError):
    """The server refuses a request of this size."""


class Wait(TelegramError):
    """Too many requests: nothing happened, come back after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks to wait {seconds:g} s")
        self.seconds = seconds


class BadRequest(TelegramError):
    """The server refuses what was asked; its words say why."""


class Forbidden(TelegramError):
    """The bot may not do this here: it was blocked or kicked."""


class InvalidToken(TelegramError):
    """The server does not know the bot."""


class Conflict(TelegramError):
    """Updates are fetched by another program, or a webhook is set."""


class ChatMigrated(TelegramError):
    """The group has another id now: nothing happened."""

    def __init__(self, chat: str) -> None:
        super().__init__(f"The group has a new id: {chat}")
        self.chat = chat


_BY_STATUS: dict[int, type[TelegramError]] = {
    _BAD_REQUEST: BadRequest,
    _UNAUTHORIZED: InvalidToken,
    _FORBIDDEN: Forbidden,
    _NOT_FOUND: InvalidToken,  # of a token that is no token; the methods we call exist
    _CONFLICT: Conflict,
}


def failure(status: int, body: bytes) -> TelegramError:
    """What an answer with this HTTP status says."""
    if status >= _SERVER_ERRORS:
        return ServerTrouble(f"Telegram has trouble (HTTP {status})")
    if status == _TOO_LARGE:
        return TooLarge("Request Entity Too Large")
    answer = _read(body)
    parameters = answer.get("parameters")
    details = cast("dict[str, Any]", parameters) if isinstance(parameters, dict) else {}
    if status == _TOO_MANY:
        return Wait(_seconds(details.get("retry_after")))
    if moved := details.get("migrate_to_chat_id"):
        return ChatMigrated(str(moved))
    words = str(answer.get("description") or f"HTTP {status}").removeprefix("Bad Request: ")
    return _BY_STATUS.get(status, TelegramError)(words)


def _read(body: bytes) -> dict[str, Any]:
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


def _seconds(asked: object) -> float:
    """The seconds a 429 asks for, 1 if it does not say."""
    try:
        return min(max(float(cast("float", asked)), 0.0), _LONGEST_WAIT)
    except (ValueError, TypeError):
        return 1.0
