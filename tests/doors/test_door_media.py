"""Photos, albums, recordings and documents, as people send them over Telegram."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ground import Require
from lar.testing.stage import FIRST_USER, Stage, stage, until
from media_samples import bomb, docx, pdf, picture, spoken

pytestmark = pytest.mark.asyncio(loop_scope="session")


def asked(door: Stage, since: int) -> list[dict[str, Any]]:
    """What models were asked since then."""
    return [entry for entry in door.models.log if entry["n"] > since and entry["path"].endswith("/chat/completions")]


def last_said(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the last message of a question."""
    content: Any = entry["body"]["messages"][-1]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


async def test_a_captioned_photo(door: Stage, chat: int) -> None:
    """R-LM-4: a photo with a caption is shown to the model at once, and referenced by its name afterwards."""
    since = door.models.last_number
    door.telegram.send_media("photo", picture(), chat, caption="what is this? [[image?]]")
    assert (await door.replies(chat))[0].startswith("media: 1 in this message, 1 in all; image image/jpeg")
    await door.telegram.ask("and before? [[image?]]", chat, match="media: 0 in this message, 0 in all")
    [first, second] = asked(door, since)
    assert [part["type"] for part in last_said(first)] == ["text", "image_url"]
    assert "saved as uploads/photo-" in json.dumps(second["body"])


async def test_a_photo_then_a_question(door: Stage, chat: int) -> None:
    """R-TG-8: a photo without a word waits for the next message and belongs to it, once."""
    since = door.models.last_number
    door.telegram.send_media("photo", picture(), chat)
    door.telegram.send_media("document", b"the boiler code is 4411", chat, filename="boiler.txt")
    answer = await door.telegram.ask("what are these? [[image?]]", chat)
    assert answer["text"].startswith("media: 1 in this message")
    await door.telegram.ask("and now? [[image?]]", chat, match="media: 0 in this message, 0 in all")
    await door.settled()
    assert len(door.texts(chat)) == 2
    [first, _] = asked(door, since)
    assert "the boiler code is 4411" in last_said(first)[0]["text"]


async def test_what_waits_outlives_a_restart(door: Stage, chat: int) -> None:
    """R-TG-8: a file that waits for words still does so after the process was killed."""
    door.telegram.send_media("photo", picture(), chat)
    await until(door.telegram.bot.polling.is_set)
    await door.telegram.ask("/whoami", chat)
    await door.settled()
    await door.process.kill()
    door.telegram.bot.end_poll("closed")
    await door.start()
    await door.telegram.until_polling()
    assert (await door.telegram.ask("this? [[image?]]", chat))["text"].startswith("media: 1 in this message")


@pytest.mark.parametrize("captioned", [0, 1, 2])
async def test_an_album(door: Stage, chat: int, captioned: int) -> None:
    """R-TG-7: the pictures of an album are one turn, whichever of them has the caption."""
    since = door.models.last_number
    for number in range(3):
        caption = "three [[image?]]" if number == captioned else None
        door.telegram.send_media("photo", picture(), chat, media_group_id=f"a{captioned}", caption=caption)
    assert (await door.replies(chat))[0].startswith("media: 3 in this message, 3 in all")
    await door.settled()
    assert len(asked(door, since)) == 1


async def test_too_many(door: Stage, chat: int) -> None:
    """R-LM-4: of more than four pictures four are shown, and the person is told of the others."""
    for number in range(6):
        caption = "six [[image?]]" if not number else None
        door.telegram.send_media("photo", picture(), chat, media_group_id="many", caption=caption)
    said = "\n".join(await door.replies(chat))
    assert "media: 4 in this message" in said
    assert said.count("⚠️ I looked at 4 files only") == 2


async def test_a_large_photo_is_scaled(door: Stage, chat: int) -> None:
    """R-LM-4: a picture larger than models like is scaled down, and the model is told its real size."""
    since = door.models.last_number
    door.telegram.send_media("document", picture("PNG", (4000, 3000)), chat, filename="a.png", caption="see")
    await door.replies(chat)
    [entry] = asked(door, since)
    assert "4000 x 3000 pixels, shown to you at 2048 x 1536" in last_said(entry)[0]["text"]


async def test_a_voice_note(door: Stage, chat: int, tmp_path: Path, require: Require) -> None:
    """R-TG-8: a voice note is transcribed and answered as if it had been typed; its words stay in the transcript."""
    require("espeak-ng", "apt install espeak-ng")
    require("ffmpeg", "apt install ffmpeg")
    since = door.models.last_number
    note = spoken("what is the boiler code", tmp_path) + b"SAY:what is the boiler code\0"
    door.telegram.send_media("voice", note, chat)
    told = (await door.replies(chat))[0]
    assert told.startswith("echo: what is the boiler code\n[voice: voice-")
    heard = next(entry for entry in door.models.log if entry["n"] > since)
    assert heard["path"].endswith("/audio/transcriptions")
    assert heard["body"]["model"] == "gpt-4o-mini-transcribe"
    assert heard["body"]["file"]["size"] == len(note)
    await door.telegram.ask("and?", chat)
    assert "what is the boiler code" in json.dumps(door.models.log[-1]["body"]["messages"][1])


async def test_a_voice_note_that_nobody_understands(door: Stage, chat: int) -> None:
    """R-LM-4: a recording the service refuses is explained to the model and to the person."""
    door.telegram.send_media("voice", b"", chat)
    assert "⚠️ I could not understand voice-" in "\n".join(await door.replies(chat))


async def test_a_pdf(door: Stage, chat: int) -> None:
    """R-LM-4: a model that takes no documents gets the text of a PDF."""
    door.telegram.send_media("document", pdf("The code is 4411"), chat, filename="plan.pdf", caption="what code?")
    told = (await door.replies(chat))[0]
    assert "--- text of plan.pdf ---\n[page 1]\nThe code is 4411\n--- end of plan.pdf ---" in told


async def test_a_word_document(door: Stage, chat: int) -> None:
    """R-LM-4: so does an office document."""
    door.telegram.send_media("document", docx("The code is 4411"), chat, filename="plan.docx", caption="what code?")
    assert "The code is 4411" in (await door.replies(chat))[0]


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [
        (b"\xff\xd8\xff\xe0 nothing", "a.jpg", "it is damaged, or no image that is known here"),
        (picture()[:3000], "half.jpg", "it is damaged"),
        (bomb(30_000), "bomb.png", "30000 x 30000 pixels"),
        (b"\x7fELF\0\0\0", "program.bin", "this kind of file cannot be read here"),
        (pdf("x")[:200], "half.pdf", "damaged|no text"),
    ],
    ids=["corrupt", "half", "bomb", "unknown", "pdf"],
)
async def test_what_cannot_be_looked_at(door: Stage, chat: int, data: bytes, name: str, told: str) -> None:
    """R-LM-4: a corrupt, hostile or unknown file is explained, and the rest of the message is answered."""
    door.telegram.send_media("document", data, chat, filename=name, caption="what is it, word?")
    answer = "\n".join(await door.replies(chat))
    assert "what is it, word?" in answer
    assert any(f"⚠️ I could not look at {name}: " in answer and each in answer for each in told.split("|"))


async def test_an_oversized_file(door: Stage, chat: int) -> None:
    """R-TG-14: a file over Telegram's limit is explained, by Lar itself."""
    door.telegram.send_media("document", b"x" * 20_000_001, chat, filename="big.pdf", caption="and this?")
    assert "⚠️ big.pdf did not reach me: " in "\n".join(await door.replies(chat))


async def test_a_recording_that_is_too_long(door: Stage, chat: int) -> None:
    """R-LM-4: a recording over the cap reaches nobody who transcribes; the cap is told, the words are answered."""
    since = door.models.last_number
    door.telegram.send_media("audio", b"ID3" + b"x" * 15_000_000, chat, filename="talk.mp3", caption="what is said?")
    said = "\n".join(await door.replies(chat))
    assert "what is said?" in said
    assert "⚠️" in said
    assert "15MB, the most that is listened to" in said
    assert not any(entry["path"].endswith("/transcriptions") for entry in door.models.log if entry["n"] > since)


async def test_a_voice_note_without_any_service(tmp_path: Path, require: Require) -> None:
    """R-TG-8: the same by ffmpeg and whisper-cli on this machine; a stand-in says what it was given."""
    require("espeak-ng", "apt install espeak-ng")
    require("ffmpeg", "apt install ffmpeg")
    whisper = tmp_path / "whisper-cli"
    whisper.write_text(
        f"#!{sys.executable}\nimport sys, wave\ngiven = sys.argv\n"
        "with wave.open(given[given.index('-f') + 1]) as sound:\n"
        "    said = f'{sound.getnchannels()} channel, {sound.getframerate()} Hz'\n"
        "open(given[given.index('-of') + 1] + '.txt', 'w').write(said)\n"
    )
    whisper.chmod(0o700)
    env = {
        "LAR__MEDIA__TRANSCRIPTION__BACKEND": "whisper-cli",
        "LAR__MEDIA__TRANSCRIPTION__WHISPER_CLI": str(whisper),
        "LAR__MEDIA__TRANSCRIPTION__WHISPER_CLI_MODEL": str(whisper),
    }
    async with stage(tmp_path / "stage", env=env) as here:
        await here.start()
        await here.telegram.until_polling()
        here.telegram.send_media("voice", spoken("turn the heating down", tmp_path), FIRST_USER)
        assert (await here.replies(FIRST_USER))[0].startswith("echo: 1 channel, 16000 Hz\n[voice: ")


async def heard(here: Stage, chat: int, count: int) -> list[dict[str, Any]]:
    """Wait until so many voice messages of the bot are in a chat."""

    def found() -> list[dict[str, Any]]:
        return [message for message in here.telegram.messages(chat) if message["from"]["is_bot"] and "voice" in message]

    await until(lambda: len(found()) >= count)
    return found()


async def test_a_spoken_answer(door: Stage, chat: int, require: Require) -> None:
    """R-TG-8: after `/voice on` the text is followed by a voice message, spoken by espeak-ng: Opus in Ogg."""
    require("espeak-ng", "apt install espeak-ng")
    require("ffmpeg", "apt install ffmpeg")
    assert "From the next answer on" in (await door.telegram.ask("/voice on", chat))["text"]
    await door.telegram.ask("good morning", chat)
    [voice] = await heard(door, chat, 1)
    said = [message for message in door.telegram.messages(chat) if message["from"]["is_bot"]]
    assert said[-2]["text"] == "echo: good morning"
    assert said[-1] == voice
    stored = door.telegram.files.get(voice["voice"]["file_id"])
    assert stored
    assert stored.data.startswith(b"OggS")
    assert b"OpusHead" in stored.data[:100]
    await door.telegram.ask("/voice off", chat)
    await door.telegram.ask("quiet, please", chat)
    await door.settled()
    assert len(await heard(door, chat, 1)) == 1


async def test_an_answer_spoken_by_an_api(tmp_path: Path, require: Require) -> None:
    """R-TG-8: the same by a provider's API, within the budgets; killed while it speaks, it speaks after all."""
    require("ffmpeg", "apt install ffmpeg")
    env = {
        "LAR__MEDIA__SPEECH__BACKEND": "api",
        "LAR__MEDIA__SPEECH__ALWAYS": "true",
        "LAR__MODELS__SPEECH": "openai:tts-1",
        "LAR__BUDGETS__PRICES": '{"openai:tts-1": {"input": 15.0}}',
    }
    async with stage(tmp_path / "stage", env=env) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("hello", FIRST_USER)
        await until(lambda: any(entry["path"].endswith("/audio/speech") for entry in here.models.log))
        await here.process.kill()
        await here.start()
        await heard(here, FIRST_USER, 1)
        await here.settled()
        assert "openai:tts-1" in (await here.telegram.ask("/usage", FIRST_USER, match="month"))["text"]
