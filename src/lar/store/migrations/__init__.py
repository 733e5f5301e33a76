"""Alembic migrations. A new one is also added to `store.upgrade.REVISIONS`."""
