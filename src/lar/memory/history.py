"""The tool that looks at this conversation, and trims it."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from lar.domain.conversation import Place
from lar.domain.ids import MessageId
from lar.domain.risk import Deed, Risk
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.store import history, memories
from lar.store.database import Connection, Database
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult
from lar.tools.define import tool

_LONGEST_LINE = 2000


def history_tool(db: Database, page_size: int = 20) -> Tool:
    """The tool `chat_history`."""

    @tool(risk=Risk.WRITE, repeatable=True, effect=_effect)
    async def chat_history(
        context: ToolContext,
        action: Literal["show", "trim"] = "show",
        before: Annotated[int, Field(ge=0)] = 0,
        keep: Annotated[int, Field(ge=0)] = 0,
    ) -> str | ToolResult:
        """Look at earlier messages of this conversation, or delete its oldest messages for good.

        Args:
            context: Who asks.
            action: `show`, or `trim` when the person asks for it.
            before: With `show`: only messages older than the one with this number; 0 for the latest.
            keep: With `trim`: how many of the newest messages stay; 0 deletes all but this exchange.
        """
        if action == "show":
            return await _show(db, context, MessageId(before) if before else None, page_size)
        if context.place is Place.GROUP and not context.principal.is_admin:
            raise ToolError("In a group only an admin may trim the history.")
        deleted = await db.write(_trim, context, keep)
        return f"Deleted {deleted} messages."

    return chat_history


def _effect(arguments: JsonObject) -> Effect:
    if arguments["action"] == "show":
        return Effect(Deed.LOOK, "look at earlier messages of this conversation")
    kept = f"all but the newest {arguments['keep']} messages" if arguments["keep"] else "all earlier messages"
    return Effect(Deed.REMEMBER, f"delete {kept} of this conversation for good")


def _trim(connection: Connection, context: ToolContext, keep: int) -> int:
    """Delete the messages, and the sentences that were made of them."""
    deleted = history.trim(connection, context.conversation_id, keep, context.turn_id)
    memories.forget_trimmed(connection, context.conversation_id)
    return deleted


async def _show(db: Database, context: ToolContext, before: MessageId | None, limit: int) -> str | ToolResult:
    lines, total = await db.read(history.latest, context.conversation_id, before, limit)
    if not lines:
        return "There are no earlier messages."
    shown = [f"#{line.id} {_moment(line.created_at)} {line.author}: {_cut(line.text)}" for line in lines]
    text = "\n".join([f"{len(lines)} of {total} messages, oldest first:", *shown])
    taint = await db.read(history.taint_of, [line.id for line in lines])
    return ToolResult(text, source=f"earlier messages ({', '.join(taint)})" if taint else "")


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M} UTC"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]} [...]"
