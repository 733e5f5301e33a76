"""What a person sees while a turn runs: typing, and an answer that grows. Best effort, never in an answer's way."""

import asyncio
import time
import zlib
from dataclasses import dataclass
from typing import Any

import structlog

from lar.channels.contract import Activity
from lar.channels.telegram.api import Api
from lar.channels.telegram.failures import BadRequest, InvalidToken, TelegramError, Wait
from lar.channels.telegram.markdown import preview
from lar.channels.telegram.pacing import Pause
from lar.channels.telegram.rich import is_visible
from lar.channels.telegram.sending import NO_LINK_PREVIEW, as_entity
from lar.channels.telegram.settings import TelegramSettings
from lar.domain.conversation import Address
from lar.domain.delivery import Part
from lar.domain.values import Clock

_log = structlog.get_logger(__name__)

_TIME_BOX = 5.0
_SHY = 30.0
_DRAFT_PAUSE = 0.8
_EDIT_PAUSE = 1.5
_GROUP_EDIT_PAUSE = 4.0  # a group takes 20 messages a minute, edits included


@dataclass(slots=True)
class _Shown:
    """What was last shown in one place, and how long nothing else is."""

    pause: Pause
    text: str = ""


class Showing:
    """Typing and previews. Private chats get drafts where the server knows them, others one message that is edited."""

    def __init__(self, api: Api, settings: TelegramSettings, clock: Clock = time.monotonic) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._drafts = True
        self._places: dict[Address, _Shown] = {}

    async def show(self, to: Address, activity: Activity) -> str:
        """Show it if it is time to; return the id of the preview message that is there now."""
        try:
            async with asyncio.timeout(_TIME_BOX):
                return await self._show(to, activity)
        except (TelegramError, TimeoutError) as error:
            seconds = error.seconds if isinstance(error, Wait) else _SHY
            if not activity.done:
                self._places[to] = _Shown(Pause(self._clock(), seconds))
            _log.debug("telegram.not_shown", chat=to.chat, reason=str(error) or type(error).__name__)
            return activity.message

    async def _show(self, to: Address, activity: Activity) -> str:
        if activity.done:
            self._places.pop(to, None)
            return await self._remove(to, activity.message)
        if self._is_early(to):
            return activity.message
        if activity.preview and self._settings.preview and is_visible(activity.preview):
            return await self._preview(to, activity)
        if self._settings.typing:
            await self._api.call("sendChatAction", {**_target(to), "action": "typing"})
        return activity.message

    def _is_early(self, to: Address) -> bool:
        shown = self._places.get(to)
        return shown is not None and shown.pause.left(self._clock()) > 0

    async def _preview(self, to: Address, activity: Activity) -> str:
        shown = self._places.get(to)
        if shown and shown.text == activity.preview:
            return activity.message
        part = preview(activity.preview)
        if self._drafts and not activity.message and not to.chat.startswith("-") and await self._draft(to, part):
            pause = _DRAFT_PAUSE
        else:
            activity = Activity(activity.preview, await self._message(to, part, activity.message))
            pause = _GROUP_EDIT_PAUSE if to.chat.startswith("-") else _EDIT_PAUSE
        self._places[to] = _Shown(Pause(self._clock(), pause), activity.preview)
        return activity.message

    async def _draft(self, to: Address, part: Part) -> bool:
        """Show a draft; false if this server has none."""
        draft = zlib.crc32(f"{to.chat}:{to.thread}".encode()) % 0x7FFFFFFE + 1
        try:
            await self._api.call("sendMessageDraft", {**_target(to), "draft_id": draft, **_text(part)})
        except (BadRequest, InvalidToken) as error:
            self._drafts = "unauthorized" in str(error).lower()
            return self._drafts
        return True

    async def _message(self, to: Address, part: Part, message: str) -> str:
        """Send or edit the preview message."""
        content = {**_target(to), **_text(part), "link_preview_options": NO_LINK_PREVIEW}
        if message:
            try:
                await self._api.call("editMessageText", {**content, "message_id": message})
            except BadRequest as error:
                _log.debug("telegram.preview_unchanged", reason=str(error))
            return message
        sent = await self._api.call("sendMessage", {**content, "disable_notification": True})
        return str(sent["message_id"])

    async def _remove(self, to: Address, message: str) -> str:
        if message:
            try:
                await self._api.call("deleteMessage", {"chat_id": to.chat, "message_id": message})
            except BadRequest as error:
                _log.debug("telegram.preview_gone", reason=str(error))
        return ""


def _target(to: Address) -> dict[str, Any]:
    return {"chat_id": to.chat, "message_thread_id": to.thread or None}


def _text(part: Part) -> dict[str, Any]:
    return {"text": part.text, "entities": [as_entity(entity) for entity in part.entities] or None}
