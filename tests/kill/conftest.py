"""Databases for the kill suite: a fresh one for every run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lar.testing.databases import postgres_server
from lar.testing.postgres import PostgresServer

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes the URL of a fresh database, by a name."""
    if request.param == "sqlite":
        return lambda name: f"sqlite:///{tmp_path}/{name}.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return lambda _name: server.new_database()
