"""OpenAI's audio endpoints: transcription and speech."""

import re

from aiohttp import web

from lar.testing.models import failures
from lar.testing.models.completion import Completions
from lar.testing.models.exchange import Exchange
from lar.testing.models.samples import mp3_bytes, ogg_opus_bytes, wav_bytes
from lar.testing.models.wire import Wire

_FORMATS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_SPOKEN_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
_LONGEST_INPUT = 4096
_WAV_HEAD = 44
_SAID = re.compile(rb"SAY:([^\0]{1,4000})")


async def transcribe(sim: Completions, exchange: Exchange) -> web.StreamResponse:
    """Text hidden in the audio bytes as `SAY:...` + NUL comes out as the transcript; else its size and type."""
    form = await exchange.request.post()
    file = form.get("file")
    if not isinstance(file, web.FileField):
        return exchange.refuse(failures.openai("400", "Missing required parameter: 'file'."))
    data = file.file.read()
    told = {"filename": file.filename, "mime": file.content_type, "size": len(data)}
    exchange.entry["body"] = {k: v for k, v in form.items() if isinstance(v, str)} | {"file": told}
    if not data:
        short = "Audio file is too short. Minimum audio length is 0.1 seconds."
        return exchange.refuse(failures.openai("400", short))
    if (file.filename or "").rsplit(".", 1)[-1].lower() not in _FORMATS:
        unknown = f"Unrecognized file format. Supported formats: {list(_FORMATS)}"
        return exchange.refuse(failures.openai("400", unknown))
    said = _SAID.search(data)
    guess = said[1].decode("utf-8", "replace") if said else f"transcript of {len(data)} bytes of {file.content_type}"
    text = str(sim.options["transcript"] or guess)
    kind = form.get("response_format", "json")
    if kind in ("text", "srt", "vtt"):
        exchange.done(200)
        return web.Response(text=text + "\n")
    verbose: Wire = {"task": "transcribe", "language": "english", "duration": 1.0, "segments": [], "words": []}
    extra: Wire = verbose if kind == "verbose_json" else {}
    return exchange.json({"text": text, **extra, "usage": {"type": "duration", "seconds": 1}})


async def speech(sim: Completions, exchange: Exchange) -> web.StreamResponse:
    """A short tone or silence in the format that was asked for."""
    body = await exchange.body()
    refused = sim.key_error(exchange.key)
    if refused:
        return exchange.refuse(failures.openai(refused))
    wrong = _unspeakable(body)
    if wrong:
        return exchange.refuse(failures.openai("400", wrong))
    exchange.done(200)
    match body.get("response_format"):
        case "wav":
            return web.Response(body=wav_bytes(), content_type="audio/wav")
        case "opus":
            return web.Response(body=ogg_opus_bytes(), content_type="audio/ogg")
        case "pcm":
            return web.Response(body=wav_bytes()[_WAV_HEAD:], content_type="audio/pcm")
        case _:
            return web.Response(body=mp3_bytes(), content_type="audio/mpeg")


def _unspeakable(body: Wire) -> str:
    """What the real server would not take, in its words."""
    missing = next((name for name in ("model", "input", "voice") if not body.get(name)), None)
    if missing:
        return f"Missing required parameter: '{missing}'."
    if len(str(body["input"])) > _LONGEST_INPUT:
        return f"Invalid 'input': string too long. Expected a string with maximum length {_LONGEST_INPUT}."
    if body.get("response_format", "mp3") not in _SPOKEN_FORMATS:
        return f"Invalid value: '{body['response_format']}'. Supported values are: {', '.join(_SPOKEN_FORMATS)}."
    return ""
