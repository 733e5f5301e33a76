"""Sends one part, and says truthfully what became of it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from lar.channels.telegram.api import Api, Upload
from lar.channels.telegram.failures import ChatMigrated, InvalidToken, TelegramError, Wait
from lar.channels.telegram.health import Health
from lar.channels.telegram.manifest import MAX_PHOTO, MAX_UPLOAD
from lar.channels.telegram.pacing import Pacer, Sleep
from lar.channels.telegram.problems import TOKEN_REFUSED, is_unchanged, meaning
from lar.channels.telegram.rich import units
from lar.domain.conversation import Address
from lar.domain.delivery import Entity, OutgoingFile, Part, Receipt
from lar.domain.values import JsonObject
from lar.errors import FileTooLarge, SendLater, SendRefused

_log = structlog.get_logger(__name__)

_PATIENCE = 1.5
_CAPTION_UNITS = 1024
NO_LINK_PREVIEW = {"is_disabled": True}
_PHOTOS = frozenset({"image/jpeg", "image/png", "image/webp"})


class Sending:
    """The way out. `files` is the folder that paths of outgoing files are relative to."""

    def __init__(self, api: Api, pacer: Pacer, health: Health, files: Path, sleep: Sleep) -> None:
        self._api = api
        self._pacer = pacer
        self._health = health
        self._files = files
        self._sleep = sleep
        self._moved: dict[str, str] = {}
        self._acknowledging: set[asyncio.Task[None]] = set()

    async def send(self, to: Address, part: Part) -> Receipt:
        """Send one part; see `Channel.send` for what it raises."""
        if part.answers_press:
            self._acknowledge(part.answers_press)
        if not (part.text or part.file or part.edit_of):
            return Receipt("")
        if part.file and units(part.text) > _CAPTION_UNITS:
            await self._paced(to, Part(part.text, part.entities))
            part = Part(buttons=part.buttons, file=part.file)
        return await self._paced(to, part)

    async def _paced(self, to: Address, part: Part) -> Receipt:
        path = self._path(part.file) if part.file else None
        wait = self._pacer.wait(to.chat)
        if wait > _PATIENCE:
            raise SendLater(wait, f"Telegram's limits ask for a pause of {wait:.1f} s in this chat")
        self._pacer.take(to.chat)
        if wait:
            await self._sleep(wait)
        return await self._first_accepted(to, part, path)

    async def _first_accepted(self, to: Address, part: Part, path: Path | None) -> Receipt:
        """Try the ways to say it, the best one first; only a refusal leads on to the next."""
        refusal = SendRefused("there is nothing to send")
        for way in _ways(part, path):
            try:
                return await self._attempt(to, part, way, path)
            except SendRefused as error:
                _log.warning("telegram.refused", method=way.method, formatted=way.formatted, reason=str(error))
                refusal = error
        raise refusal

    async def _attempt(self, to: Address, part: Part, way: "_Way", path: Path | None) -> Receipt:
        """Send one way; a group that moved to a new id is followed there."""
        target = {"chat_id": self._moved.get(to.chat, to.chat), "message_thread_id": to.thread or None}
        try:
            result = await self._call(way, target | _content(part, way), part.file, path)
        except ChatMigrated as moved:
            self._moved[to.chat] = moved.chat
            return await self._attempt(to, part, way, path)
        except TelegramError as error:
            if part.edit_of and is_unchanged(error):
                return Receipt(part.edit_of)
            if isinstance(error, Wait):
                self._pacer.refused(to.chat, error.seconds)
            if isinstance(error, InvalidToken):
                self._health.problem(TOKEN_REFUSED)
            raise meaning(error) from error
        return Receipt(part.edit_of or str(result["message_id"]))

    async def _call(self, way: "_Way", parameters: JsonObject, file: OutgoingFile | None, path: Path | None) -> Any:
        if file is None or path is None:
            return await self._api.call(way.method, parameters)
        with path.open("rb") as handle:
            upload = Upload(handle, file.name or path.name, file.mime)
            return await self._api.call(way.method, {**parameters, way.field: upload})

    def _path(self, file: OutgoingFile) -> Path:
        """Where the file is, inside the files folder.

        Raises:
            SendRefused: it is not there, or empty.
            FileTooLarge: Telegram would not take it.

        """
        path = (self._files / file.path).resolve()
        if not path.is_relative_to(self._files.resolve()) or not path.is_file():
            raise SendRefused(f"The file {file.name!r} is not there any more.")
        size = path.stat().st_size
        if size == 0:
            raise SendRefused(f"The file {file.name!r} is empty; Telegram does not send empty files.")
        if size > MAX_UPLOAD:
            raise FileTooLarge(
                f"The file {file.name!r} has {size / 1_000_000:.0f} MB; a Telegram bot can send at most 50 MB."
            )
        return path

    def _acknowledge(self, press_id: str) -> None:
        """Stop the pressed button's spinner, beside the answer, best effort."""
        task = asyncio.create_task(self._answer_press(press_id))
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _answer_press(self, press_id: str) -> None:
        try:
            await self._api.call("answerCallbackQuery", {"callback_query_id": press_id})
        except TelegramError as error:
            _log.debug("telegram.press_not_acknowledged", reason=str(error))


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to say a part: the method, the field its text goes into, the field its file goes into."""

    method: str
    text: str = "text"
    field: str = ""
    formatted: bool = True


def _ways(part: Part, path: Path | None) -> Iterator[_Way]:
    """How a part can be sent, the best way first: a photo or voice also as a document, formatted text also as plain."""
    if path and part.file:
        if part.file.voice:
            yield _Way("sendVoice", "caption", "voice")
        if part.file.mime in _PHOTOS and path.stat().st_size <= MAX_PHOTO:
            yield _Way("sendPhoto", "caption", "photo")
        way = _Way("sendDocument", "caption", "document")
    elif part.edit_of:
        way = _Way("editMessageText" if part.text else "editMessageReplyMarkup")
    else:
        way = _Way("sendMessage")
    yield way
    if part.entities:
        yield replace(way, formatted=False)


def _content(part: Part, way: _Way) -> dict[str, Any]:
    """What the method is told besides where to."""
    content: dict[str, Any] = {}
    if part.text:
        content[way.text] = part.text
        if way.formatted and part.entities:
            name = "entities" if way.text == "text" else "caption_entities"
            content[name] = [as_entity(entity) for entity in part.entities]
        if way.text == "text":
            content["link_preview_options"] = NO_LINK_PREVIEW
    if part.buttons:
        rows = [[{"text": button.label, "callback_data": button.data} for button in row] for row in part.buttons]
        content["reply_markup"] = {"inline_keyboard": rows}
    if part.edit_of:
        content["message_id"] = part.edit_of
    return content


def as_entity(entity: Entity) -> dict[str, Any]:
    """An entity as the Bot API writes it."""
    found: dict[str, Any] = {"type": entity.kind, "offset": entity.offset, "length": entity.length}
    if entity.url:
        found["url"] = entity.url
    if entity.language:
        found["language"] = entity.language
    return found
