"""Databases to keep schedules in."""

from lar.testing.databases import postgres_db, postgres_server, sqlite_db

__all__ = ["postgres_db", "postgres_server", "sqlite_db"]
