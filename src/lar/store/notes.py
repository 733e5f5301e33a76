"""Notes: private to one person, found by number, title or words."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, true, update

from lar.domain.ids import NoteId, PrincipalId
from lar.domain.note import Note
from lar.store.dialect import InsertNew
from lar.store.schema import note

_add = InsertNew(note, "id")


@dataclass(frozen=True, slots=True)
class Page:
    """Some notes of a longer list. `total` is how many match in all."""

    notes: tuple[Note, ...]
    total: int


def _note(row: Row[*tuple[object, ...]]) -> Note:
    return Note(
        id=NoteId(row.id),
        principal_id=PrincipalId(row.principal_id),
        title=row.title,
        text=row.text,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def save(connection: Connection, principal_id: PrincipalId, title: str, text: str, now: float) -> Note:
    """Keep `text` under `title`. A note of this title is replaced, and keeps its id."""
    values = {"principal_id": principal_id, "title": title, "text": text, "created_at": now, "updated_at": now}
    if _add(connection, values) is None:
        connection.execute(update(note).where(_mine(principal_id, title=title)).values(text=text, updated_at=now))
    return _note(connection.execute(select(note).where(_mine(principal_id, title=title))).one())


def keep(connection: Connection, principal_id: PrincipalId, title: str, text: str, now: float) -> Note:
    """Keep `text` under a title like `title` that replaces nothing: numbered if that is taken.

    A note that says exactly this already is returned as it is.
    """
    same = connection.execute(select(note).where(_mine(principal_id, text=text)).order_by(note.c.id)).first()
    if same is not None:
        return _note(same)
    number, free = 1, title
    values = {"principal_id": principal_id, "text": text, "created_at": now, "updated_at": now}
    while _add(connection, {**values, "title": free}) is None:
        number += 1
        free = f"{title} ({number})"
    return _note(connection.execute(select(note).where(_mine(principal_id, title=free))).one())


def find(connection: Connection, principal_id: PrincipalId, reference: str) -> Note | None:
    """The note with this number (`3` or `#3`), or else with this title in any case."""
    number = reference.strip().removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < len(str(2**63)):
        row = connection.execute(select(note).where(_mine(principal_id, id=int(number)))).first()
        if row is not None:
            return _note(row)
    row = connection.execute(
        select(note)
        .where(note.c.principal_id == principal_id, func.lower(note.c.title) == reference.strip().lower())
        .order_by(note.c.id)
    ).first()
    return None if row is None else _note(row)


def search(connection: Connection, principal_id: PrincipalId, words: str, limit: int, offset: int = 0) -> Page:
    """Notes whose title or text has every word, the newest change first. No words: all notes."""
    holds = [or_(_has(note.c.title, word), _has(note.c.text, word)) for word in words.lower().split()]
    wanted = and_(note.c.principal_id == principal_id, true(), *holds)
    total = connection.execute(select(func.count()).select_from(note).where(wanted)).scalar_one()
    newest_first = select(note).where(wanted).order_by(note.c.updated_at.desc(), note.c.id.desc())
    rows = connection.execute(newest_first.limit(limit).offset(offset))
    return Page(tuple(_note(row) for row in rows), total)


def remove(connection: Connection, principal_id: PrincipalId, note_id: NoteId) -> bool:
    """Delete a note; False if this person has no such note."""
    return connection.execute(delete(note).where(_mine(principal_id, id=note_id))).rowcount > 0


def _mine(principal_id: PrincipalId, **values: object) -> ColumnElement[bool]:
    return and_(note.c.principal_id == principal_id, *(note.c[name] == value for name, value in values.items()))


def _has(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    return func.lower(column).contains(word, autoescape=True)
