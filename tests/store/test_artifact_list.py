"""The list of artifacts, on both databases."""

from lar.domain.artifact import Artifact
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.principal import Principal, Role
from lar.store import artifacts, people
from lar.store.artifacts import Kept
from lar.store.database import Database
from lar.testing.databases import OnPostgres, OnSqlite


async def person(db: Database, name: str) -> PrincipalId:
    """Somebody new."""
    who = Principal(PrincipalId(0), name, Role.USER)
    return (await db.write(people.add, "telegram", "main", name, who, 1.0)).id


def kept(who: PrincipalId, path: str, at: float, size: int = 3) -> Kept:
    """An artifact to list."""
    return Kept(0, Artifact(path, "plot.png", "image/png", size), who, ConversationId(4), TurnId(5), at)


class ArtifactsContract:
    """What the store promises about artifacts. Subclass, and give the fixture `db`."""

    async def test_a_path_is_listed_once(self, db: Database) -> None:
        """A call that is repeated after a crash hands out the artifact it made first."""
        ann = await person(db, "ann")
        first = await db.write(artifacts.add, kept(ann, "artifacts/5/1.1-plot.png", 10.0))
        again = await db.write(artifacts.add, kept(ann, "artifacts/5/1.1-plot.png", 20.0, size=99))
        assert again == first == await db.read(artifacts.find, "artifacts/5/1.1-plot.png")
        assert await db.read(artifacts.find, "artifacts/5/other") is None

    async def test_each_sees_their_own_the_newest_first(self, db: Database) -> None:
        """R-ME-9: what was made for one person is not listed for another."""
        ann, ben = await person(db, "ann"), await person(db, "ben")
        for number, who in enumerate((ann, ben, ann)):
            await db.write(artifacts.add, kept(who, f"artifacts/5/{number}", 10.0 + number))
        mine = await db.read(artifacts.of_person, ann, 10)
        assert [each.artifact.path for each in mine] == ["artifacts/5/2", "artifacts/5/0"]
        assert [each.principal_id for each in await db.read(artifacts.of_person, ben, 10)] == [ben]
        assert [each.created_at for each in await db.read(artifacts.of_person, ann, 1, 1)] == [10.0]

    async def test_old_ones_are_forgotten(self, db: Database) -> None:
        """Retention strikes off what is older, and nothing else."""
        ann = await person(db, "ann")
        for number in range(4):
            await db.write(artifacts.add, kept(ann, f"artifacts/5/{number}", float(number)))
        assert await db.write(artifacts.forget, 2.0) == 2
        assert len(await db.read(artifacts.of_person, ann, 10)) == 2


class TestArtifactsOnSqlite(OnSqlite, ArtifactsContract):
    """SQLite keeps the contract."""


class TestArtifactsOnPostgres(OnPostgres, ArtifactsContract):
    """PostgreSQL keeps the contract."""
