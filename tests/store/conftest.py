"""Databases to store things in."""

from lar.testing.postgres import postgres_server

__all__ = ["postgres_server"]
