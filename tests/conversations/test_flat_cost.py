"""What a message costs does not grow with what was said before: no busy query reads a whole table or sorts one."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event

from lar.domain.delivery import DeliveryState
from lar.domain.ids import ConversationId, JobId, PrincipalId, TurnId
from lar.domain.memory import Owner
from lar.store import deliveries, jobs, memories, messages, turns
from lar.store.schema import metadata

HERE = ConversationId(1)
ACCOUNTS = [("fake", "main")]

BUSY: dict[str, Callable[[Connection], object]] = {
    "claim": lambda c: jobs.claim(c, worker_id=1, limit=4, now=1.0, kinds=["turn"]),
    "next_run_at": lambda c: jobs.next_run_at(c, now=1.0, kinds=["turn"]),
    "open_in": lambda c: turns.open_in(c, HERE),
    "count_open": turns.count_open,
    "stop_jobs": lambda c: turns.stop_jobs(c, [JobId(1)], 1.0, ""),
    "of_turn": lambda c: messages.of_turn(c, TurnId(1)),
    "window": lambda c: messages.window(c, HERE, 0, TurnId(9), 20),
    "sentences": lambda c: memories.sentences(c, HERE, 0, TurnId(9), 20),
    "newest_turn": lambda c: memories.newest_turn(c, HERE),
    "summaries": lambda c: memories.summaries(c, Owner(PrincipalId(1))),
    "taints": lambda c: turns.taints(c, [TurnId(1), TurnId(2)]),
    "by_ids": lambda c: messages.by_ids(c, [1, 2]),
    "take": lambda c: deliveries.take(c, HERE, ACCOUNTS, 1.0),
    "close_open": lambda c: deliveries.close_open(c, [HERE], DeliveryState.CANCELLED, turns_only=True),
    "close_turns": lambda c: deliveries.close_turns(c, [TurnId(1)], DeliveryState.CANCELLED),
    "recover": lambda c: deliveries.recover(c, "fake", "main"),
    "waiting": lambda c: deliveries.waiting(c, "fake", "main"),
}


@pytest.mark.parametrize("name", BUSY)
def test_busy_queries_use_an_index(name: str) -> None:
    """100,000 finished turns in the database, or in one chat, make no message slower."""
    engine = create_engine("sqlite://")
    plans: list[str] = []

    def explain(connection: Any, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        raw = connection.connection.driver_connection
        plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    with engine.connect() as connection:
        metadata.create_all(connection)
        event.listen(engine, "before_cursor_execute", explain)
        BUSY[name](connection)
    tables = {f"SCAN {table}" for table in metadata.tables}
    assert plans
    assert [line for line in plans if any(line.startswith(scan) for scan in tables)] == []
    if name == "window":  # its order is the index's: what is behind the limit is not read
        assert "USE TEMP B-TREE FOR ORDER BY" not in plans
