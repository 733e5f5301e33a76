"""Notes: short facts a person asked to keep."""

from dataclasses import dataclass

from lar.domain.ids import NoteId, PrincipalId


@dataclass(frozen=True, slots=True)
class Note:
    """A note of one person. `title` is unique among the person's notes. Times: seconds since the epoch."""

    id: NoteId
    principal_id: PrincipalId
    title: str
    text: str
    created_at: float
    updated_at: float
