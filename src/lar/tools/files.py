"""The tools for files: list, read, write, move, delete, send, and look at."""

import asyncio
import io
import os
from typing import Annotated, BinaryIO, Protocol

from pydantic import Field

from lar.domain.artifact import Artifact, Outgoing
from lar.domain.bytesize import format_bytes
from lar.domain.risk import Deed, Risk
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.tools.artifacts import Artifacts
from lar.tools.beneath import clean, shown
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult
from lar.tools.define import tool
from lar.tools.settings import FileSettings
from lar.tools.workspace import Entry, Kind, Scope, Workspace

Path = Annotated[str, Field(min_length=1, max_length=2000)]
PageNumber = Annotated[int, Field(ge=1, le=1_000_000)]
Caption = Annotated[str, Field(max_length=1000)]

_MARKS = {Kind.FOLDER: "/", Kind.LINK: " (a link, not followed)", Kind.OTHER: " (not a plain file)"}
_LISTED = 10_000


class Eyes(Protocol):
    """Makes of a file what a model can look at. Both raise `ToolError` where it cannot be done."""

    async def image(self, file: BinaryIO, name: str, /) -> BinaryIO | None:
        """The image as it is shown; None where it is none."""
        ...

    async def text(self, file: BinaryIO, name: str, /) -> str | None:
        """The text of a document that has to be unpacked; None where it is none."""
        ...


def file_tools(workspace: Workspace, artifacts: Artifacts, settings: FileSettings, eyes: Eyes) -> tuple[Tool, ...]:
    """All of them."""
    return (
        *_looking_tools(workspace, artifacts, settings, eyes),
        *_changing_tools(workspace, settings),
        _send_file(workspace, artifacts),
    )


def _looking_tools(workspace: Workspace, artifacts: Artifacts, settings: FileSettings, eyes: Eyes) -> tuple[Tool, ...]:
    @tool(risk=Risk.READ, repeatable=True)
    async def list_files(
        context: ToolContext,
        folder: str = "",
        scope: Scope = Scope.OWN,
        recursive: bool = True,
        page: PageNumber = 1,
    ) -> str:
        """List the files in a folder. Files that people sent are under `uploads/`.

        Args:
            context: Who asks.
            folder: The folder, relative; empty for all of the scope.
            scope: `own` for this chat's own files, `shared` for those that everybody here shares.
            recursive: Whether folders inside are listed, too.
            page: Which page of a long list.
        """

        def look() -> list[Entry]:
            with workspace.open(context, scope) as files:
                return files.entries(folder, deep=recursive, most=_LISTED)

        return _listed(await asyncio.to_thread(look), page, settings.page_size)

    @tool(risk=Risk.READ, repeatable=True)
    async def read_file(context: ToolContext, path: Path, scope: Scope = Scope.OWN, page: PageNumber = 1) -> ToolResult:
        """Read a text or a document (PDF, Word, Excel, ...), page by page, or look at an image.

        Args:
            context: Who asks.
            path: The file, relative to its scope.
            scope: `own` or `shared`.
            page: Which page of a long text.
        """
        return await _look_at(context, path, scope, page)

    @tool(risk=Risk.READ, repeatable=True)
    async def self_insert_artifact(context: ToolContext, path: Path, scope: Scope = Scope.OWN) -> ToolResult:
        """Put a file before your own eyes: an image is shown to you, a text is read to you.

        Args:
            context: Who asks.
            path: The file, relative to its scope.
            scope: `own` or `shared`.
        """
        return await _look_at(context, path, scope, 1)

    async def _look_at(context: ToolContext, path: str, scope: Scope, page: int) -> ToolResult:
        with workspace.open(context, scope) as files, files.read(path) as file:
            image = await eyes.image(file, path)
            if image is None:
                document = await eyes.text(file, path)
                source = file if document is None else io.BytesIO(document.encode("utf-8", "replace"))
                text = await asyncio.to_thread(_page, source, path, page, settings.read_bytes)
                return ToolResult(text, source=_source(path, scope, settings))
            artifact = await artifacts.keep(context, image, path)
            said = f"{shown(path)} ({described(artifact)}) is shown to you."
            return ToolResult(said, shown=(artifact,), source=_source(path, scope, settings))

    return list_files, read_file, self_insert_artifact


def _source(path: str, scope: Scope, settings: FileSettings) -> str:
    """Where a file's content came from that others may have written: what was sent, and what everybody shares."""
    name = clean(path)
    if scope is Scope.SHARED:
        return f"shared file: {shown(name)}"
    return f"file that was sent: {shown(name)}" if name.startswith(f"{settings.uploads_subdir}/") else ""


def _changing_tools(workspace: Workspace, settings: FileSettings) -> tuple[Tool, ...]:
    @tool(risk=Risk.WRITE, repeatable=True, effect=_creates)
    async def create_file(context: ToolContext, path: Path, content: str, scope: Scope = Scope.OWN) -> str:
        """Write a text file, with the folders above it. A file of the same name is replaced.

        Args:
            context: Who asks.
            path: The file, relative to its scope, such as `notes/plan.md`.
            content: All of its text.
            scope: `own` for this chat's own files, `shared` for those that everybody here shares.
        """
        data = content.encode(errors="replace")
        if len(data) > settings.max_write_bytes:
            most = format_bytes(settings.max_write_bytes)
            raise ToolError(f"This is more than {most}, the most that is written at once. Write a smaller file.")

        def write() -> None:
            with workspace.open(context, scope) as files:
                files.write(path, data)

        await asyncio.to_thread(write)
        return f"{shown(clean(path))} is written, {len(data)} bytes."

    @tool(risk=Risk.WRITE, repeatable=False, effect=_moves)
    async def move_file(
        context: ToolContext,
        path: Path,
        to: Path,
        scope: Scope = Scope.OWN,
        to_scope: Scope | None = None,
        replace: bool = False,
    ) -> str:
        """Move or rename a file or folder, also between the scopes.

        Args:
            context: Who asks.
            path: What to move, relative to its scope.
            to: Its new name, relative to the scope it goes to; with its own last part, also where it moves to a folder.
            scope: Where it is: `own` or `shared`.
            to_scope: Where it goes; left out, the same scope.
            replace: Whether a file that has the new name already is replaced.
        """
        goal = to_scope or scope

        def move() -> None:
            with workspace.open(context, scope) as files, workspace.open(context, goal) as there:
                files.move(path, there, to, replace=replace)

        await asyncio.to_thread(move)
        return f"Moved to {shown(clean(to))} in the {goal} files."

    @tool(risk=Risk.WRITE, repeatable=False, effect=_deletes)
    async def delete_file(context: ToolContext, path: Path, scope: Scope = Scope.OWN) -> str:
        """Delete a file or an empty folder for good.

        Args:
            context: Who asks.
            path: What to delete, relative to its scope.
            scope: `own` or `shared`.
        """

        def delete() -> None:
            with workspace.open(context, scope) as files:
                files.delete(path)

        await asyncio.to_thread(delete)
        return f"{shown(clean(path))} is deleted."

    return create_file, move_file, delete_file


def _send_file(workspace: Workspace, artifacts: Artifacts) -> Tool:
    @tool(risk=Risk.READ, repeatable=True)
    async def send_file(
        context: ToolContext, path: Path, scope: Scope = Scope.OWN, caption: Caption = ""
    ) -> ToolResult:
        """Send a file to this chat, with your reply: images as photos, the rest as documents.

        Args:
            context: Who asks.
            path: The file, relative to its scope.
            scope: `own` or `shared`.
            caption: What to write below it; empty for nothing.
        """
        with workspace.open(context, scope) as files, files.read(path) as file:
            if not os.fstat(file.fileno()).st_size:
                raise ToolError(f"{shown(path)} is empty; chats do not take empty files.")
            artifact = await artifacts.keep(context, file, path)
        said = f"{shown(path)} ({described(artifact)}) leaves with your reply."
        return ToolResult(said, outgoing=(Outgoing(caption, artifact),))

    return send_file


def described(artifact: Artifact) -> str:
    """What an artifact is: `image/png, 1234 bytes`."""
    return f"{artifact.mime}, {artifact.size} bytes"


def _listed(entries: list[Entry], page: int, size: int) -> str:
    if not entries:
        return "There are no files here."
    pages = -(-len(entries) // size)
    lines = [
        f"{shown(entry.name)}{_MARKS.get(entry.kind, f', {entry.size} bytes')}"
        for entry in entries[(page - 1) * size : page * size]
    ]
    if pages > 1:
        more = " or more" if len(entries) == _LISTED else ""
        lines.append(f"\nPage {page} of {pages}, {len(entries)}{more} names.")
    return "\n".join(lines)


def _page(file: BinaryIO, path: str, page: int, size: int) -> str:
    """A page of a text; it begins and ends between characters."""
    whole = file.seek(0, os.SEEK_END)
    file.seek((page - 1) * size)
    data = file.read(size + 3)
    if b"\0" in data:
        raise ToolError(f"{shown(path)} is no text. Open it with a program that knows its format, or send it.")
    start = next((at for at, byte in enumerate(data[:4]) if page == 1 or byte & 0xC0 != 0x80), 0)  # noqa: PLR2004  # UTF-8
    end = next((at for at in range(size, len(data)) if data[at] & 0xC0 != 0x80), len(data))  # noqa: PLR2004  # the same
    text = _decoded(data[start:end])
    pages = max(1, -(-whole // size))
    if page > pages:
        raise ToolError(f"{shown(path)} has {pages} pages.")
    return f"{text}\n\n[Page {page} of {pages}]" if pages > 1 else text or "(empty)"


def _decoded(data: bytes) -> str:
    """Text as UTF-8, or else as older Windows programs write it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _creates(arguments: JsonObject) -> Effect:
    size = len(arguments["content"])
    return _changes(f"write {shown(arguments['path'])}, {size} characters", arguments["scope"], arguments["path"])


def _moves(arguments: JsonObject) -> Effect:
    scope, goal = arguments["scope"], arguments["to_scope"] or arguments["scope"]
    said = f"move {shown(arguments['path'])} from the {scope} files to {shown(arguments['to'])}"
    return _changes(said, Scope.SHARED if Scope.SHARED in {scope, goal} else goal, arguments["path"], arguments["to"])


def _deletes(arguments: JsonObject) -> Effect:
    return _changes(f"delete {shown(arguments['path'])}", arguments["scope"], arguments["path"])


INJECTED = frozenset({"agents.md", "soul.md", "user.md", "memory.md", "heartbeat.md"})
"""Files that are put into later prompts, in small letters: some disks do not tell them from capitals."""


def _changes(said: str, scope: Scope, *paths: str) -> Effect:
    """What is shared is read in other people's turns later, and workspace files in every turn."""
    lasts = scope is Scope.SHARED or any(_is_injected(path) for path in paths)
    return Effect(Deed.REMEMBER if lasts else Deed.KEEP, f"{said} ({scope} files)")


def _is_injected(path: str) -> bool:
    try:
        return clean(path).casefold() in INJECTED
    except ToolError:  # it will be refused
        return False
