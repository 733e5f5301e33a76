"""Households to talk to: on SQLite, and on PostgreSQL where a test asks for both."""

from collections.abc import AsyncGenerator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import ExceptionRenderer
from structlog.testing import LogCapture

from lar.engine.settings import EngineSettings
from lar.testing.databases import postgres_server
from lar.testing.household import Household, Plan, living
from lar.testing.postgres import PostgresServer

__all__ = ["postgres_server"]


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, tracebacks as text."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[merge_contextvars, ExceptionRenderer(), capture])
    yield capture.entries
    structlog.configure(**before)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """An ordinary household on SQLite."""
    return Plan(tmp_path)


@pytest.fixture
async def house(plan: Plan) -> AsyncGenerator[Household]:
    """The same, alive."""
    async with living(plan) as household:
        yield household


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    """An ordinary household on either database; a worker of PostgreSQL that died is soon replaced."""
    if request.param == "sqlite":
        return Plan(tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return Plan(tmp_path, url=server.new_database(like="lar_1"), engine=EngineSettings(lease=0.5))
