"""Speech becomes text: by a program of this machine, or by a provider's API."""

import asyncio
import importlib.util
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import aiohttp
import structlog

from lar.domain.spend import Payer
from lar.errors import MediaError
from lar.media import audio, programs
from lar.media.settings import MediaSettings, TranscriptionSettings
from lar.providers.settings import ProviderKind, ProviderSettings
from lar.providers.till import Receipt, Till

log = structlog.get_logger(__name__)

OPENAI = "https://api.openai.com/v1"

_TRANSCRIBE: frozenset[ProviderKind] = frozenset({"openai", "openai_responses", "groq"})
_KNOWN_TO_APIS = frozenset({".flac", ".m4a", ".mp3", ".mp4", ".mpeg", ".mpga", ".oga", ".ogg", ".wav", ".webm"})
_PROGRAM = Path(__file__).with_name("whisper_program.py")
_TRIES = 3
_OK = 200
_LEAST_BYTES = 600
"""Bytes of a second of sound: no speech is packed smaller, so that a recording is no longer than this says."""
_BUSY, _REFUSED = frozenset({408, 429, 500, 502, 503, 504}), frozenset({401, 402, 403})


class Transcriber(Protocol):
    """Makes text of speech."""

    name: str
    """What does it, for people."""

    async def __call__(self, recording: Path, payer: Payer, /) -> str:
        """What is said in a recording; empty if nothing is. Where that costs money, the payer pays.

        Raises:
            MediaError: it cannot be told; the text says why.
            BudgetReached: it may not be paid for.

        """
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """A provider whose API transcribes. `tells`: it is to be asked how long a recording is, else it does not say."""

    reference: str
    base_url: str
    keys: tuple[str, ...]
    tells: bool = False

    @property
    def model(self) -> str:
        """The model's name."""
        return self.reference.partition(":")[2]


class ApiTranscriber:
    """`POST /audio/transcriptions`, as OpenAI, Groq and many servers at home speak it. `till` None: nobody counts."""

    def __init__(
        self,
        service: Service,
        settings: TranscriptionSettings,
        ffmpeg: str,
        till: Till | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._till = till
        self.name = service.reference
        self._service = service
        self._settings = settings
        self._ffmpeg = ffmpeg
        self._sleep = sleep

    @property
    def address(self) -> str:
        """Where recordings are sent."""
        return self._service.base_url

    async def __call__(self, recording: Path, payer: Payer, /) -> str:
        """See `Transcriber`."""
        if recording.suffix.lower() in _KNOWN_TO_APIS:
            return await self._send(recording, payer)
        with tempfile.TemporaryDirectory(prefix="lar-audio-") as folder:
            known = Path(folder) / "recording.mp3"
            await audio.convert(self._ffmpeg, recording, known)
            return await self._send(known, payer)

    async def _send(self, recording: Path, payer: Payer) -> str:
        data = await asyncio.to_thread(recording.read_bytes)
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_seconds)
        keys = list(self._service.keys) or [""]
        problem = ""
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for attempt in range(_TRIES + len(keys) - 1):
                status, answer = await self._paid(session, data, recording.name, keys[0], payer)
                if status == _OK:
                    return _text(answer)
                problem = _problem(self.name, status)
                log.warning("transcription failed", service=self.name, status=status, attempt=attempt + 1)
                if len(keys) > 1 and (status in _REFUSED or status in _BUSY):
                    keys.pop(0)
                elif status and status not in _BUSY:
                    break
                else:
                    await self._sleep(2.0**attempt)
        raise MediaError("unheard", problem)

    async def _paid(
        self, session: aiohttp.ClientSession, data: bytes, name: str, key: str, payer: Payer
    ) -> tuple[int, str]:
        """Send it once, on the payer's account; status 0 where nothing came back."""
        longest = len(data) / _LEAST_BYTES
        async with self._till.recording(payer, self.name, longest) if self._till else nullcontext(Receipt()) as receipt:
            try:
                status, answer = await self._post(session, data, name, key)
            except (aiohttp.ClientError, TimeoutError) as error:
                receipt.refused = isinstance(error, aiohttp.ClientConnectorError)
                return 0, type(error).__name__
            receipt.refused = status != _OK
            if status == _OK:
                receipt.told = _read(answer)
            return status, answer

    async def _post(self, session: aiohttp.ClientSession, data: bytes, name: str, key: str) -> tuple[int, str]:
        form = aiohttp.FormData()
        form.add_field("model", self._service.model)
        form.add_field("response_format", "verbose_json" if self._service.tells else "json")
        if self._settings.language:
            form.add_field("language", self._settings.language)
        form.add_field("file", data, filename=name)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"{self._service.base_url.rstrip('/')}/audio/transcriptions"
        async with session.post(url, data=form, headers=headers) as answer:
            return answer.status, await answer.text(errors="replace")


def _read(answer: str) -> Mapping[str, object]:
    """An answer's fields; none where it cannot be read."""
    try:
        found: object = json.loads(answer)
    except ValueError:
        return {}
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}


def _text(answer: str) -> str:
    text = _read(answer).get("text")
    if not isinstance(text, str):
        raise MediaError("unheard", "the answer of the transcription service cannot be read")
    return text.strip()


def _problem(name: str, status: int) -> str:
    if status in _REFUSED:
        return f"{name} does not accept the key or wants to be paid"
    if not status:
        return f"{name} cannot be reached"
    return f"{name} is busy or out of order" if status in _BUSY else f"{name} does not take it (HTTP {status})"


class WhisperCli:
    """whisper.cpp: `whisper-cli`, with ffmpeg before it."""

    name = "whisper-cli"

    def __init__(self, program: str, settings: TranscriptionSettings, ffmpeg: str) -> None:
        self._program = program
        self._model = str(Path(settings.whisper_cli_model).expanduser())
        self._settings = settings
        self._ffmpeg = ffmpeg

    async def __call__(self, recording: Path, _payer: Payer, /) -> str:
        """See `Transcriber`."""
        settings = self._settings
        with tempfile.TemporaryDirectory(prefix="lar-audio-") as folder:
            wave, written = Path(folder) / "recording.wav", Path(folder) / "said"
            await audio.convert(self._ffmpeg, recording, wave)
            options = ("-l", settings.language or "auto", "-nt", "-np", "-otxt", "-of", str(written))
            argv = [self._program, "-m", self._model, "-f", str(wave), *options]
            ran = await programs.run(argv, settings.timeout_seconds)
            said = written.with_suffix(".txt")
            if ran.status or not said.exists():
                log.warning("whisper-cli failed", status=ran.status, errors=ran.errors[-500:])
                raise MediaError("unheard", f"whisper-cli failed ({programs.last_line(ran.errors)})")
            lines = (line.strip() for line in said.read_text(encoding="utf-8", errors="replace").splitlines())
            return " ".join(filter(None, lines))


class FasterWhisper:
    """faster-whisper, in a process that gives its memory back. `models` is where it keeps what it downloads."""

    name = "faster-whisper"

    def __init__(self, settings: TranscriptionSettings, models: Path) -> None:
        self._settings = settings
        self._models = models

    async def __call__(self, recording: Path, _payer: Payer, /) -> str:
        """See `Transcriber`."""
        settings = self._settings
        argv = [sys.executable, "-I", str(_PROGRAM), str(recording), settings.whisper_model, str(self._models)]
        environment = {"HOME": str(self._models), "HF_HOME": str(self._models)}
        ran = await programs.run([*argv, settings.language], settings.timeout_seconds, environment=environment)
        if ran.status:
            log.warning("faster-whisper failed", status=ran.status, errors=ran.errors[-500:])
            raise MediaError("unheard", f"faster-whisper failed ({programs.last_line(ran.errors)})")
        return ran.output.decode("utf-8", "replace").strip()


def choose(
    settings: MediaSettings,
    providers: Mapping[str, ProviderSettings],
    home: Path,
    model: str,
    till: Till | None = None,
) -> Transcriber | str:
    """What transcribes here, or a sentence saying what is missing. `model` is `models.transcription`.

    `till` counts what an API costs.
    """
    wanted = settings.transcription
    if wanted.backend == "off":
        return "transcription is switched off (media.transcription.backend)"
    for backend in ("api", "faster-whisper", "whisper-cli") if wanted.backend == "auto" else (wanted.backend,):
        match backend:
            case "faster-whisper":
                found = _faster_whisper(wanted, home)
            case "whisper-cli":
                found = _whisper_cli(wanted, settings.ffmpeg)
            case _:
                found = _api(settings, providers, model, till)
        if not isinstance(found, str) or wanted.backend != "auto":
            return found
    return (
        "nothing transcribes here: set GROQ_API_KEY or OPENAI_API_KEY, or install faster-whisper "
        "(pip install 'lar[voice]') or whisper-cli with media.transcription.whisper_cli_model"
    )


def _faster_whisper(settings: TranscriptionSettings, home: Path) -> Transcriber | str:
    if importlib.util.find_spec("faster_whisper") is None:
        return "faster-whisper is not installed (pip install 'lar[voice]')"
    return FasterWhisper(settings, home / "models")


def _whisper_cli(settings: TranscriptionSettings, ffmpeg: str) -> Transcriber | str:
    program = programs.find(settings.whisper_cli)
    if program is None:
        return f"there is no program {settings.whisper_cli} (media.transcription.whisper_cli)"
    model = settings.whisper_cli_model
    if not model or not Path(model).expanduser().is_file():
        return f"there is no model file {model!r} for whisper-cli (media.transcription.whisper_cli_model)"
    if audio.ffmpeg(ffmpeg) is None:
        return "ffmpeg is not installed (apt install ffmpeg)"
    return WhisperCli(program, settings, ffmpeg)


def _api(
    settings: MediaSettings, providers: Mapping[str, ProviderSettings], reference: str, till: Till | None
) -> Transcriber | str:
    name, _, model = reference.partition(":")
    provider = providers.get(name)
    if not reference:
        return "no provider with a key transcribes (GROQ_API_KEY, OPENAI_API_KEY)"
    if provider is None or not model:
        return f"models.transcription names {reference!r}, and there is no such provider"
    if provider.kind not in _TRANSCRIBE:
        return f"models.transcription names {reference!r}, and {name} has no API for it"
    service = Service(reference, provider.address or OPENAI, provider.keys, tells=provider.kind == "groq")
    return ApiTranscriber(service, settings.transcription, settings.ffmpeg, till)
