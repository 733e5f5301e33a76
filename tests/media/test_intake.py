"""What becomes of a file that a person sent."""

import asyncio
from pathlib import Path

import pytest

from ground import Require
from lar.domain.artifact import Artifact
from lar.domain.inbound import Attachment, AttachmentKind
from lar.domain.spend import Payer
from lar.errors import BudgetReached, MediaError
from lar.media.intake import Intake, Seen, read_seen
from lar.media.settings import MediaSettings
from lar.providers.contract import Input
from lar.testing.models.samples import wav_bytes
from media_samples import pdf, picture, spoken

ALL: frozenset[Input] = frozenset({"image", "audio", "document"})
NOTHING = frozenset[Input]()


class Ear:
    """Hears what it is told to hear."""

    name = "ear"

    def __init__(self, said: str = "hello") -> None:
        self.said = said

    async def __call__(self, recording: Path, _payer: Payer, /) -> str:
        """Listen."""
        assert await asyncio.to_thread(recording.is_file)
        return self.said


async def looked(
    tmp_path: Path,
    data: bytes | None,
    name: str,
    kind: AttachmentKind = AttachmentKind.DOCUMENT,
    model: frozenset[Input] = ALL,
    *,
    ear: Ear | str = "nobody listens",
    settings: MediaSettings = MediaSettings(),  # noqa: B008  # frozen
) -> Seen:
    """What a file gives to a model."""
    path = tmp_path / "inbox" / "1-0" / name
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    if data is not None:
        await asyncio.to_thread(path.write_bytes, data)
    sent = Attachment(kind, "r", name, path=f"inbox/1-0/{name}", saved=f"uploads/{name}")
    seen = await Intake(tmp_path, settings, ear).look(sent, model)
    assert read_seen(seen.plain()) == seen
    return seen


async def test_an_image(tmp_path: Path) -> None:
    """R-LM-4: it is shown to a model that looks; it is content from outside. Another model gets a hint."""
    data = picture()
    seen = await looked(tmp_path, data, "a.jpg", AttachmentKind.PHOTO)
    assert seen == Seen(
        note="640 x 480 pixels, shown to you",
        shown=Artifact("inbox/1-0/a.jpg", "a.jpg", "image/jpeg", len(data)),
        source="file that was sent: uploads/a.jpg",
    )
    blind = await looked(tmp_path, data, "a.jpg", AttachmentKind.PHOTO, NOTHING)
    assert blind == Seen(note="640 x 480 pixels; you cannot look at images, a model that takes them could")


async def test_a_large_image(tmp_path: Path) -> None:
    """R-LM-4: what is shown of a large or unusual one lies beside it."""
    seen = await looked(tmp_path, picture("PNG", (3000, 100)), "a.png")
    assert seen.note == "3000 x 100 pixels, shown to you at 2048 x 68"
    assert seen.shown
    assert seen.shown.path == "inbox/1-0/shown.jpeg"
    assert (tmp_path / seen.shown.path).stat().st_size == seen.shown.size
    seen = await looked(tmp_path, picture("GIF", (30, 10)), "a.gif")
    assert seen.note == "30 x 10 pixels, shown to you"


async def test_a_recording(tmp_path: Path) -> None:
    """R-TG-8: its words are the person's own, and nothing from outside."""
    for kind, name in ((AttachmentKind.VOICE, "a.oga"), (AttachmentKind.DOCUMENT, "a.wav")):
        assert await looked(tmp_path, wav_bytes(), name, kind, ear=Ear()) == Seen(said="hello")
    silent = await looked(tmp_path, wav_bytes(), "a.wav", AttachmentKind.VOICE, ear=Ear(""))
    assert (silent.problem, silent.shown) == ("unheard", None)


async def test_a_recording_for_a_model_that_hears(tmp_path: Path, require: Require) -> None:
    """R-LM-4: such a model gets the sound where nothing transcribes, or where that is wanted; converted if need be."""
    require("ffmpeg", "apt install ffmpeg")
    require("espeak-ng", "apt install espeak-ng")
    wave = wav_bytes()
    seen = await looked(tmp_path, wave, "a.wav", AttachmentKind.AUDIO)
    assert seen == Seen(note="you hear it", shown=Artifact("inbox/1-0/a.wav", "a.wav", "audio/wav", len(wave)))
    native = MediaSettings(audio="native")
    seen = await looked(tmp_path, spoken("hello", tmp_path), "a.oga", AttachmentKind.VOICE, ear=Ear(), settings=native)
    assert seen.shown
    assert (seen.shown.path, seen.shown.mime) == ("inbox/1-0/heard.mp3", "audio/mpeg")
    deaf = await looked(tmp_path, wave, "a.wav", AttachmentKind.AUDIO, NOTHING)
    assert (deaf.problem, deaf.detail) == ("unheard", "nobody listens")
    told = MediaSettings(audio="transcribe")
    assert (await looked(tmp_path, wave, "a.wav", AttachmentKind.AUDIO, settings=told)).problem == "unheard"


async def test_a_document(tmp_path: Path) -> None:
    """R-LM-4: a PDF goes to a model that takes it; another gets its text, long ones their beginning."""
    data = pdf("the code is 4411")
    native = await looked(tmp_path, data, "a.pdf")
    assert native.shown == Artifact("inbox/1-0/a.pdf", "a.pdf", "application/pdf", len(data))
    for model, settings in ((NOTHING, MediaSettings()), (ALL, MediaSettings(documents="text"))):
        seen = await looked(tmp_path, data, "a.pdf", model=model, settings=settings)
        assert (seen.text, seen.note) == ("[page 1]\nthe code is 4411", "its text is below")
        assert seen.source == "file that was sent: uploads/a.pdf"
    long = await looked(tmp_path, b"x" * 700, "a.txt", settings=MediaSettings(document_chars=500))
    assert len(long.text) == 500
    assert "700 characters, the first 500 are below; `read_file` gives all of it" in long.note


@pytest.mark.parametrize(
    ("data", "name", "kind", "problem", "detail"),
    [
        (b"x" * 200, "a.oga", AttachmentKind.VOICE, "too_large", "larger than 100B"),
        (b"x" * 200, "a.txt", AttachmentKind.DOCUMENT, "too_large", "larger than 100B"),
        (b"x" * 20, "a.mp4", AttachmentKind.VIDEO, "unsupported", "videos are not watched here"),
        (b"x" * 20, "a.tgs", AttachmentKind.STICKER, "damaged", "no image"),
        (None, "gone.txt", AttachmentKind.DOCUMENT, "missing", "No such file"),
    ],
)
async def test_problems(
    tmp_path: Path, data: bytes | None, name: str, kind: AttachmentKind, problem: str, detail: str
) -> None:
    """R-LM-4: whatever is wrong is told to the model and to the person, and nothing is raised or tainted."""
    settings = MediaSettings(max_audio_bytes=100, max_document_bytes=100)
    seen = await looked(tmp_path, data, name, kind, ear=Ear(), settings=settings)
    assert seen.problem == problem
    assert detail in seen.detail
    assert seen.note == f"not shown to you: {seen.detail}"
    assert (seen.source, seen.shown) == ("", None)


async def test_a_failing_ear(tmp_path: Path) -> None:
    """R-TG-8: what goes wrong in transcribing is told."""

    class Broken(Ear):
        async def __call__(self, recording: Path, _payer: Payer, /) -> str:
            raise MediaError("unheard", f"{recording.suffix} hurts")

    assert (await looked(tmp_path, b"x", "a.oga", AttachmentKind.VOICE, ear=Broken())).detail == ".oga hurts"


async def test_nobody_pays(tmp_path: Path) -> None:
    """R-LM-5: a recording that no budget pays for is told of, and fails nothing."""

    class Dear(Ear):
        async def __call__(self, _recording: Path, _payer: Payer, /) -> str:
            raise BudgetReached("person", "day", 5.0, retry_after=60.0)

    seen = await looked(tmp_path, b"x", "a.oga", AttachmentKind.VOICE, ear=Dear())
    assert (seen.problem, seen.detail) == ("budget", "the budget of $5 a day (person) is used up")


def test_too_many(tmp_path: Path) -> None:
    """R-LM-4: how many are looked at is a setting."""
    intake = Intake(tmp_path, MediaSettings(max_items=2), "nobody")
    assert (intake.most, intake.too_many().problem, intake.too_many().detail) == (2, "too_many", "2")
    assert intake.patience == 10.0
