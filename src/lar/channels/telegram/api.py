"""The door to the Bot API: calls by their own names, answers as JSON, and failures that say what happened."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import aiohttp
import certifi

from lar.channels.telegram.failures import NoAnswer, NotSent, ServerTrouble, TelegramError, failure
from lar.channels.telegram.settings import TelegramSettings
from lar.errors import FileTooLarge

_CONNECTIONS = 16  # Telegram takes 30 messages a second
_CONNECT_SECONDS = 10.0
_POLL_MARGIN = 5.0
_KEPT_SECONDS = 45.0  # an answer after a long thought finds its connection still open
_TRANSFER_SECONDS = 600.0
_CHUNK = 1 << 16
_OK, _REDIRECTS, _SERVER_ERRORS = 200, 300, 500
_UNREACHED = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that goes out as a parameter of a call."""

    handle: IO[bytes]
    name: str
    mime: str = ""


class Api:
    """One bot's account at a Bot API server."""

    def __init__(self, settings: TelegramSettings) -> None:
        base, token = settings.api_base.rstrip("/"), settings.bot_token.get_secret_value()
        poll_seconds = settings.poll_seconds + min(settings.request_seconds, _POLL_MARGIN)
        self._methods = f"{base}/bot{token}/"
        self._files = f"{base}/file/bot{token}/"
        self._calls = _Pool(_CONNECTIONS, settings.request_seconds)
        self._polls = _Pool(1, poll_seconds)

    async def call(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Call `method`; parameters that are None are left out.

        Raises:
            TelegramError: what the server says, or one of the errors that say what became of the call.

        """
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        pool = self._polls if method == "getUpdates" else self._calls
        status, body = await pool.post(self._methods + method, given)
        if not _OK <= status < _REDIRECTS:
            raise failure(status, body)
        try:
            return json.loads(body)["result"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise NoAnswer("Telegram's answer cannot be read") from error

    async def download(self, file_path: str, path: Path, limit: int) -> None:
        """Write a file that `getFile` described to `path`, at most `limit` bytes.

        Raises:
            FileTooLarge: it holds more; nothing is left behind.
            NotSent, NoAnswer, ServerTrouble: not now.
            TelegramError: it is not there.

        """
        partial = path.with_name(path.name + ".part")
        try:
            await self._calls.fetch(self._files + file_path, partial, limit)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    async def close_connections(self) -> None:
        """Close what is open. A closed `Api` cannot be used again."""
        await self._calls.close()
        await self._polls.close()


class _Pool:
    """Some connections, opened at the first use. `seconds` is how long an answer may take."""

    def __init__(self, connections: int, seconds: float) -> None:
        self._connections = connections
        connect = min(seconds, _CONNECT_SECONDS)
        self._patience = aiohttp.ClientTimeout(total=connect + seconds, connect=connect, sock_read=seconds)
        self._transfer = aiohttp.ClientTimeout(total=_TRANSFER_SECONDS, connect=connect, sock_read=seconds)
        self._opened: aiohttp.ClientSession | None = None

    async def post(self, url: str, parameters: Mapping[str, Any]) -> tuple[int, bytes]:
        """Post parameters as JSON, or as a form if one is an `Upload`; the status and the body of the answer."""
        uploads = any(isinstance(value, Upload) for value in parameters.values())
        content = _form(parameters) if uploads else aiohttp.JsonPayload(parameters)
        timeout = self._transfer if uploads else self._patience
        try:
            async with self._session(url).post(url, data=content, timeout=timeout, allow_redirects=False) as answer:
                return answer.status, await answer.read()
        except _UNREACHED as error:
            raise NotSent(f"Telegram cannot be reached ({type(error).__name__})") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer(f"Telegram did not answer ({type(error).__name__})") from error

    async def fetch(self, url: str, path: Path, limit: int) -> None:
        """Write what `url` holds to `path`."""
        try:
            async with self._session(url).get(url, timeout=self._transfer, allow_redirects=False) as answer:
                if answer.status >= _SERVER_ERRORS:
                    raise ServerTrouble(f"Telegram has trouble (HTTP {answer.status})")
                if answer.status != _OK:
                    raise TelegramError(f"HTTP {answer.status}")
                await _write(answer, path, limit)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(f"The download broke off ({type(error).__name__})") from error

    def _session(self, url: str) -> aiohttp.ClientSession:
        if self._opened is None:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_KEPT_SECONDS, ssl=_trust(url))
            self._opened = aiohttp.ClientSession(connector=connector, trust_env=True)
        return self._opened

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()


def _form(parameters: Mapping[str, Any]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in parameters.items():
        if isinstance(value, Upload):
            form.add_field(name, value.handle, filename=value.name, content_type=value.mime or None)
        else:
            form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    return form


async def _write(answer: aiohttp.ClientResponse, path: Path, limit: int) -> None:
    written = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        async for chunk in answer.content.iter_chunked(_CHUNK):
            written += len(chunk)
            if written > limit:
                raise too_large(limit)
            file.write(chunk)


def too_large(limit: int) -> FileTooLarge:
    """The error that tells a person how large a file may be."""
    return FileTooLarge(f"The file is larger than {limit / 1_000_000:g} MB, the most that can be received here.")


def _trust(url: str) -> ssl.SSLContext | bool:
    """Whom to trust: the system's authorities and, as small systems have none, certifi's. Nobody without TLS."""
    if url.startswith("http://"):
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
