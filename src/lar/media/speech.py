"""Text becomes speech: by a program of this machine, or by a provider's API; a recording as chats play it."""

import asyncio
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

import aiohttp
import structlog
from markdown_it import MarkdownIt
from markdown_it.token import Token

from lar.domain.spend import Payer
from lar.errors import MediaError
from lar.media import audio, programs
from lar.media.settings import MediaSettings, SpeechSettings
from lar.media.transcription import OPENAI, Service
from lar.providers.settings import ProviderSettings
from lar.providers.till import Receipt, Till

log = structlog.get_logger(__name__)

DEFAULTS = {"openai": "gpt-4o-mini-tts"}
"""Models of the providers whose API speaks, in the order they are taken."""

USUAL_VOICE = "alloy"
"""The voice that every server which speaks OpenAI's API knows."""

MIME = "audio/ogg"

_RATE, _CODEC = 48_000, "libopus"
_OK = 200
_ADDRESS = re.compile(r"\bhttps?://\S+")
_SAYABLE = re.compile(r"\w")
_END = re.compile(r"[.!?…:](?=\s)|\n")
_SPOKEN = frozenset({"text", "code_inline", "text_special"})


class Speaker(Protocol):
    """Speaks."""

    name: str
    """What does it, for people."""

    async def __call__(self, text: str, target: Path, language: str, payer: Payer, /) -> None:
        """Write a recording of this text, in this language unless a voice is set, to a file: Ogg with Opus.

        Raises:
            MediaError: it cannot be spoken; the text says why.
            BudgetReached: a cap does not allow it.

        """
        ...


class Espeak:
    """espeak-ng, with ffmpeg behind it."""

    name = "espeak-ng"

    def __init__(self, program: str, settings: SpeechSettings, ffmpeg: str) -> None:
        self._program = program
        self._settings = settings
        self._ffmpeg = ffmpeg

    async def __call__(self, text: str, target: Path, language: str, _payer: Payer, /) -> None:
        """See `Speaker`."""
        settings = self._settings
        with tempfile.TemporaryDirectory(prefix="lar-speech-") as folder, tempfile.TemporaryFile() as words:
            words.write(text.encode())
            words.flush()
            wave = Path(folder) / "spoken.wav"
            argv = [self._program, "-b", "1", "-v", settings.voice or language or "en", "--stdin", "-w", str(wave)]
            ran = await programs.run(argv, settings.timeout_seconds, source=words)
            if ran.status or not wave.exists():
                log.warning("espeak-ng failed", status=ran.status, errors=ran.errors[-500:])
                raise MediaError("failed", f"espeak-ng failed ({programs.last_line(ran.errors)})")
            await audio.convert(self._ffmpeg, wave, target, rate=_RATE, codec=_CODEC)


class ApiSpeaker:
    """`POST /audio/speech`, as OpenAI and many servers at home speak it; its keys are tried one after the other."""

    def __init__(self, service: Service, settings: SpeechSettings, ffmpeg: str, till: Till | None = None) -> None:
        self.name = service.reference
        self._service = service
        self._settings = settings
        self._ffmpeg = ffmpeg
        self._till = till

    async def __call__(self, text: str, target: Path, _language: str, payer: Payer, /) -> None:
        """See `Speaker`."""
        for key in self._service.keys or ("",):
            sound = await self._paid(text, key, payer)
            if sound is not None:
                break
        else:
            raise MediaError("failed", f"{self.name} does not speak now")
        with tempfile.TemporaryDirectory(prefix="lar-speech-") as folder:
            wave = Path(folder) / "spoken.wav"
            await asyncio.to_thread(wave.write_bytes, sound)
            await audio.convert(self._ffmpeg, wave, target, rate=_RATE, codec=_CODEC)

    async def _paid(self, text: str, key: str, payer: Payer) -> bytes | None:
        """The sound, on the payer's account; None where the server refuses."""
        paid = self._till.speech(payer, self.name, len(text)) if self._till else nullcontext(Receipt())
        async with paid as receipt:
            sound = await self._post(text, key)
            receipt.refused = sound is None
            return sound

    async def _post(self, text: str, key: str) -> bytes | None:
        """The sound; None where the server refuses."""
        body = {
            "model": self._service.model,
            "input": text,
            "voice": self._settings.voice or USUAL_VOICE,
            "response_format": "wav",
        }
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"{self._service.base_url.rstrip('/')}/audio/speech"
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, json=body, headers=headers) as answer,
            ):
                if answer.status == _OK:
                    return await answer.read()
                log.warning("speech was refused", service=self.name, status=answer.status)
                return None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise MediaError("failed", f"{self.name} cannot be reached ({type(error).__name__})") from error


def choose(
    settings: MediaSettings, model: str, providers: Mapping[str, ProviderSettings], till: Till | None = None
) -> Speaker | str:
    """What speaks here; or a sentence saying what is missing.

    `model` is `provider:model` of the API, empty for a usual one; `till` counts what an API costs.
    """
    wanted = settings.speech
    if wanted.backend == "off":
        return "speech is switched off (media.speech.backend)"
    if audio.ffmpeg(settings.ffmpeg) is None:
        return "ffmpeg is not installed (apt install ffmpeg)"
    program = programs.find(wanted.espeak)
    if wanted.backend != "api" and program is not None:
        return Espeak(program, wanted, settings.ffmpeg)
    service = service_of(model, providers)
    if wanted.backend == "espeak-ng" or (wanted.backend == "auto" and isinstance(service, str) and not model):
        return f"there is no program {wanted.espeak} (apt install espeak-ng)"
    return service if isinstance(service, str) else ApiSpeaker(service, wanted, settings.ffmpeg, till)


def service_of(model: str, providers: Mapping[str, ProviderSettings]) -> Service | str:
    """The API that speaks, or why there is none."""
    usual = (f"{name}:{named}" for name, named in DEFAULTS.items() if name in providers and providers[name].keys)
    reference = model or next(usual, "")
    provider = providers.get(reference.partition(":")[0])
    if provider is None:
        return "no provider with a key speaks (OPENAI_API_KEY, or models.speech)"
    return Service(reference, provider.base_url or OPENAI, provider.keys)


def sayable(markdown: str, most: int) -> str:
    """What a voice says of Markdown: its words, without code, addresses and drawings. At most so many characters."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    lines = [_ADDRESS.sub("", "".join(_words(token))).strip() for token in tokens if token.type == "inline"]
    said = "\n".join(line for line in lines if _SAYABLE.search(line))
    if len(said) <= most:
        return said
    ends = [found.end() for found in _END.finditer(said, 0, most)]
    return said[: ends[-1] if ends else said.rfind(" ", 0, most) if " " in said[:most] else most].rstrip()


def _words(inline: Token) -> Iterator[str]:
    for child in inline.children or ():
        if child.type in _SPOKEN:
            yield child.content
        elif child.type in {"softbreak", "hardbreak"}:
            yield " "
