"""Files that work produced, kept for people: copied once, named, measured and listed."""

import asyncio
import mimetypes
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lar.domain.artifact import Artifact
from lar.domain.bytesize import format_bytes
from lar.domain.values import Clock
from lar.errors import ToolError
from lar.store import artifacts
from lar.store.database import Database
from lar.tools.beneath import shown
from lar.tools.contract import ToolContext
from lar.tools.settings import ArtifactSettings
from lar.tools.workspace import plain_name

FOLDER = "artifacts"
"""Where they are below `LAR_HOME/files`: one folder a turn."""

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What models can look at."""

_HEAD = 16
_BEGINNINGS = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"%PDF-", "application/pdf"),
)
_UNKNOWN = "application/octet-stream"
_BY_NAME = mimetypes.MimeTypes()  # the standard library's own table, whatever the machine has


Keep = Callable[[ToolContext, BinaryIO, str], Awaitable[Artifact]]
"""Keeps a file that a call made, under a name: `Artifacts.keep`."""


class Artifacts:
    """Keeps files below `files`, which is `LAR_HOME/files`."""

    def __init__(self, db: Database, files: Path, clock: Clock, settings: ArtifactSettings) -> None:
        self._db = db
        self._files = files
        self._clock = clock
        self._max_bytes = settings.max_bytes

    async def keep(self, context: ToolContext, source: BinaryIO, name: str, *, number: int = 0) -> Artifact:
        """Copy an open file. The same call, name and number give the artifact that is there already.

        `number` tells apart files of one call that have the same name.

        Raises:
            ToolError: it is too large, or cannot be stored.

        """
        name = plain_name(name)
        call = context.call.replace("/", "_") or "0"
        told_apart = f"{call}-{number}" if number else call
        path = f"{FOLDER}/{context.turn_id}/{plain_name(f'{told_apart}-{name}')}"
        known = await self._db.read(artifacts.find, path)
        if known is not None:
            return known
        kept = await asyncio.to_thread(self._store, source, path, name)
        listed = artifacts.Kept(0, kept, context.principal.id, context.conversation_id, context.turn_id, self._clock())
        return await self._db.write(artifacts.add, listed)

    def _store(self, source: BinaryIO, path: str, name: str) -> Artifact:
        target = self._files / path
        fresh = target.with_name(f".{target.name}")
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
                size, head = self._copy(source, copy, name)
            fresh.replace(target)
        except OSError as error:
            raise ToolError(f"{shown(name)} cannot be kept: {error.strerror}.") from error
        finally:
            with suppress(OSError):
                fresh.unlink()
        return Artifact(path, name, mime_type(head, name), size)

    def _copy(self, source: BinaryIO, copy: BinaryIO, name: str) -> tuple[int, bytes]:
        size, head = 0, b""
        while chunk := source.read(1 << 20):
            head = head or chunk[:_HEAD]
            size += len(chunk)
            if size > self._max_bytes:
                raise ToolError(f"{shown(name)} is larger than {format_bytes(self._max_bytes)}, the most that is kept.")
            copy.write(chunk)
        return size, head


def mime_type(head: bytes, name: str) -> str:
    """What a file is, by how it begins, else by its name; a name alone does not make an image."""
    for offset, beginning, mime in _BEGINNINGS:
        if head[offset : offset + len(beginning)] == beginning:
            return mime
    by_name, packed = _BY_NAME.guess_type(name)
    return _UNKNOWN if by_name is None or packed or by_name in IMAGES else by_name


def sweep(folder: Path, before: float) -> int:
    """Delete the folders in this one that nothing was put into since this time (seconds since the epoch).

    Returns how many files were in them.
    """
    count = 0
    for turn in folder.iterdir() if folder.exists() else ():
        if turn.stat(follow_symlinks=False).st_mtime < before:
            count += sum(each.is_file() for each in turn.rglob("*"))
            shutil.rmtree(turn, ignore_errors=True)
    return count
