"""Alembic's way in. The connection, and its transaction, come from `store.upgrade`."""

from alembic import context
from sqlalchemy import Connection

from lar.store.schema import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
