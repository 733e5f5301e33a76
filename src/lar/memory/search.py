"""The tool that finds what was said before, and notes, however long ago."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from lar.domain.memory import Owner
from lar.domain.risk import Risk
from lar.errors import ToolError
from lar.store import search, turns
from lar.store.database import Connection, Database
from lar.store.search import Hit
from lar.tools.contract import Tool, ToolContext, ToolResult
from lar.tools.define import tool

_AROUND = 240
"""Characters of a hit that are shown on either side of what was found."""

Query = Annotated[str, Field(min_length=1, max_length=500)]


def search_tool(db: Database, page_size: int = 20) -> Tool:
    """The tool `search_memory`."""

    @tool(risk=Risk.READ, repeatable=True)
    async def search_memory(context: ToolContext, query: Query) -> ToolResult:
        """Find what was said earlier, however long ago, and notes: this person's own, or in a group the group's.

        Args:
            context: Who asks.
            query: Words to look for; beginnings of words are enough.
        """
        words = search.words_of(query)
        if not words:
            raise ToolError("Give a word to look for.")
        found, taint = await db.read(_found, context, words, page_size)
        if not found:
            return ToolResult("Nothing was found. Try other words, or fewer.")
        source = f"earlier messages ({', '.join(taint)})" if taint else ""
        return ToolResult("\n".join(_line(hit, words) for hit in found), source=source)

    return search_memory


def _found(connection: Connection, context: ToolContext, words: list[str], limit: int) -> tuple[list[Hit], list[str]]:
    """Hits of all words, or else of any; and where content from outside came from that their turns saw."""
    owner = Owner.of(context.place, context.principal.id, context.conversation_id)
    for every in (True, False):
        notes = search.notes(connection, owner, words, limit, every=every)
        said = search.messages(connection, owner, words, limit, every=every, before=context.turn_id)
        if notes or said:
            taints = turns.taints(connection, {hit.turn_id for hit in said if hit.turn_id is not None})
            return [*notes, *said], list(dict.fromkeys(source for sources in taints.values() for source in sources))
    return [], []


def _line(hit: Hit, words: list[str]) -> str:
    when = f"{datetime.fromtimestamp(hit.at, tz=UTC):%Y-%m-%d %H:%M} UTC"
    if hit.author is None:
        return f"- note #{hit.id} {hit.title} ({when}): {_excerpt(hit.text, words)}"
    return f"- #{hit.id} {when} {hit.author}: {_excerpt(hit.text, words)}"


def _excerpt(text: str, words: list[str]) -> str:
    """What is around the first word that is found, on one line."""
    line = " ".join(text.split())
    at = min((place for word in words if (place := line.lower().find(word)) >= 0), default=0)
    start, end = max(at - _AROUND, 0), at + _AROUND
    return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"
