"""Files of the workspace before a model's eyes: images made fit, documents as text."""

import asyncio
import io
from typing import BinaryIO

from lar.errors import MediaError, ToolError
from lar.media import documents, images
from lar.media.settings import MediaSettings
from lar.tools.beneath import shown


class FileEyes:
    """Looks at files for the tools that read them. `tools.files.Eyes`."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings

    async def image(self, file: BinaryIO, name: str) -> BinaryIO | None:
        """The image as it is shown; None where it is none."""
        head = await _head(file)
        if not images.is_image(head):
            return None
        try:
            fitted = await images.fit(file, self._settings.max_image_side, self._settings.max_image_bytes)
        except MediaError as error:
            raise ToolError(f"{shown(name)} cannot be looked at: {error}.") from None
        file.seek(0)
        return io.BytesIO(fitted.data) if fitted.data else file

    async def text(self, file: BinaryIO, name: str) -> str | None:
        """The text of a document that has to be unpacked; None where it is none."""
        if not documents.is_packed(await _head(file)):
            return None
        try:
            return await documents.text(file, name)
        except MediaError as error:
            raise ToolError(f"{shown(name)} cannot be read: {error}.") from None


async def _head(file: BinaryIO) -> bytes:
    head = await asyncio.to_thread(file.read, 1024)
    file.seek(0)
    return head
