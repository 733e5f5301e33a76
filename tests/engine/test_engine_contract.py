from lar.testing.databases import OnPostgres, OnSqlite
from lar.testing.engine_contract import EngineContract


class TestEngineOnSqlite(OnSqlite, EngineContract):
    """The engine on SQLite."""


class TestEngineOnPostgres(OnPostgres, EngineContract):
    """The engine on PostgreSQL."""
