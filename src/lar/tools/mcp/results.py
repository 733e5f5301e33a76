"""What a server answered, as a tool gives it. Imports mcp."""

import base64
import binascii
import io
import json
from mimetypes import guess_extension

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from lar.domain.artifact import Artifact
from lar.errors import ToolError
from lar.tools.artifacts import IMAGES, Keep
from lar.tools.contract import ToolContext, ToolResult

MOST_FILES = 10
"""Files of one answer that are kept."""


async def as_result(answer: CallToolResult, context: ToolContext, source: str, keep: Keep) -> ToolResult:
    """Text as text, images and other files kept, everything marked with its source.

    Raises:
        ToolError: the server says that the call failed.

    """
    reading = _Reading(context, keep)
    for number, block in enumerate(answer.content, 1):
        await reading.add(block, number)
    if not answer.content and answer.structured_content is not None:
        reading.lines.append(json.dumps(answer.structured_content, ensure_ascii=False))
    text = "\n".join(reading.lines)
    if answer.is_error:
        raise ToolError(text or "The server says that the call failed, and not why.", source=source)
    return ToolResult(text, shown=tuple(reading.shown), source=source)


class _Reading:
    """Goes through the blocks of one answer."""

    def __init__(self, context: ToolContext, keep: Keep) -> None:
        self._context = context
        self._keep = keep
        self._kept = 0
        self.lines: list[str] = []
        self.shown: list[Artifact] = []

    async def add(self, block: object, number: int) -> None:
        match block:
            case TextContent(text=text):
                self.lines.append(text)
            case ImageContent(data=data, mime_type=mime) | AudioContent(data=data, mime_type=mime):
                await self._file(data, mime, f"{number}")
            case EmbeddedResource(resource=TextResourceContents(uri=uri, text=text)):
                self.lines.append(f"[{uri}]\n{text}")
            case EmbeddedResource(resource=BlobResourceContents(uri=uri, blob=data, mime_type=mime)):
                await self._file(data, mime or "application/octet-stream", f"{number}", f" from {uri}")
            case ResourceLink(uri=uri, name=name, description=description):
                self.lines.append(f"[{name}: {uri}] {description or ''}".rstrip())
            case _:
                self.lines.append("[something Lar does not know]")

    async def _file(self, encoded: str, mime: str, name: str, origin: str = "") -> None:
        if self._kept == MOST_FILES:
            self.lines.append(f"[more than {MOST_FILES} files: this one was left out]")
            return
        try:
            content = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            self.lines.append("[a file whose content is broken]")
            return
        self._kept += 1
        kind = mime.partition(";")[0].strip().lower()
        artifact = await self._keep(self._context, io.BytesIO(content), f"{name}{guess_extension(kind) or ''}")
        self.lines.append(f"[{kind}, {len(content)} bytes{origin}, kept as {artifact.path}]")
        if kind in IMAGES and artifact.mime == kind:
            self.shown.append(artifact)
