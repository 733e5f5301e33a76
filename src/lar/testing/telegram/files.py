"""Files on the server: what was uploaded or sent, under the ids and paths a bot gets for it."""

import hashlib
import itertools
import struct
from dataclasses import dataclass

from lar.testing.telegram.wire import Json, Upload

MEDIA = {
    "photo": "image/jpeg",
    "document": "application/octet-stream",
    "voice": "audio/ogg",
    "audio": "audio/mpeg",
    "video": "video/mp4",
    "animation": "video/mp4",
    "video_note": "video/mp4",
    "sticker": "image/webp",
}  # kind of medium -> its usual MIME type
_EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "audio/ogg": "oga",
    "audio/mpeg": "mp3",
    "video/mp4": "mp4",
    "audio/wav": "wav",
    "application/pdf": "pdf",
    "text/plain": "txt",
}
_FOLDERS = {"photo": "photos", "voice": "voice", "audio": "music", "video": "videos"}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file the server keeps: its two ids, the path it is downloaded from, its content."""

    file_id: str
    file_unique_id: str
    path: str
    content: Upload

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.content.data

    def reference(self) -> Json:
        """How messages refer to it."""
        return {"file_id": self.file_id, "file_unique_id": self.file_unique_id, "file_size": len(self.data)}


class FileStore:
    """All files of the server."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}
        self._numbers = itertools.count(1)

    def get(self, key: str) -> StoredFile | None:
        """The file with this id or path."""
        return self._files.get(key)

    def store(self, upload: Upload, kind: str) -> StoredFile:
        """Keep a file under a new id."""
        number = next(self._numbers)
        extension = _EXTENSIONS.get(upload.mime, "bin")
        name = upload.filename.rsplit("/", maxsplit=1)[-1] or f"file_{number}.{extension}"
        extension = name.rsplit(".", maxsplit=1)[-1] if "." in name else extension
        digest = hashlib.sha256(upload.data).hexdigest()
        stored = StoredFile(
            file_id=f"AgAC{number:06d}{digest[:24]}",
            file_unique_id=f"AQAD{number:06d}",
            path=f"{_FOLDERS.get(kind, 'documents')}/file_{number}.{extension}",
            content=Upload(upload.data, name, upload.mime),
        )
        self._files[stored.file_id] = self._files[stored.path] = stored
        return stored

    def fields(self, kind: str, upload: Upload, given: Json) -> Json:
        """The fields of a message that carries `upload` as `kind`; `given`: duration, title, performer, emoji."""
        stored = self.store(upload, kind)
        reference, name = stored.reference(), {"file_name": stored.content.filename}
        if kind == "photo":
            width, height = image_size(upload.data) or (1280, 720)
            small = self.store(upload, kind).reference()
            return {
                "photo": [{**small, "width": 90, "height": 67}, {**reference, "width": width, "height": height}],
            }
        typed = {**reference, "mime_type": upload.mime}
        duration = {"duration": int(given.get("duration") or 1)}
        moving = {**typed, **name, "width": 640, "height": 360, **duration}
        square = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        tags = {key: given[key] for key in ("title", "performer") if given.get(key)}
        shapes: dict[str, Json] = {
            "voice": {**typed, **duration},
            "audio": {**typed, **name, **duration, **tags},
            "video": moving,
            "animation": moving,
            "video_note": {**reference, "length": 240, **duration},
            "sticker": {**reference, **square, "emoji": given.get("emoji", "🙂")},
        }
        document = {**typed, **name}
        fields: Json = {kind: shapes.get(kind, document)}
        return {**fields, "document": document} if kind == "animation" else fields


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, GIF, WebP or JPEG; None when it is no image."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return struct.unpack(">II", data[16:24])
    if data[:3] == b"GIF" and len(data) >= 10:
        return struct.unpack("<HH", data[6:10])
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return 512, 512
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data) or (1280, 720)
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None
