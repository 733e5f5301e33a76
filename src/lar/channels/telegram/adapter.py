"""Telegram as a channel: one bot."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lar.channels.contract import Accept, Activity, Manifest, MenuEntry
from lar.channels.telegram.api import Api, too_large
from lar.channels.telegram.failures import BadRequest, NoAnswer, TelegramError
from lar.channels.telegram.health import Health, Report
from lar.channels.telegram.manifest import manifest
from lar.channels.telegram.menu import scopes
from lar.channels.telegram.pacing import Pacer, Sleep
from lar.channels.telegram.problems import meaning
from lar.channels.telegram.receiving import Receiving
from lar.channels.telegram.sending import Sending
from lar.channels.telegram.settings import TelegramSettings
from lar.channels.telegram.showing import Showing
from lar.domain.conversation import Address
from lar.domain.delivery import Part, Receipt
from lar.domain.inbound import Attachment
from lar.domain.values import Clock
from lar.errors import ChannelError, FileTooLarge, SendLater, SendRefused, SendUncertain

_DISK_PAUSE = 30.0
_BREAK_PAUSE = 2.0


def _unheard() -> None:
    """Tell nobody."""


def _silent(_problem: str | None) -> None:
    """Report to nobody."""


class TelegramChannel:
    """One bot of Telegram; implements `Channel`.

    `files` is the folder outgoing files are relative to. `report` is told in a sentence what is wrong, None when all
    is well again. `clock` measures intervals in seconds and should not jump.
    """

    def __init__(
        self,
        settings: TelegramSettings,
        files: Path,
        *,
        account: str = "main",
        report: Report = _silent,
        ready: Callable[[], None] = _unheard,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        health = Health(report)
        self._settings = settings
        self._account = account
        self._manifest = manifest(settings)
        self._api = Api(settings)
        self._receiving = Receiving(self._api, settings, account, health, sleep, ready)
        pacer = Pacer(clock, strict=settings.pacing == "strict")
        self._sending = Sending(self._api, pacer, health, files, sleep)
        self._showing = Showing(self._api, settings, clock)

    @property
    def manifest(self) -> Manifest:
        """What kind of channel this is."""
        return self._manifest

    @property
    def account(self) -> str:
        """The name of this login."""
        return self._account

    async def run(self, accept: Accept) -> None:
        """Receive until cancelled."""
        await self._receiving.run(accept)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take one call of Telegram's to the webhook; return the HTTP status to answer, 200 only after the commit."""
        return await self._receiving.receive(headers, body)

    async def send(self, to: Address, part: Part) -> Receipt:
        """Send one part; see `Channel.send`."""
        return await self._sending.send(to, part)

    async def show(self, to: Address, activity: Activity) -> str:
        """Show that a turn runs; see `Channel.show`."""
        return await self._showing.show(to, activity)

    async def fetch(self, attachment: Attachment, path: Path) -> None:
        """Download what came with a message; see `Channel.fetch`."""
        limit = int(self._settings.max_download_bytes)
        if attachment.size > limit:
            raise too_large(limit)
        try:
            found: dict[str, Any] = await self._api.call("getFile", {"file_id": attachment.ref})
            await self._api.download(str(found["file_path"]), path, limit)
        except TelegramError as error:
            raise _fetch_problem(error, limit) from error
        except OSError as error:
            raise SendLater(_DISK_PAUSE, f"The file cannot be stored: {error.strerror}") from error

    async def announce(self, menu: Sequence[MenuEntry]) -> None:
        """Synchronise the command menu: one per language for everybody, and the whole of it for administrators.

        Raises:
            SendLater, SendUncertain, SendRefused: Telegram did not take it.

        """
        for scope in scopes(menu, sorted(self._settings.admin_user_ids)):
            try:
                await self._api.call("setMyCommands", scope.parameters)
            except BadRequest as error:
                if not scope.optional:
                    raise meaning(error) from error
            except TelegramError as error:
                raise meaning(error) from error

    async def close(self) -> None:
        """Close connections; the channel cannot be used afterwards."""
        await self._api.close_connections()


def _fetch_problem(error: TelegramError, limit: int) -> ChannelError:
    """The error of a download that failed. None is uncertain: a file can be fetched again."""
    found = meaning(error)
    if isinstance(found, FileTooLarge):
        return too_large(limit)
    if isinstance(error, NoAnswer):
        return SendLater(_BREAK_PAUSE, str(error))
    if isinstance(found, SendRefused | SendUncertain):
        return ChannelError(f"Telegram does not have the file any more ({error}).")
    return found
