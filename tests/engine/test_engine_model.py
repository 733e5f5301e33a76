import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from lar.store.schema import metadata
from lar.testing.engine_model import JobsMachine
from lar.testing.postgres import PostgresServer


def run(engine: Engine, examples: int) -> None:
    class Machine(JobsMachine):
        def connect(self) -> Connection:
            return engine.connect()

    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    chosen = settings(max_examples=examples, stateful_step_count=60, suppress_health_check=slow)
    run_state_machine_as_test(Machine, settings=chosen)  # pyright: ignore[reportUnknownMemberType]  # untyped there


def test_the_engine_is_its_model_on_sqlite() -> None:
    """No sequence of claims, ends, signals, cancels and crashes makes the tables differ from the simple model."""
    engine = create_engine("sqlite://", isolation_level="AUTOCOMMIT", poolclass=StaticPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
    metadata.create_all(engine)
    run(engine, 60)


@pytest.mark.postgres
def test_the_engine_is_its_model_on_postgres(postgres_server: PostgresServer) -> None:
    """The same on PostgreSQL."""
    url = postgres_server.new_database(like="lar_1").replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    run(engine, 25)
    engine.dispose()
