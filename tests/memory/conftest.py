"""Databases to remember in: on SQLite, and on PostgreSQL."""

from lar.testing.databases import postgres_db, postgres_server, sqlite_db

__all__ = ["postgres_db", "postgres_server", "sqlite_db"]
