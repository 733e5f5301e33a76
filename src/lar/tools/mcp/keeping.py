"""Files that a server's answer holds: kept below `LAR_HOME/files`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from lar.domain.artifact import Artifact
from lar.tools.contract import ToolContext

Keep = Callable[[ToolContext, bytes, str, str], Awaitable[Artifact]]
"""Keeps content as a file: who calls, the content, a plain file name, its MIME type."""


def keep_in(files: Path) -> Keep:
    """Keep files below this folder, those of one call together; doing so again changes nothing."""

    async def keep(context: ToolContext, content: bytes, name: str, mime: str) -> Artifact:
        path = Path("tools") / str(context.turn_id) / context.call / name
        await asyncio.to_thread(_write, files / path, content)
        return Artifact(str(path), name, mime, len(content))

    return keep


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
