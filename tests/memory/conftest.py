"""Databases to remember in, on SQLite and on PostgreSQL, and a household that does."""

from dataclasses import replace
from pathlib import Path

import pytest
from memory_house import BERLIN, SETTINGS, Model

from lar.testing.databases import postgres_db, postgres_server, sqlite_db
from lar.testing.household import Plan
from lar.testing.postgres import PostgresServer

__all__ = ["postgres_db", "postgres_server", "sqlite_db"]


@pytest.fixture
def model() -> Model:
    """A model that does as it is told."""
    return Model()


@pytest.fixture
def plan(tmp_path: Path, model: Model) -> Plan:
    """A household that remembers, on SQLite."""
    return Plan(tmp_path, memory=SETTINGS, ask=model, time_zone=BERLIN)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def anywhere(request: pytest.FixtureRequest, plan: Plan) -> Plan:
    """The same on either database."""
    if request.param == "sqlite":
        return plan
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return replace(plan, url=server.new_database(like="lar_1"))
