"""Databases to run jobs in."""

from lar.testing.postgres import postgres_server

__all__ = ["postgres_server"]
