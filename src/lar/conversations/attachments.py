"""Files that came with messages: fetched once per turn, journalled, and told of in the transcript."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lar.channels.contract import Channel
from lar.domain.inbound import Attachment
from lar.domain.spend import NOBODY, Payer
from lar.domain.values import JsonObject
from lar.engine.contract import Journal
from lar.errors import ChannelError, SendLater, ToolError
from lar.media.intake import Intake
from lar.providers.contract import Input
from lar.tools.contract import ToolContext
from lar.tools.workspace import plain_name

FOLDER = "inbox"
SENT = "outbox"
"""Where they are below `LAR_HOME/files`: one folder a file."""

SaveUpload = Callable[[ToolContext, Path, str], str]
"""Puts a fetched file among somebody's own files, under a name like this one; gives the name it has there."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """Whose files are fetched, and where to. `files` is `LAR_HOME/files`; without `save` tools cannot see them.

    Without `intake` nobody looks at them; `takes` is what the model takes of what is found, `payer` pays for it.
    """

    caller: ToolContext
    channel: Channel | None
    files: Path
    save: SaveUpload | None = None
    intake: Intake | None = None
    takes: frozenset[Input] = frozenset()
    payer: Payer = NOBODY


async def fetch(attachment: Attachment, key: str, fetching: Fetching, journal: Journal) -> Attachment:
    """Download it; it comes back with its path, or a problem. `key` is its own, and the same at every attempt."""

    async def act() -> JsonObject:
        if fetching.channel is None:
            return {"problem": "its channel is not configured any more"}
        name = plain_name(attachment.name, attachment.kind)
        path = Path(FOLDER) / key / name
        target = fetching.files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            await fetching.channel.fetch(attachment, target)
        except SendLater as error:
            return {"problem": f"it could not be downloaded: {error}"}
        except ChannelError as error:
            return {"problem": str(error)}
        fetched = {"path": str(path), "size": target.stat().st_size}
        return {**fetched, **await asyncio.to_thread(_save, fetching, target, name)}

    output = await journal.step(f"fetch:{key}", "fetch", {"ref": attachment.ref}, act, repeatable=True)
    return replace(
        attachment,
        path=str(output.get("path", "")),
        problem=str(output.get("problem", "")),
        saved=str(output.get("saved", "")),
        size=int(output.get("size", attachment.size)),
    )


def _save(fetching: Fetching, target: Path, name: str) -> JsonObject:
    if fetching.save is None:
        return {}
    try:
        return {"saved": fetching.save(fetching.caller, target, name)}
    except ToolError as error:
        return {"problem": f"it could not be put among the files: {error}"}


UNSAVED = "saving what people send is switched off"


def describe(text: str, attachments: Sequence[Attachment]) -> str:
    """What the transcript keeps of a message: its words, spoken ones too, and a line for every file."""
    lines = [words for words in (text, *(attachment.heard for attachment in attachments)) if words]
    for attachment in attachments:
        where = (
            f"saved as {attachment.saved}" if attachment.saved else f"not available: {attachment.problem or UNSAVED}"
        )
        spoken = "; its words are above" if attachment.heard else ""
        about = f"{attachment.name}, {attachment.mime}, {attachment.size} bytes"
        lines.append(f"[{attachment.kind}: {about}, {where}{spoken}]")
    return "\n".join(lines)
