"""The schema's version, and the way from an older one to ours.

Alembic is imported only when there is something to migrate. A new database is created whole from `store.schema`.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from lar.errors import SchemaTooNew, StoreError
from lar.store import fulltext
from lar.store.schema import metadata

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision in `store/migrations/versions`, oldest first."""

HEAD = REVISIONS[-1]

MIGRATIONS = Path(__file__).parent / "migrations"

_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


@dataclass(frozen=True, slots=True)
class Found:
    """What a database turned out to be. `revision` is None where none is recorded."""

    revision: str | None
    is_empty: bool

    @property
    def is_current(self) -> bool:
        """Whether there is nothing to do."""
        return self.revision == HEAD


def check(connection: Connection) -> Found:
    """Look at the schema's version.

    Raises:
        SchemaTooNew: it is none of ours, so a newer Lar wrote it.
        StoreError: the database belongs to something else.

    """
    inspector = inspect(connection)
    if inspector.has_table(_version.name):
        revision = connection.execute(select(_version.c.version_num)).scalar()
        if revision is not None and revision not in REVISIONS:
            raise SchemaTooNew(
                f"the database has schema {revision}, this Lar knows up to {HEAD}: install the newer Lar again"
            )
        if revision is not None:
            return Found(revision, is_empty=False)
    if inspector.get_table_names():
        raise StoreError("the database holds tables that are not Lar's: give Lar a database of its own")
    return Found(None, is_empty=True)


def require_current(found: Found) -> None:
    """Refuse to look at a schema that has yet to be upgraded.

    Raises:
        StoreError: it has.

    """
    if not found.is_current:
        raise StoreError(f"the database has schema {found.revision}, not {HEAD}: start `lar run` once to upgrade it")


def upgrade(connection: Connection, found: Found) -> None:
    """Bring the schema to `HEAD`, inside the transaction of `connection`."""
    if found.is_empty:
        metadata.create_all(connection)
        fulltext.create(connection)
        _version.create(connection, checkfirst=True)
        connection.execute(insert(_version).values(version_num=HEAD))
    else:
        migrate(connection)


def migrate(connection: Connection) -> None:
    """Run the migrations that are missing, inside the transaction of `connection`."""
    command = import_module("alembic.command")
    config = import_module("alembic.config").Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
