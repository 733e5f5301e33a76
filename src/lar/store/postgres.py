"""PostgreSQL."""

from lar.store.sqlite import SqliteBackend as PostgresBackend

__all__ = ["PostgresBackend"]
