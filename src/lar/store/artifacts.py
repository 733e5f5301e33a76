"""Artifacts: files that tools kept for people. The files themselves are below `LAR_HOME/files`."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, select

from lar.domain.artifact import Artifact
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.store.dialect import InsertNew
from lar.store.schema import artifact
from lar.store.upkeep import prune as prune_some

_add = InsertNew(artifact, "id")


@dataclass(frozen=True, slots=True)
class Kept:
    """An artifact and where it comes from. `created_at` is in seconds since the epoch."""

    id: int
    artifact: Artifact
    principal_id: PrincipalId
    conversation_id: ConversationId
    turn_id: TurnId
    created_at: float


def add(connection: Connection, kept: Kept) -> Artifact:
    """List an artifact (its `id` is not used). Where its path is listed already, that one stays and is returned."""
    file = kept.artifact
    values = {
        "principal_id": kept.principal_id,
        "conversation_id": kept.conversation_id,
        "turn_id": kept.turn_id,
        "path": file.path,
        "name": file.name,
        "mime": file.mime,
        "size": file.size,
        "created_at": kept.created_at,
    }
    return file if _add(connection, values) is not None else find(connection, file.path) or file


def find(connection: Connection, path: str) -> Artifact | None:
    """The artifact at this path."""
    row = connection.execute(select(artifact).where(artifact.c.path == path)).first()
    return None if row is None else _kept(row).artifact


def of_person(connection: Connection, principal_id: PrincipalId, limit: int, offset: int = 0) -> list[Kept]:
    """What was kept for a person, the newest first."""
    mine = select(artifact).where(artifact.c.principal_id == principal_id).order_by(artifact.c.id.desc())
    return [_kept(row) for row in connection.execute(mine.limit(limit).offset(offset))]


def forget(connection: Connection, before: float) -> int:
    """Strike a batch of those kept before this time (seconds since the epoch) off the list; how many."""
    return prune_some(connection, artifact, artifact.c.created_at < before)


def _kept(row: Row[*tuple[object, ...]]) -> Kept:
    return Kept(
        id=row.id,
        artifact=Artifact(row.path, row.name, row.mime, row.size),
        principal_id=PrincipalId(row.principal_id),
        conversation_id=ConversationId(row.conversation_id),
        turn_id=TurnId(row.turn_id),
        created_at=row.created_at,
    )
