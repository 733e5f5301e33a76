import shutil
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, insert, inspect, select, text

from lar.domain.schedule import Missed
from lar.errors import SchemaTooNew, StoreError
from lar.store import schedules, upgrade
from lar.store.database import Database
from lar.store.schema import job, metadata, principal
from lar.store.settings import StoreSettings
from lar.testing.postgres import PostgresServer


def differences(connection: Connection) -> list[Any]:
    compare_defaults = connection.dialect.name == "postgresql"  # on SQLite Alembic takes '' for something else than ''
    options = {"compare_type": True, "compare_server_default": compare_defaults, "include_name": _is_no_search_index}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


def _is_no_search_index(name: str | None, *_: object) -> bool:
    """Full-text search is beside the tables: `store.fulltext`, compared below with all that SQLite has."""
    return "_words" not in (name or "")


def migrated_from_nothing(engine: Engine) -> list[Any]:
    with engine.connect() as connection, connection.begin():
        upgrade.migrate(connection)
    with engine.connect() as connection:
        return differences(connection)


def sqlite_shape(file: Path) -> dict[str, Any]:
    """Columns with types and defaults, foreign keys, and the text of each index."""
    with create_engine(f"sqlite:///{file}").connect() as connection:
        found = connection.execute(text("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
        autoincrement = {name for _, name, sql in found if "AUTOINCREMENT" in sql}
        shape: dict[str, Any] = {
            name: " ".join(sql.split()) for kind, name, sql in found if kind in {"index", "trigger"} or "_words" in name
        }
        shape["autoincrement"] = autoincrement
        for table in (name for kind, name, _ in found if kind == "table" and name != "alembic_version"):
            for pragma in ("table_info", "foreign_key_list"):
                rows = connection.execute(text(f"PRAGMA {pragma}('{table}')")).all()
                shape[f"{table} {pragma}"] = sorted(map(tuple, rows))
        return shape


def settings(file: Path) -> StoreSettings:
    return StoreSettings(url=f"sqlite:///{file}")


def test_migrations_create_the_schema_on_sqlite(tmp_path: Path) -> None:
    """What Alembic creates on SQLite is what the code believes the tables to be."""
    assert migrated_from_nothing(create_engine(f"sqlite:///{tmp_path / 'lar.db'}")) == []


@pytest.mark.postgres
def test_migrations_create_the_schema_on_postgres(postgres_server: PostgresServer) -> None:  # the fixture
    """What Alembic creates on PostgreSQL is what the code believes the tables to be."""
    url = postgres_server.new_database().replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    assert migrated_from_nothing(engine) == []
    engine.dispose()


async def test_a_new_file_is_what_the_migrations_make(tmp_path: Path) -> None:
    """The short way to a new SQLite database and the way through every migration end in the same schema."""
    db = Database(settings(tmp_path / "short.db"))
    await db.open()
    await db.close()
    migrated_from_nothing(create_engine(f"sqlite:///{tmp_path / 'long.db'}"))
    assert sqlite_shape(tmp_path / "short.db") == sqlite_shape(tmp_path / "long.db")


def test_the_known_revisions_are_the_scripts() -> None:
    """A migration that was added without telling `upgrade.REVISIONS` is noticed here, not at a user's start."""
    config = Config()
    config.set_main_option("script_location", str(upgrade.MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(reversed([found.revision for found in scripts.walk_revisions()])) == upgrade.REVISIONS


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An older Lar does not touch what a newer one wrote, and says what to do."""
    file = tmp_path / "lar.db"
    db = Database(settings(file))
    await db.open()
    await db.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")).close())
    await db.close()
    with pytest.raises(SchemaTooNew, match="schema 9999"):
        await Database(settings(file)).open()


async def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    """Lar does not create its tables among those of another program."""
    file = tmp_path / "other.db"
    with create_engine(f"sqlite:///{file}").begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    with pytest.raises(StoreError, match="not Lar's"):
        await Database(settings(file)).open()


async def test_an_upgrade_backs_the_file_up_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a migration touches a database that holds something, its old state is beside it, readable."""
    file = tmp_path / "lar.db"
    old = Database(settings(file))
    await old.open()
    await old.write(lambda c: c.execute(insert(principal).values(name="Ada", role="admin", created_at=1.0)).close())
    await old.close()
    _pretend_a_newer_revision(monkeypatch, tmp_path)

    new = Database(settings(file))
    await new.open()
    assert await new.read(lambda c: "shelf" in inspect(c).get_table_names())
    assert await new.read(lambda c: c.execute(select(principal.c.name)).scalar()) == "Ada"
    await new.close()

    backup = tmp_path / "lar.db.before-9999"
    with create_engine(f"sqlite:///{backup}").connect() as connection:
        assert connection.execute(select(principal.c.name)).scalar() == "Ada"
        assert "shelf" not in inspect(connection).get_table_names()
    assert backup.stat().st_mode & 0o077 == 0


async def test_a_failing_migration_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration is one transaction: half of one does not exist, and the file is free again."""
    file = tmp_path / "lar.db"
    old = Database(settings(file))
    await old.open()
    await old.close()
    with monkeypatch.context() as broken:
        _pretend_a_newer_revision(broken, tmp_path, then="raise RuntimeError('no')")
        with pytest.raises(RuntimeError):
            await Database(settings(file)).open()
    again = Database(settings(file))
    await again.open()
    assert not await again.read(lambda c: "shelf" in inspect(c).get_table_names())
    await again.close()


@pytest.mark.postgres
async def test_postgres_upgrades_too(
    postgres_server: PostgresServer,  # the fixture
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A PostgreSQL database that is behind is migrated at start; one that is ahead is refused."""
    url = postgres_server.new_database()
    old = Database(StoreSettings(url=url))
    await old.open()
    await old.close()
    with monkeypatch.context() as later:
        _pretend_a_newer_revision(later, tmp_path)
        new = Database(StoreSettings(url=url))
        await new.open()
        assert await new.read(lambda c: "shelf" in inspect(c).get_table_names())
        await new.close()
    with pytest.raises(SchemaTooNew):
        await old.open()


async def test_a_reader_asks_for_the_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that only looks does not migrate: it says which command does."""
    file = tmp_path / "lar.db"
    with pytest.raises(StoreError, match="no database"):
        await Database(settings(file)).open(read_only=True)
    old = Database(settings(file))
    await old.open()
    await old.close()
    _pretend_a_newer_revision(monkeypatch, tmp_path)
    with pytest.raises(StoreError, match="lar run"):
        await Database(settings(file)).open(read_only=True)


def _pretend_a_newer_revision(monkeypatch: pytest.MonkeyPatch, folder: Path, then: str = "pass") -> None:
    """Let the code know a revision 9999 that adds a table."""
    place = folder / "migrations"
    shutil.copytree(upgrade.MIGRATIONS, place, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "versions" / "9999_shelf.py").write_text(
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision = '9999'\ndown_revision = {upgrade.HEAD!r}\n"
        "def upgrade():\n    op.create_table('shelf', sa.Column('id', sa.Integer, primary_key=True))\n"
        f"    {then}\n"
    )
    monkeypatch.setattr(upgrade, "MIGRATIONS", place)
    monkeypatch.setattr(upgrade, "HEAD", "9999")
    monkeypatch.setattr(upgrade, "REVISIONS", (*upgrade.REVISIONS, "9999"))


async def test_jobs_that_queued_themselves_become_schedules(tmp_path: Path) -> None:
    """R-SC-5: after the upgrade there is one of each: the old jobs are gone, a night to come is a schedule."""
    file = tmp_path / "lar.db"
    old = Database(settings(file))
    await old.open()

    def age(connection: Connection) -> None:
        for kind, lane, due in (
            ("housekeeping", "housekeeping", 5.0),
            ("memory_time", "memory_time:daily", 7.0),
            ("turn", "conversation:1", 9.0),
        ):
            values: dict[str, object] = {
                "kind": kind,
                "lane": lane,
                "state": "queued",
                "run_at": due,
                "payload": {},
                "created_at": 1.0,
            }
            connection.execute(insert(job).values(values))
        connection.execute(text("UPDATE alembic_version SET version_num = '0007'"))

    await old.write(age)
    await old.close()
    new = Database(settings(file))
    await new.open()
    assert await new.read(lambda c: list(c.execute(select(job.c.kind)).scalars())) == ["turn"]
    (known,) = await new.read(schedules.with_prefix, "task:")
    assert (known.key, known.next_due, known.missed, known.options) == ("task:memory_day", 7.0, Missed.ALL, {})
    await new.close()
