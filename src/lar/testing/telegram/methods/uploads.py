"""Sending and fetching files: single media, albums, downloads."""

import functools
import re
from dataclasses import replace
from typing import Any, cast

import aiohttp

from lar.testing.telegram.files import image_size
from lar.testing.telegram.methods.call import Call, Handler
from lar.testing.telegram.methods.content import caption_content
from lar.testing.telegram.wire import MAX_DOWNLOAD, MAX_UPLOAD, ApiError, Json, Params, Upload, bad

_MAX_PHOTO = 10 << 20  # bytes


async def input_file(call: Call, name: str, value: str) -> Upload:
    """The file that `value` names: attach://part, an id the server knows, or a URL; else the part called `name`.

    Raises:
        ApiError: There is none, or it is empty or too big.
    """
    upload = await _find_file(call, name, value)
    if not upload.data:
        raise bad("file must be non-empty")
    if len(upload.data) > MAX_UPLOAD:
        raise ApiError(413, "Request Entity Too Large")
    return upload


async def _find_file(call: Call, name: str, value: str) -> Upload:
    uploads = call.params.uploads
    if value.startswith("attach://"):
        part = uploads.get(value.removeprefix("attach://"))
        if part is None:
            raise bad("media not found" if uploads else "wrong file identifier/HTTP URL specified")
        return part
    if name in uploads:
        return uploads[name]
    if not value:
        raise bad(f"there is no {name} in the request")
    if re.match(r"https?://", value):
        return await _fetch(call, value)
    stored = call.world.files.get(value)
    if stored is None:
        raise bad("wrong file identifier/HTTP URL specified")
    return stored.content


async def _fetch(call: Call, url: str) -> Upload:
    http = call.world.http
    if http is None:
        raise bad("failed to get HTTP URL content")
    try:
        async with http.get(url, timeout=aiohttp.ClientTimeout(5)) as answer:
            answer.raise_for_status()
            name = url.rsplit("/", maxsplit=1)[-1].split("?", maxsplit=1)[0]
            return Upload(await answer.read(), name, answer.content_type)
    except (aiohttp.ClientError, OSError, ValueError):
        raise bad("failed to get HTTP URL content") from None


async def send_medium(kind: str, call: Call) -> Json:
    """A photo, document, voice, audio, video, animation, video note or sticker."""
    call.target()
    upload = await input_file(call, kind, call.params.text(kind))
    if kind == "photo" and len(upload.data) > _MAX_PHOTO:
        raise bad(f"too big for a photo; the maximum size is {_MAX_PHOTO} bytes")
    if kind == "photo" and image_size(upload.data) is None:
        raise bad("IMAGE_PROCESS_FAILED")
    if kind == "voice" and upload.mime == "application/octet-stream":
        upload = replace(upload, mime="audio/ogg")
    caption = caption_content(call.params)
    return call.post({**call.world.files.fields(kind, upload, call.params.values), **caption})


async def send_media_group(call: Call) -> list[Json]:
    """An album of up to ten; nothing appears unless all of it is right."""
    call.target()
    given = call.params.parsed("media")
    if not isinstance(given, list) or not given:
        raise bad("there are no messages to send")
    media = cast("list[Json]", given)
    if len(media) > 10:
        raise bad("too many messages to send as an album")
    kinds: set[Any] = {medium.get("type") for medium in media}
    if not kinds <= {"photo", "video", "document", "audio"} or (len(kinds) > 1 and kinds != {"photo", "video"}):
        raise bad("Can't use the media of the specified type in the album")
    contents: list[Json] = []
    for medium in media:
        upload = await input_file(call, "", str(medium.get("media", "")))
        caption = caption_content(Params(medium))
        contents.append({**call.world.files.fields(medium["type"], upload, medium), **caption})
    group = str(13_000_000_000 + next(call.world.unique))
    return [call.post(content, media_group_id=group) for content in contents]


def get_file(call: Call) -> Json:
    """Where to download a file."""
    file_id = call.params.text("file_id")
    if not file_id:
        raise bad("file_id not specified")
    stored = call.world.files.get(file_id)
    if stored is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    if len(stored.data) > MAX_DOWNLOAD:
        raise bad("file is too big")
    return {**stored.reference(), "file_path": stored.path}


METHODS: dict[str, Handler] = {
    **{
        "send" + kind.replace("_", ""): functools.partial(send_medium, kind)
        for kind in ("photo", "document", "voice", "audio", "video", "animation", "video_note", "sticker")
    },
    "sendmediagroup": send_media_group,
    "getfile": get_file,
}
