"""The door to the Bot API: python-telegram-bot's `Bot` with raw JSON answers and errors that say what happened.

The one question a sender must answer after a failure is whether the message may have arrived. The transport answers
it where it is known, so that nobody has to read it out of a library's texts.
"""

import json
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from telegram import Bot
from telegram.error import NetworkError, TelegramError
from telegram.request import BaseRequest, HTTPXRequest, RequestData

from lar.channels.telegram.settings import TelegramSettings
from lar.errors import FileTooLarge

_CONNECTIONS = 8  # Telegram takes 30 messages a second; httpx looks at every connection for every request
_CONNECT_SECONDS = 10.0
_POLL_MARGIN = 5.0
_KEPT_SECONDS = 45.0  # an answer after a long thought finds its connection still open
_UPLOAD_SECONDS = 60.0
_CHUNK = 1 << 16
_TOO_LARGE = 413
_TOO_MANY = 429
_LONGEST_WAIT = 3600.0
_SERVER_ERRORS = 500
_UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)

# These loggers write URLs, and Telegram's URLs contain the token.
for _name in ("httpx", "httpcore", "telegram"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class NotSent(NetworkError):
    """The server was not reached: nothing happened."""


class NoAnswer(NetworkError):
    """The request went out and no answer came back: it may have happened."""


class ServerTrouble(NetworkError):
    """The server answered that it is not well: nothing happened."""


class TooLarge(TelegramError):
    """The server refuses a request of this size."""


class Wait(TelegramError):
    """Too many requests: nothing happened, come back after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks to wait {seconds:g} s")
        self.seconds = seconds


class Transport(HTTPXRequest):
    """httpx, and what its failures mean."""

    def __init__(self, connections: int, seconds: float, trust: ssl.SSLContext) -> None:
        super().__init__(
            connection_pool_size=connections,
            read_timeout=seconds,
            write_timeout=seconds,
            connect_timeout=min(seconds, _CONNECT_SECONDS),
            pool_timeout=seconds,
            media_write_timeout=max(seconds, _UPLOAD_SECONDS),
            httpx_kwargs={
                "verify": trust,
                "limits": httpx.Limits(max_connections=connections, keepalive_expiry=_KEPT_SECONDS),
            },
        )

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        *timeouts: Any,
        **named: Any,
    ) -> tuple[int, bytes]:
        """Make one request; raise what became of it where no answer tells."""
        try:
            status, body = await super().do_request(url, method, request_data, *timeouts, **named)
        except NetworkError as error:
            reason = type(error.__cause__).__name__
            if isinstance(error.__cause__, _UNREACHED):
                raise NotSent(f"Telegram cannot be reached ({reason})") from error
            raise NoAnswer(f"Telegram did not answer ({reason})") from error
        if status >= _SERVER_ERRORS:
            raise ServerTrouble(f"Telegram has trouble (HTTP {status})")
        if status == _TOO_MANY:
            raise Wait(_asked_wait(body))
        if status == _TOO_LARGE:
            raise TooLarge("Request Entity Too Large")
        return status, body

    async def download(self, url: str, path: Path, limit: int) -> None:
        """Write what `url` holds to `path`, at most `limit` bytes.

        Raises:
            FileTooLarge: it holds more; nothing is left behind.
            NotSent, NoAnswer, ServerTrouble: not now.
            TelegramError: it is not there.

        """
        partial = path.with_name(path.name + ".part")
        try:
            async with self._client.stream("GET", url) as answer:
                if answer.status_code >= _SERVER_ERRORS:
                    raise ServerTrouble(f"Telegram has trouble (HTTP {answer.status_code})")
                if not answer.is_success:
                    raise TelegramError(f"HTTP {answer.status_code}")
                await _write(answer, partial, limit)
            partial.replace(path)
        except httpx.HTTPError as error:
            raise NoAnswer(f"The download broke off ({type(error).__name__})") from error
        finally:
            partial.unlink(missing_ok=True)


def _asked_wait(body: bytes) -> float:
    """The seconds a 429 asks for, 1 if it does not say."""
    try:
        asked = float(json.loads(body)["parameters"]["retry_after"])
    except (ValueError, LookupError, TypeError):
        return 1.0
    return min(max(asked, 0.0), _LONGEST_WAIT)


async def _write(answer: httpx.Response, path: Path, limit: int) -> None:
    written = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        async for chunk in answer.aiter_bytes(_CHUNK):
            written += len(chunk)
            if written > limit:
                raise too_large(limit)
            file.write(chunk)


def too_large(limit: int) -> FileTooLarge:
    """The error that tells a person how large a file may be."""
    return FileTooLarge(f"The file is larger than {limit / 1_000_000:g} MB, the most that can be received here.")


def _trust(base: str) -> ssl.SSLContext:
    """Whom to trust: one context for all connections, as it takes long to load; none is needed without TLS."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if base.startswith("http://") else httpx.create_ssl_context()


class Api(Bot):
    """Calls of the Bot API by their own names, answers as JSON."""

    def __init__(self, settings: TelegramSettings) -> None:
        base = settings.api_base.rstrip("/")
        poll_seconds = settings.poll_seconds + min(settings.request_seconds, _POLL_MARGIN)
        trust = _trust(base)
        super().__init__(
            token=settings.bot_token.get_secret_value(),
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=Transport(_CONNECTIONS, settings.request_seconds, trust),
            get_updates_request=Transport(1, poll_seconds, trust),
        )

    async def call(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Call `method`; parameters that are None are left out.

        Raises:
            TelegramError: what the server says, or one of the errors above.

        """
        return await self._post(method, dict(parameters or {}))

    async def download(self, file_path: str, path: Path, limit: int) -> None:
        """Fetch a file that `getFile` described; see `Transport.download`."""
        transport: BaseRequest = self._request[1]
        if isinstance(transport, Transport):
            await transport.download(f"{self.base_file_url}/{file_path}", path, limit)

    async def close_connections(self) -> None:
        """Close what is open. A closed `Api` cannot be used again."""
        for transport in self._request:
            await transport.shutdown()
