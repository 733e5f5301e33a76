"""Content from outside stays that when it is written into a file and read again later, in whatever turn.

It is remembered by name: of files that are written while such content is in the context, until they are written without
it, or deleted. What commands copy or rename is not followed.
"""

from collections.abc import Iterable
from dataclasses import replace

from lar.domain.values import JsonObject
from lar.store import origins
from lar.store.database import Database
from lar.tools.beneath import clean
from lar.tools.contract import Tool, ToolContext, ToolResult
from lar.tools.workspace import Scope, Workspace

_AND = ", "
_WRITES, _MOVES, _DELETES = "create_file", "move_file", "delete_file"


def remembering(db: Database, workspace: Workspace, tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """The tools for files, which remember where what they write came from, and say so when it is read."""
    return tuple(replace(tool, call=_Remembering(db, workspace, tool)) for tool in tools)


class _Remembering:
    """Calls a tool, and keeps the list of files from outside as true as it was before."""

    def __init__(self, db: Database, workspace: Workspace, tool: Tool) -> None:
        self._db = db
        self._workspace = workspace
        self._name, self._call = tool.name, tool.call

    async def __call__(self, context: ToolContext, arguments: JsonObject) -> ToolResult:
        """As the tool itself; what was read from outside comes with its source."""
        if "path" not in arguments:
            return await self._call(context, arguments)
        path = self._path(context, arguments["scope"], arguments["path"])
        if self._name == _WRITES and context.taint:
            sources = sorted({each for source in context.taint for each in source.split(_AND)})
            await self._db.write(origins.mark, path, sources)  # before: a crash must not lose it
        result = await self._call(context, arguments)
        if self._name == _DELETES or (self._name == _WRITES and not context.taint):
            await self._db.write(origins.mark, path, ())
        elif self._name == _MOVES:
            to = self._path(context, arguments["to_scope"] or arguments["scope"], arguments["to"])
            await self._db.write(origins.move, path, to)
        elif self._name != _WRITES and not result.source:
            return replace(result, source=_AND.join(await self._db.read(origins.of, path)))
        return result

    def _path(self, context: ToolContext, scope: Scope, name: str) -> str:
        """The file's own name among everybody's."""
        folder = self._workspace.folder(context, scope)
        return f"{folder.parent.name}/{folder.name}/{clean(name)}"
