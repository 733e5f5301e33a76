"""What becomes of a file that a person sent: what a model sees of it, and what everybody reads about it."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lar.domain.artifact import Artifact
from lar.domain.bytesize import format_bytes
from lar.domain.inbound import Attachment, AttachmentKind
from lar.domain.spend import NOBODY, Payer
from lar.errors import BudgetReached, MediaError, MediaKind
from lar.media import audio, documents, images
from lar.media.settings import MediaSettings
from lar.media.transcription import Transcriber, choose
from lar.providers.contract import Input
from lar.providers.settings import ProviderSettings
from lar.providers.till import Till
from lar.tools.artifacts import mime_type

SPOKEN = frozenset({AttachmentKind.VOICE, AttachmentKind.AUDIO})
"""What is listened to, and needs no words beside it."""

_HEAD = 1024
_TO_MODELS = frozenset({"audio/wav", "audio/mpeg"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file gives.

    `said` is what was spoken in it; `text` the beginning of a document's text; `note` what the model is told about it;
    `shown` is for the model to look at or listen to. `problem` says why there is less than that, and `detail` how much
    or what. `source` is set where it is content from outside.
    """

    said: str = ""
    text: str = ""
    note: str = ""
    shown: Artifact | None = None
    problem: MediaKind | None = None
    detail: str = ""
    source: str = ""

    def plain(self) -> dict[str, Any]:
        """The same as JSON."""
        return {name: value for name, value in asdict(self).items() if value}


def read_seen(plain: Mapping[str, Any]) -> Seen:
    """Read what `Seen.plain` wrote."""
    shown: Mapping[str, Any] | None = plain.get("shown")
    rest = {name: value for name, value in plain.items() if name != "shown"}
    return Seen(shown=Artifact(**shown) if shown else None, **rest)


class Intake:
    """Looks at files. `files` is `LAR_HOME/files`; `transcriber` may be a sentence saying why there is none."""

    def __init__(self, files: Path, settings: MediaSettings, transcriber: Transcriber | str) -> None:
        self._files = files
        self._settings = settings
        self._transcriber = transcriber

    @property
    def most(self) -> int:
        """How many images and documents of one turn are looked at."""
        return self._settings.max_items

    @property
    def patience(self) -> float:
        """Seconds after which people are told that it takes longer; 0: never."""
        return self._settings.transcription.notice_seconds

    def too_many(self) -> Seen:
        """What is said of one file more than that."""
        most = self._settings.max_items
        note = f"not shown to you: at most {most} files of one turn are; look at it with `read_file` if you need it"
        return Seen(note=note, problem="too_many", detail=str(most))

    async def look(self, sent: Attachment, takes: frozenset[Input], payer: Payer = NOBODY) -> Seen:
        """Look at a fetched file, for a model that takes these kinds. Whatever is wrong with it is told, not raised."""
        path = self._files / sent.path
        try:
            head = await asyncio.to_thread(_head, path)
            if sent.kind in SPOKEN or _is_audio(head, sent.name):
                return await self._listen(sent, path, takes, payer)
            seen = await self._see(sent, path, head, takes)
            source = f"file that was sent: {sent.saved or sent.name}" if seen.shown or seen.text else ""
            return replace(seen, source=source)
        except MediaError as error:
            return Seen(note=f"not shown to you: {error}", problem=error.kind, detail=str(error))
        except BudgetReached as error:
            return Seen(note=f"not shown to you: {error}", problem="budget", detail=str(error))
        except OSError as error:
            return Seen(note=f"not shown to you: {error.strerror}", problem="missing", detail=str(error.strerror))

    async def _see(self, sent: Attachment, path: Path, head: bytes, takes: frozenset[Input]) -> Seen:
        if sent.kind is AttachmentKind.VIDEO:
            raise MediaError("unsupported", "videos are not watched here")
        if images.is_image(head[:32]) or sent.kind in {AttachmentKind.PHOTO, AttachmentKind.STICKER}:
            return await self._image(sent, path, takes)
        return await self._document(sent, path, head, takes)

    # ---- images

    async def _image(self, sent: Attachment, path: Path, takes: frozenset[Input]) -> Seen:
        settings = self._settings
        with await asyncio.to_thread(path.open, "rb") as file:
            fitted = await images.fit(file, settings.max_image_side, settings.max_image_bytes)
        size = f"{fitted.width} x {fitted.height} pixels"
        if "image" not in takes:
            return Seen(note=f"{size}; you cannot look at images, a model that takes them could")
        if not fitted.data:
            whole = await asyncio.to_thread(path.stat)
            return Seen(note=f"{size}, shown to you", shown=Artifact(sent.path, sent.name, fitted.mime, whole.st_size))
        made = Path(sent.path).with_name(f"shown.{fitted.mime.rpartition('/')[2]}")
        await asyncio.to_thread((self._files / made).write_bytes, fitted.data)
        scaled = max(fitted.shown_width, fitted.shown_height) < max(fitted.width, fitted.height)
        smaller = f", shown to you at {fitted.shown_width} x {fitted.shown_height}" if scaled else ", shown to you"
        return Seen(note=size + smaller, shown=Artifact(str(made), sent.name, fitted.mime, len(fitted.data)))

    # ---- audio

    async def _listen(self, sent: Attachment, path: Path, takes: frozenset[Input], payer: Payer) -> Seen:
        most = self._settings.max_audio_bytes
        size = (await asyncio.to_thread(path.stat)).st_size
        if size > most:
            raise MediaError("too_large", f"it is larger than {format_bytes(most)}, the most that is listened to")
        native = "audio" in takes and self._settings.audio != "transcribe"
        if native and (self._settings.audio == "native" or isinstance(self._transcriber, str)):
            return await self._sound(sent, path)
        if isinstance(self._transcriber, str):
            raise MediaError("unheard", self._transcriber)
        said = await self._transcriber(path, payer)
        if not said:
            raise MediaError("unheard", "nothing that is said in it could be made out")
        return Seen(said=said)

    async def _sound(self, sent: Attachment, path: Path) -> Seen:
        """The sound itself, in a format that models take."""
        mime = mime_type(await asyncio.to_thread(_head, path), sent.name)
        if mime in _TO_MODELS:
            size = (await asyncio.to_thread(path.stat)).st_size
            return Seen(note="you hear it", shown=Artifact(sent.path, sent.name, mime, size))
        made = Path(sent.path).with_name("heard.mp3")
        await audio.convert(self._settings.ffmpeg, path, self._files / made, rate=24_000)
        size = (await asyncio.to_thread((self._files / made).stat)).st_size
        return Seen(note="you hear it", shown=Artifact(str(made), sent.name, "audio/mpeg", size))

    # ---- documents

    async def _document(self, sent: Attachment, path: Path, head: bytes, takes: frozenset[Input]) -> Seen:
        settings = self._settings
        size = (await asyncio.to_thread(path.stat)).st_size
        if size > settings.max_document_bytes:
            most = format_bytes(settings.max_document_bytes)
            raise MediaError("too_large", f"it is larger than {most}, the most that is read")
        if head.startswith(b"%PDF-") and "document" in takes and settings.documents == "auto":
            return Seen(note="shown to you", shown=Artifact(sent.path, sent.name, documents.PDF, size))
        with await asyncio.to_thread(path.open, "rb") as file:
            text = await documents.text(file, sent.name)
        most = settings.document_chars
        if len(text) <= most:
            return Seen(text=text, note="its text is below")
        rest = f"its text has {len(text)} characters, the first {most} are below"
        return Seen(text=text[:most], note=f"{rest}; `read_file` gives all of it, page by page")


def intake(
    settings: MediaSettings, providers: Mapping[str, ProviderSettings], home: Path, model: str, till: Till
) -> Intake:
    """The intake of a Lar with this home folder and these providers; for `model` and `till` see `choose`."""
    return Intake(home / "files", settings, choose(settings, providers, home, model, till))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _is_audio(head: bytes, name: str) -> bool:
    return mime_type(head[:16], name).startswith("audio/")
