"""The tools for notes. Each person has their own; in a group nobody has any."""

from typing import Annotated

from pydantic import Field

from lar.domain.note import Note
from lar.domain.risk import Deed, Risk
from lar.domain.values import Clock, JsonObject
from lar.errors import ToolError
from lar.store import notes
from lar.store.database import Database
from lar.tools.contract import Effect, Tool, ToolContext
from lar.tools.define import tool

_LONGEST_TITLE = 60
_EXCERPT = 120

Title = Annotated[str, Field(max_length=200)]
Body = Annotated[str, Field(min_length=1, max_length=50_000)]
PageNumber = Annotated[int, Field(ge=1, le=100_000)]


def note_tools(db: Database, clock: Clock, page_size: int = 20) -> tuple[Tool, ...]:
    """The tools `save_note`, `get_note`, `search_notes`, `list_notes` and `delete_note`."""

    @tool(risk=Risk.WRITE, repeatable=True, private=True, effect=_keeping)
    async def save_note(context: ToolContext, text: Body, title: Title = "") -> str:
        """Keep a note for this person, for good. A note of the same title is replaced.

        Args:
            context: Who asks.
            text: What to remember, complete in itself.
            title: A short title; left out, the beginning of the text, and nothing is replaced.
        """
        save = notes.save if title.strip() else notes.keep
        note = await db.write(save, context.principal.id, title.strip() or title_of(text), text.strip(), clock())
        return f"Saved as note #{note.id}: {note.title}"

    @tool(risk=Risk.READ, repeatable=True, private=True)
    async def get_note(context: ToolContext, note: str) -> str:
        """Read one of this person's notes in full.

        Args:
            context: Who asks.
            note: Its number, or its exact title.
        """
        found = await _found(db, context, note)
        return f"Note #{found.id}: {found.title}\n\n{found.text}"

    @tool(risk=Risk.READ, repeatable=True, private=True)
    async def search_notes(context: ToolContext, query: str, page: PageNumber = 1) -> str:
        """Find this person's notes that contain every one of some words.

        Args:
            context: Who asks.
            query: Words to look for in titles and texts.
            page: Which page of the results.
        """
        return _shown(await db.read(notes.search, context.principal.id, query, page_size, (page - 1) * page_size), page)

    @tool(risk=Risk.READ, repeatable=True, private=True)
    async def list_notes(context: ToolContext, page: PageNumber = 1) -> str:
        """List this person's notes, the last changed first.

        Args:
            context: Who asks.
            page: Which page of the list.
        """
        return _shown(await db.read(notes.search, context.principal.id, "", page_size, (page - 1) * page_size), page)

    @tool(risk=Risk.WRITE, repeatable=False, private=True, effect=_deleting)
    async def delete_note(context: ToolContext, note: str) -> str:
        """Delete one of this person's notes for good.

        Args:
            context: Who asks.
            note: Its number, or its exact title.
        """
        found = await _found(db, context, note)
        await db.write(notes.remove, context.principal.id, found.id)
        return f"Deleted note #{found.id}: {found.title}"

    def _shown(page: notes.Page, number: int) -> str:
        if not page.notes:
            return NOTHING
        lines = [f"- #{note.id} {_summary(note)}" for note in page.notes]
        pages = -(-page.total // page_size)
        if pages > 1:
            lines += ["", f"Page {number} of {pages}, {page.total} notes."]
        return "\n".join(lines)

    return save_note, get_note, search_notes, list_notes, delete_note


def _keeping(arguments: JsonObject) -> Effect:
    title, text = arguments["title"].strip(), arguments["text"].strip()
    return Effect(Deed.REMEMBER, f"keep the note {title or title_of(text)!r}: {text}")


def _deleting(arguments: JsonObject) -> Effect:
    return Effect(Deed.REMEMBER, f"delete the note {arguments['note']!r} for good")


NOTHING = "No notes found."


def title_of(text: str) -> str:
    """A title for a note that was given none: the beginning of its text."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TITLE else f"{line[: _LONGEST_TITLE - 1].rstrip()}…"


async def _found(db: Database, context: ToolContext, reference: str) -> Note:
    found = await db.read(notes.find, context.principal.id, reference)
    if found is None:
        raise ToolError(f"There is no note {reference!r}.")
    return found


def _summary(note: Note) -> str:
    line = " ".join(note.text.split())
    if line == note.title:
        return note.title
    excerpt = line if len(line) <= _EXCERPT else f"{line[: _EXCERPT - 1].rstrip()}…"
    return f"{note.title}: {excerpt}" if not line.startswith(note.title.rstrip("…")) else excerpt
