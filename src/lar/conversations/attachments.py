"""Files that came with messages: fetched once per turn, journalled, and told of in the prompt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lar.channels.contract import Channel
from lar.domain.inbound import Attachment
from lar.domain.message import Message
from lar.domain.values import JsonObject
from lar.engine.contract import Journal
from lar.errors import ChannelError, SendLater

MAX_NAME, MAX_ENDING = 120, 20
"""How long the name of a stored file, and what is behind its last dot, may be, in bytes of UTF-8."""


async def fetch_all(
    said: Sequence[Message], channel: Channel | None, journal: Journal, files: Path
) -> dict[int, tuple[Attachment, ...]]:
    """Download what came with these messages to `files`; message id → its attachments, each with path or problem."""
    found: dict[int, tuple[Attachment, ...]] = {}
    for message in said:
        if message.attachments:
            found[message.id] = tuple(
                [
                    await _fetch(attachment, f"{message.id}-{number}", channel, journal, files)
                    for number, attachment in enumerate(message.attachments)
                ]
            )
    return found


async def _fetch(
    attachment: Attachment, key: str, channel: Channel | None, journal: Journal, files: Path
) -> Attachment:
    async def act() -> JsonObject:
        if channel is None:
            return {"problem": "its channel is not configured any more"}
        path = Path("inbox") / key / safe_name(attachment)
        target = files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            await channel.fetch(attachment, target)
        except SendLater as error:
            return {"problem": f"it could not be downloaded: {error}"}
        except ChannelError as error:
            return {"problem": str(error)}
        return {"path": str(path), "size": target.stat().st_size}

    output = await journal.step(f"fetch:{key}", "fetch", {"ref": attachment.ref}, act, repeatable=True)
    return replace(
        attachment,
        path=str(output.get("path", "")),
        problem=str(output.get("problem", "")),
        size=int(output.get("size", attachment.size)),
    )


def safe_name(attachment: Attachment) -> str:
    """The name the sender gave the file, as far as every file system takes it; it leads nowhere else."""
    printable = "".join(letter if letter.isprintable() else "_" for letter in attachment.name)
    name = Path(printable.replace("\\", "/")).name.lstrip(".")
    stem, dot, ending = name.rpartition(".")
    if len(ending.encode()) > MAX_ENDING:
        stem, dot, ending = name, "", ""
    room = MAX_NAME - len(ending.encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}{dot}{ending}" or attachment.kind


def describe(text: str, attachments: Sequence[Attachment]) -> str:
    """A message's text with a line for every file that came with it."""
    lines = [text] if text else []
    for attachment in attachments:
        where = f"stored as {attachment.path}" if attachment.path else f"not available: {attachment.problem}"
        lines.append(f"[{attachment.kind}: {attachment.name}, {attachment.mime}, {attachment.size} bytes, {where}]")
    return "\n".join(lines)
