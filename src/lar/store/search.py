"""Full-text search: in a person's own conversations and notes, or in one group's messages. Both databases alike."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, column, func, literal, literal_column, select, table

from lar.domain.conversation import Place
from lar.domain.ids import TurnId
from lar.domain.memory import Owner
from lar.domain.message import Author
from lar.store import fulltext
from lar.store.schema import conversation, message, note, turn

_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 16


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was said, or a note (`author` None). `id` is the message's or the note's."""

    id: int
    text: str
    at: float
    author: Author | None = None
    title: str = ""
    turn_id: TurnId | None = None


def words_of(text: str) -> list[str]:
    """What is looked for: words in small letters without accents, each once."""
    return list(dict.fromkeys(_WORD.findall(fulltext.plain(text.lower()))))[:_MOST_WORDS]


def messages(
    connection: Connection, owner: Owner, words: Sequence[str], limit: int, *, every: bool, before: int = 0
) -> list[Hit]:
    """What was said and has words that begin like these, the best first.

    `every`: all of the words, else any of them. `before`: only in turns before this one.
    """
    source, matches, rank = _matching(connection, message, words, every=every)
    wanted = and_(matches, _whose(owner), *([turn.c.id < before] if before else []))
    rows = connection.execute(
        select(message.c.id, message.c.text, message.c.author, message.c.created_at, message.c.turn_id)
        .select_from(source)
        .join(turn, turn.c.id == message.c.turn_id)
        .join(conversation, conversation.c.id == message.c.conversation_id)
        .where(wanted)
        .order_by(rank, message.c.id.desc())
        .limit(limit)
    )
    return [Hit(identity, text, at, Author(author), turn_id=turn_id) for identity, text, author, at, turn_id in rows]


def notes(connection: Connection, owner: Owner, words: Sequence[str], limit: int, *, every: bool) -> list[Hit]:
    """A person's notes that have words that begin like these, the best first. A group has none."""
    if owner.principal_id is None:
        return []
    source, matches, rank = _matching(connection, note, words, every=every)
    rows = connection.execute(
        select(note.c.id, note.c.title, note.c.text, note.c.updated_at)
        .select_from(source)
        .where(matches, note.c.principal_id == owner.principal_id)
        .order_by(rank, note.c.id.desc())
        .limit(limit)
    )
    return [Hit(identity, text, at, title=title) for identity, title, text, at in rows]


def _whose(owner: Owner) -> ColumnElement[bool]:
    """Of a group what was said in it; of a person what was said in private turns of theirs."""
    if owner.conversation_id is not None:
        return conversation.c.id == owner.conversation_id
    return and_(turn.c.principal_id == owner.principal_id, conversation.c.place == Place.PRIVATE)


def _matching(
    connection: Connection, searched: Table, words: Sequence[str], *, every: bool
) -> tuple[Any, ColumnElement[bool], ColumnElement[Any]]:
    """What to select from, what matches, and in which order; `words` as `words_of` gives them, at least one."""
    if connection.dialect.name == "sqlite":
        index = table(f"{searched.name}_words", column("rowid"), column("rank"))
        asked = (" AND " if every else " OR ").join(f'"{word}"*' for word in words)
        joined = searched.join(index, index.c.rowid == searched.c.id)
        return joined, literal_column(index.name).op("MATCH")(literal(asked)), index.c.rank
    columns = fulltext.SEARCHED[searched.name]
    indexed: ColumnElement[Any] = literal_column(fulltext.words(fulltext.joined(columns, f"{searched.name}.")))
    asked = func.to_tsquery("simple", (" & " if every else " | ").join(f"{word}:*" for word in words))
    return searched, indexed.op("@@")(asked), -func.ts_rank(indexed, asked)
