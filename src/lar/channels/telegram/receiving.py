"""Gets updates in, by long polling or by webhook: committed first, confirmed to Telegram after."""

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import structlog

from lar.channels.contract import Accept
from lar.channels.telegram.api import Api
from lar.channels.telegram.failures import Conflict, InvalidToken, NoAnswer, TelegramError, Wait
from lar.channels.telegram.health import Health
from lar.channels.telegram.pacing import Sleep
from lar.channels.telegram.parse import UPDATE_KINDS, Self, parse
from lar.channels.telegram.problems import TOKEN_REFUSED
from lar.channels.telegram.settings import TelegramSettings
from lar.errors import StoreError

_log = structlog.get_logger(__name__)

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105  # the name of a header
_ANOTHER = (
    "Another program fetches this bot's updates with the same token (409). Stop it, or give one of the two a token of"
    " its own; Lar goes on trying."
)
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_CONFLICT_PAUSE = 5.0
_CHECK_SECONDS = 60.0
_OK, _BAD_REQUEST, _FORBIDDEN, _UNAVAILABLE = 200, 400, 403, 503


class Receiving:
    """The way in. `run` never returns and never raises but when cancelled."""

    def __init__(
        self,
        api: Api,
        settings: TelegramSettings,
        account: str,
        health: Health,
        sleep: Sleep,
        ready: Callable[[], None],
    ) -> None:
        self._api = api
        self._settings = settings
        self._account = account
        self._health = health
        self._sleep = sleep
        self._ready = ready
        self._accept: Accept | None = None
        self._me: Self | None = None
        self._failures = 0

    async def run(self, accept: Accept) -> None:
        """Receive for ever."""
        me = await self._identify()
        if self._settings.mode == "webhook":
            self._accept = accept
            await self._keep_webhook()
        await self._poll(accept, me)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take one webhook call; return the HTTP status to answer with, 200 only after the commit."""
        given = next((value for name, value in headers.items() if name.lower() == SECRET_HEADER), "")
        if not hmac.compare_digest(given.encode(), self._settings.secret.encode()):
            return _FORBIDDEN
        if self._accept is None or self._me is None:
            return _UNAVAILABLE
        try:
            update: object = json.loads(body)
        except (ValueError, RecursionError):
            return _BAD_REQUEST
        return _OK if await self._taken(self._accept, [update], self._me) else _UNAVAILABLE

    async def _identify(self) -> Self:
        """Ask who we are until Telegram says so."""
        user = cast("dict[str, Any]", await self._insist("getMe"))
        self._me = Self(
            id=int(user["id"]),
            username=str(user.get("username", "")),
            account=self._account,
            trigger=self._settings.group_trigger,
        )
        _log.info("telegram.ready", bot=self._me.username, mode=self._settings.mode)
        self._ready()
        return self._me

    async def _poll(self, accept: Accept, me: Self) -> None:
        offset = await self._drained() if self._settings.drain_on_start else None
        while True:
            updates = await self._updates(offset)
            if not updates:
                continue
            while not await self._taken(accept, updates, me):
                await self._pause()
            self._failures = 0
            offset = max(int(update["update_id"]) for update in updates) + 1

    async def _drained(self) -> int | None:
        """Forget what waits; return where to go on."""
        last = await self._updates(-1, seconds=0)
        return int(last[-1]["update_id"]) + 1 if last else None

    async def _updates(self, offset: int | None, *, seconds: int | None = None) -> list[dict[str, Any]]:
        return await self._insist(
            "getUpdates",
            {
                "offset": offset,
                "timeout": self._settings.poll_seconds if seconds is None else seconds,
                "allowed_updates": UPDATE_KINDS,
            },
        )

    async def _taken(self, accept: Accept, updates: Sequence[object], me: Self) -> bool:
        """Whether the updates are committed now."""
        try:
            await accept([parse(update, me) for update in updates])
        except Exception as error:  # noqa: BLE001  # the loop outlives whatever the inbox meets; it is recorded
            if not isinstance(error, StoreError):  # a full disk needs no traceback at every try
                _log.exception("telegram.not_accepted", updates=len(updates))
            self._health.problem(f"What arrived cannot be stored and is kept at Telegram until it can: {error}")
            return False
        self._health.fine()
        return True

    async def _keep_webhook(self) -> None:
        """Set the webhook, and set it again if somebody removes it."""
        drop = self._settings.drain_on_start
        while True:
            await self._insist(
                "setWebhook",
                {
                    "url": self._settings.webhook_url,
                    "secret_token": self._settings.secret,
                    "allowed_updates": UPDATE_KINDS,
                    "drop_pending_updates": drop,
                },
            )
            drop = False
            while await self._webhook_stands():
                await self._sleep(_CHECK_SECONDS)

    async def _webhook_stands(self) -> bool:
        info = cast("dict[str, Any]", await self._insist("getWebhookInfo"))
        if info.get("url") != self._settings.webhook_url:
            _log.warning("telegram.webhook_lost", found=bool(info.get("url")))
            return False
        if info.get("pending_update_count") and (reason := info.get("last_error_message")):
            self._health.problem(f"Telegram cannot reach the webhook {self._settings.webhook_url}: {reason}")
        return True

    async def _insist(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Call until it works, explaining what is in the way."""
        while True:
            try:
                answer = await self._api.call(method, parameters)
            except TelegramError as error:
                await self._explain(error)
            else:
                self._failures = 0
                self._health.fine()
                return answer

    async def _explain(self, error: TelegramError) -> None:
        """Report what failed, remedy what can be, and wait as long as it deserves."""
        match error:
            case InvalidToken():
                self._health.problem(TOKEN_REFUSED)
                await self._sleep(_LONGEST_PAUSE)
            case Conflict() if "webhook" in str(error).lower():
                self._health.problem("A webhook is set for this bot; Lar removes it to fetch updates itself.")
                await self._remove_webhook()
            case Conflict():
                self._health.problem(_ANOTHER)
                await self._sleep(_CONFLICT_PAUSE)
            case Wait():
                await self._sleep(error.seconds)
            case NoAnswer() if self._failures == 0:
                self._failures += 1  # a poll that hung: ask again at once
            case _:
                self._health.problem(str(error))
                await self._pause()

    async def _remove_webhook(self) -> None:
        """Best effort: what waits there is kept, and the next poll tells whether it worked."""
        try:
            await self._api.call("deleteWebhook", {"drop_pending_updates": False})
        except TelegramError as error:
            self._health.problem(f"The webhook set for this bot cannot be removed: {error}")
            await self._pause()

    async def _pause(self) -> None:
        await self._sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures, 10)))
        self._failures += 1
