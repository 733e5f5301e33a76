from lar.testing.databases import OnPostgres, OnSqlite
from lar.testing.store_contract import DatabaseContract, JobsContract


class TestDatabaseOnSqlite(OnSqlite, DatabaseContract):
    """Units of SQL on SQLite."""


class TestDatabaseOnPostgres(OnPostgres, DatabaseContract):
    """Units of SQL on PostgreSQL."""


class TestJobsOnSqlite(OnSqlite, JobsContract):
    """Jobs on SQLite."""


class TestJobsOnPostgres(OnPostgres, JobsContract):
    """Jobs on PostgreSQL."""
