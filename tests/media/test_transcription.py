"""Speech becomes text: by an API, by whisper-cli, by faster-whisper."""

import asyncio
import re
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from ground import Require
from lar.domain.ids import PrincipalId
from lar.domain.spend import NOBODY, Payer, Spent
from lar.errors import BudgetReached, MediaError
from lar.media import audio, programs, transcription
from lar.media.settings import MediaSettings, TranscriptionSettings
from lar.media.transcription import ApiTranscriber, FasterWhisper, Service, WhisperCli, choose
from lar.providers.groq.factory import GroqFactory
from lar.providers.models import Models
from lar.providers.settings import ProviderSettings
from lar.providers.till import Till
from lar.testing.meter import Book
from lar.testing.models import ModelSim
from media_samples import spoken

SETTINGS = TranscriptionSettings(timeout_seconds=20)
WORDS = "turn the heating down"
TURBO = "groq:whisper-large-v3-turbo"


@pytest.fixture
def note(tmp_path: Path, require: Require) -> Path:
    """A voice note, spoken by espeak-ng and packed by ffmpeg as Telegram does."""
    require("espeak-ng", "apt install espeak-ng")
    require("ffmpeg", "apt install ffmpeg")
    path = tmp_path / "note.oga"
    path.write_bytes(spoken(WORDS, tmp_path))
    return path


@pytest.fixture
async def sim() -> AsyncIterator[ModelSim]:
    """A provider."""
    async with ModelSim() as sim:
        yield sim


def hide(path: Path, words: bytes) -> None:
    """Put words behind a recording, where the simulator finds them."""
    path.write_bytes(path.read_bytes() + words)


def missing(_name: str) -> None:
    """No package is installed."""


def program(path: Path, text: str) -> str:
    """A program with this text in Python."""
    path.write_text(f"#!/usr/bin/env python3\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


# ---- by an API


async def test_by_an_api(sim: ModelSim, note: Path) -> None:
    """R-TG-8: a voice note goes to the API as it came, with its language."""
    service = Service("openai:whisper-1", sim.openai_url, ("sk-one",))
    await asyncio.to_thread(hide, note, b"SAY: turn it down \0")
    transcriber = ApiTranscriber(service, TranscriptionSettings(language="en"), "ffmpeg")
    assert await transcriber(note, NOBODY) == "turn it down"
    [entry] = sim.log
    assert (entry["body"]["model"], entry["body"]["language"], entry["body"]["file"]["filename"]) == (
        "whisper-1",
        "en",
        "note.oga",
    )


async def test_a_format_that_apis_do_not_know_is_converted(sim: ModelSim, note: Path) -> None:
    """R-TG-8: any other recording is converted before."""
    other = await asyncio.to_thread(note.rename, note.with_suffix(".opus"))
    service = Service("openai:whisper-1", sim.openai_url, ())
    told = await ApiTranscriber(service, SETTINGS, "ffmpeg")(other, NOBODY)
    assert told.startswith("transcript of ")
    assert sim.log[0]["body"]["file"]["filename"] == "recording.mp3"


class Server:
    """A service that answers as it is told, and remembers the keys it was shown."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.keys: list[str] = []
        self.waits: list[float] = []

    async def answer(self, request: web.Request) -> web.Response:
        """The next answer."""
        await request.read()
        self.keys.append(request.headers.get("Authorization", ""))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text)

    async def transcribed(self, note: Path, *keys: str, till: Till | None = None) -> str:
        """What comes of a note that is sent here."""
        app = web.Application()
        app.router.add_post("/v1/audio/transcriptions", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        service = Service(TURBO, f"http://127.0.0.1:{runner.addresses[0][1]}/v1/", keys)
        try:
            return await ApiTranscriber(service, SETTINGS, "ffmpeg", till, sleep)(note, NOBODY)
        finally:
            await runner.cleanup()


HEARD = (200, '{"text": " hello "}')


@pytest.mark.parametrize(
    ("answers", "keys", "used", "waits"),
    [
        ([HEARD], [], [""], []),
        ([(503, ""), (429, ""), HEARD], ["a"], ["a", "a", "a"], [1.0, 2.0]),
        ([(401, ""), HEARD], ["a", "b"], ["a", "b"], []),
        ([(429, ""), (500, ""), HEARD], ["a", "b"], ["a", "b", "b"], [2.0]),
    ],
)
async def test_trouble_that_passes(
    tmp_path: Path, answers: list[tuple[int, str]], keys: list[str], used: list[str], waits: list[float]
) -> None:
    """R-TG-8: a busy service is asked again, and the next key takes over where one is refused."""
    note, server = tmp_path / "a.ogg", Server(*answers)
    note.write_bytes(b"sound")
    assert await server.transcribed(note, *keys) == "hello"
    assert [key.removeprefix("Bearer ") for key in server.keys] == used
    assert server.waits == waits


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([(401, "")], "does not accept the key"),
        ([(400, "")], "does not take it"),
        ([(500, "")] * 3, "busy or out of order"),
        ([(200, "<html>")], "cannot be read"),
        ([(200, '{"words": []}')], "cannot be read"),
    ],
)
async def test_trouble_that_stays(tmp_path: Path, answers: list[tuple[int, str]], why: str) -> None:
    """R-TG-8: what the service does not do is explained, without the key."""
    note = tmp_path / "a.ogg"
    note.write_bytes(b"sound")
    with pytest.raises(MediaError, match=why) as caught:
        await Server(*answers).transcribed(note, "secret")
    assert "secret" not in str(caught.value)


async def test_nobody_listens(tmp_path: Path) -> None:
    """R-TG-8: a service that cannot be reached is explained."""
    note = tmp_path / "a.ogg"
    note.write_bytes(b"sound")

    async def sleep(_seconds: float) -> None:
        """Not."""

    with pytest.raises(MediaError, match="cannot be reached"):
        await ApiTranscriber(Service("x:y", "http://127.0.0.1:9", ("k",)), SETTINGS, "ffmpeg", sleep=sleep)(
            note, NOBODY
        )


# ---- what it costs


@pytest.fixture
def book() -> Book:
    """It."""
    return Book()


def counted(book: Book, url: str) -> tuple[dict[str, ProviderSettings], Till]:
    """A provider whose calls are counted."""
    settings = ProviderSettings(kind="groq", base_url=url, api_key=SecretStr("k"))
    return {"groq": settings}, Till(Models({"groq": GroqFactory("groq", settings)}, meter=book))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A recording, as far as a simulator cares."""
    path = tmp_path / "a.ogg"
    path.write_bytes(b"sound" * 1000)
    return path


async def test_a_transcription_is_paid_for(sim: ModelSim, book: Book, tmp_path: Path, sound: Path) -> None:
    """R-LM-5: a recording is reserved and settled on the account of whoever sent it, by the length the API tells."""
    providers, till = counted(book, sim.openai_url)
    transcriber = choose(MediaSettings(), providers, tmp_path, TURBO, till)
    assert isinstance(transcriber, ApiTranscriber)
    ann = Payer(PrincipalId(7), "main")
    assert await transcriber(sound, ann)
    [(payer, model, most)] = book.held
    assert (payer, model, most.usd > 0) == (ann, TURBO, True)
    assert [(spent.usd > 0, spent.estimated) for spent in book.spent] == [(True, False)]
    assert sim.log[0]["body"]["response_format"] == "verbose_json"
    book.open = False
    with pytest.raises(BudgetReached):
        await transcriber(sound, ann)
    assert len(sim.log) == 1


@pytest.mark.parametrize(
    ("status", "answer", "usd"),
    [(401, "", 0.0), (400, "", 0.0), (200, "<html>", 5000 / 600 * 0.04 / 3600), (200, '{"text": "hm"}', 0.0001)],
)
async def test_what_a_recording_cost(book: Book, sound: Path, status: int, answer: str, usd: float) -> None:
    """R-LM-5: a refused recording costs nothing; where nobody tells its length it is paid for in full, as estimated."""
    server = Server((status, answer))
    with suppress(MediaError):
        await server.transcribed(sound, "k", till=counted(book, "http://127.0.0.1/v1")[1])
    [spent] = book.spent
    assert spent.usd == pytest.approx(usd, abs=0.00005)
    assert spent.estimated is (usd > 0)


async def test_what_nobody_heard_costs_nothing(book: Book, sound: Path) -> None:
    """R-LM-5: a service that cannot be reached was sent nothing."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    service = Service(TURBO, "http://127.0.0.1:9", ("k",))
    till = counted(book, service.base_url)[1]
    with pytest.raises(MediaError, match="cannot be reached"):
        await ApiTranscriber(service, SETTINGS, "ffmpeg", till, sleep)(sound, NOBODY)
    assert book.spent == [Spent()] * len(waits)


# ---- by a program

WHISPER = """
import sys, wave
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with wave.open(given["-f"]) as sound:
    assert (sound.getnchannels(), sound.getframerate()) == (1, 16000), "not what whisper.cpp takes"
    seconds = sound.getnframes() / 16000
open(sys.argv[sys.argv.index("-of") + 1] + ".txt", "w").write(f" heard {seconds > 0.5}\\n in {given['-l']}\\n")
"""


async def test_by_whisper_cli(tmp_path: Path, note: Path) -> None:
    """R-TG-8: whisper-cli gets what ffmpeg made of the note, 16 kHz and one channel, and its lines become the text."""
    settings = TranscriptionSettings(whisper_cli_model=str(note))
    whisper = WhisperCli(program(tmp_path / "whisper-cli", WHISPER), settings, "ffmpeg")
    assert await whisper(note, NOBODY) == "heard True in auto"
    failing = WhisperCli(program(tmp_path / "broken", "raise SystemExit('no such model')"), settings, "ffmpeg")
    with pytest.raises(MediaError, match=r"whisper-cli failed \(no such model\)"):
        await failing(note, NOBODY)


async def test_a_slow_program_is_stopped(tmp_path: Path, note: Path) -> None:
    """R-TG-8: a program that does not end is ended, with what it started."""
    slow = program(tmp_path / "slow", "import subprocess; subprocess.run(['sleep', '600'])")
    settings = TranscriptionSettings(timeout_seconds=0.5)
    with pytest.raises(MediaError, match=r"longer than 0.5 seconds"):
        await WhisperCli(slow, settings, "ffmpeg")(note, NOBODY)


async def test_by_faster_whisper(tmp_path: Path, note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-TG-8: faster-whisper runs in a process of its own, with its models below the home folder."""
    stub = tmp_path / "whisper_stub.py"
    stub.write_text("import os, sys; print(sys.argv[2], sys.argv[4], os.environ['HF_HOME'])")
    monkeypatch.setattr(transcription, "_PROGRAM", stub)
    heard = await FasterWhisper(TranscriptionSettings(language="es"), tmp_path / "models")(note, NOBODY)
    assert heard == f"small es {tmp_path / 'models'}"
    stub.write_text("raise SystemExit('no such model')")
    with pytest.raises(MediaError, match="no such model"):
        await FasterWhisper(SETTINGS, tmp_path)(note, NOBODY)
    stub.write_text("raise SystemExit(3)")
    with pytest.raises(MediaError, match="it said nothing"):
        await FasterWhisper(SETTINGS, tmp_path)(note, NOBODY)


async def test_a_recording_that_is_none(tmp_path: Path, require: Require) -> None:
    """R-LM-4: what ffmpeg cannot read, and a playlist that names other files of this machine, are refused."""
    require("ffmpeg", "apt install ffmpeg")
    (tmp_path / "secret.wav").write_bytes(b"RIFF")
    for content in (b"no sound", b"#EXTM3U\n#EXTINF:1,\nsecret.wav\n", b"ffconcat version 1.0\nfile secret.wav\n"):
        source = tmp_path / "a.ogg"
        source.write_bytes(content)
        with pytest.raises(MediaError, match="damaged"):
            await audio.convert("ffmpeg", source, tmp_path / "b.wav")
    with pytest.raises(MediaError, match="apt install ffmpeg"):
        await audio.convert("no-ffmpeg", source, tmp_path / "b.wav")


async def test_a_program_that_cannot_start(tmp_path: Path) -> None:
    """What is no program is explained."""
    with pytest.raises(MediaError, match="cannot be started"):
        await programs.run([str(tmp_path)], 1)


# ---- which


def provider(base_url: str = "") -> ProviderSettings:
    """A provider with a key."""
    return ProviderSettings(api_key=SecretStr("k"), base_url=base_url)


HOME = ProviderSettings(base_url="http://pi/v1")
GROQ = {"openai": provider(), "groq": ProviderSettings(kind="groq", api_key=SecretStr("k"))}


@pytest.mark.parametrize(
    ("backend", "providers", "model", "address"),
    [
        ("auto", {"openai": provider()}, "openai:gpt-4o-mini-transcribe", "https://api.openai.com/v1"),
        ("auto", GROQ, TURBO, "https://api.groq.com/openai/v1"),
        ("auto", GROQ, "openai:whisper-1", "https://api.openai.com/v1"),
        ("api", {"home": HOME}, "home:whisper", "http://pi/v1"),
    ],
)
def test_the_api_is_chosen(
    tmp_path: Path, backend: Any, providers: Mapping[str, ProviderSettings], model: str, address: str
) -> None:
    """R-TG-8: what `models.transcription` names is asked, at its provider's own address."""
    media = MediaSettings(transcription=TranscriptionSettings(backend=backend))
    found = choose(media, providers, tmp_path, model)
    assert isinstance(found, ApiTranscriber)
    assert (found.name, found.address) == (model, address)


@pytest.mark.parametrize(
    ("settings", "model", "why"),
    [
        ({"backend": "off"}, "", "switched off"),
        ({}, "", "nothing transcribes here: set GROQ_API_KEY"),
        ({"backend": "api"}, "", "no provider with a key"),
        ({"backend": "api"}, "nobody:x", "no such provider"),
        ({"backend": "api"}, "google:gemini-3-flash-preview", "google has no API for it"),
        ({"backend": "faster-whisper"}, "", "pip install 'lar\\[voice\\]'"),
        ({"backend": "whisper-cli", "whisper_cli": "not-there"}, "", "no program not-there"),
        ({"backend": "whisper-cli", "whisper_cli": "sh"}, "", "no model file"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, settings: Mapping[str, Any], model: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-TG-8: where nothing transcribes, a sentence says what would."""
    monkeypatch.setattr(transcription.importlib.util, "find_spec", missing)
    providers = {"google": ProviderSettings(kind="google", api_key=SecretStr("k"))}
    found = choose(MediaSettings(transcription=TranscriptionSettings(**settings)), providers, tmp_path, model)
    assert isinstance(found, str)

    assert re.search(why, found)


def test_programs_are_chosen_where_no_api_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-TG-8: a key's API comes first; without one faster-whisper, then whisper-cli; what is named wins over all."""
    file = tmp_path / "ggml.bin"
    file.write_bytes(b"weights")
    wanted = TranscriptionSettings(whisper_cli="sh", whisper_cli_model=str(file))
    media = MediaSettings(transcription=wanted, ffmpeg="sh")
    monkeypatch.setattr(transcription.importlib.util, "find_spec", missing)
    assert isinstance(choose(media, GROQ, tmp_path, ""), WhisperCli)
    no_ffmpeg = replace_backend(media, "whisper-cli").model_copy(update={"ffmpeg": "not-there"})
    assert choose(no_ffmpeg, GROQ, tmp_path, TURBO) == "ffmpeg is not installed (apt install ffmpeg)"
    monkeypatch.setattr(transcription.importlib.util, "find_spec", str)
    assert isinstance(choose(media, GROQ, tmp_path, ""), FasterWhisper)
    assert isinstance(choose(media, GROQ, tmp_path, TURBO), ApiTranscriber)
    assert isinstance(choose(replace_backend(media, "faster-whisper"), GROQ, tmp_path, TURBO), FasterWhisper)


def replace_backend(media: MediaSettings, backend: str) -> MediaSettings:
    """The same with one backend."""
    return media.model_copy(update={"transcription": media.transcription.model_copy(update={"backend": backend})})


def test_a_service_knows_its_model() -> None:
    """The reference names provider and model."""
    service = Service("groq:whisper-large", "", ())
    assert replace(service, reference="a:b:c").model == "b:c"
