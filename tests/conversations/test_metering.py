"""The meter over a real database: racing reservations, settlements, what a crash leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection

from lar.conversations.metering import StoreMeter, add_for_today
from lar.domain.ids import PrincipalId
from lar.domain.spend import Payer, Spent
from lar.errors import BudgetReached, StoreError
from lar.policy.budgets import Standing
from lar.policy.settings import BudgetSettings, Cap, PersonCap, Price, TotalCap
from lar.providers.asking import Asker
from lar.providers.models import Models
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.settings import ProviderSettings
from lar.store import budgets
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.clock import FakeClock
from lar.testing.databases import postgres_server
from lar.testing.models import ModelSim
from lar.testing.postgres import PostgresServer

__all__ = ["postgres_server"]

ANN = Payer(PrincipalId(1), "main")
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()


class Told:
    """Notices that remember."""

    def __init__(self) -> None:
        self.refusals: list[str] = []
        self.warnings: list[str] = []
        self.fails = False

    def refused(self, connection: Connection, standing: Standing, day: str, now: float, /) -> None:
        """A refusal."""
        del connection, day, now
        self.refusals.append(standing.account.key)

    def warned(self, connection: Connection, payer: Payer, near: Sequence[Standing], day: str, now: float, /) -> None:
        """Warnings."""
        del connection, payer, day, now
        if self.fails:
            raise StoreError("the disk is full")
        self.warnings += [standing.account.key for standing in near]


@pytest.fixture
def clock() -> FakeClock:
    """Noon of the last day of a month."""
    return FakeClock(NOON)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lar.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database(like="lar_1")


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """A database."""
    db = Database(StoreSettings(url=url))
    await db.open()
    yield db
    await db.close()


@pytest.fixture
def told() -> Told:
    """Whoever is told."""
    return Told()


def meter_of(db: Database, clock: FakeClock, told: Told, **caps: Cap) -> StoreMeter:
    """A meter with these caps."""
    settings = BudgetSettings.model_validate({name: cap.model_dump() for name, cap in caps.items()})
    return StoreMeter(db, settings, clock, UTC, told)


async def lines(db: Database) -> list[budgets.Line]:
    """Everything that was spent."""
    return await db.read(budgets.lines, "0000", "9999")


async def test_racing_turns_do_not_overspend(db: Database, clock: FakeClock, told: Told) -> None:
    """R-LM-5: of fifty calls at once only those are made that the cap pays for; the others are told until when."""
    meter = meter_of(db, clock, told, person=PersonCap(day=1.0))
    most = Spent(100, 100, 0.3)
    found = await asyncio.gather(*(meter.reserve(ANN, "a:b", most) for _ in range(50)), return_exceptions=True)
    holds = [hold for hold in found if not isinstance(hold, BaseException)]
    refused = [error for error in found if isinstance(error, BudgetReached)]
    assert (len(holds), len(refused)) == (3, 47)
    assert {(error.scope, error.period, error.cap) for error in refused} == {("person", "day", 1.0)}
    assert refused[0].retry_after == 12 * 3600
    for hold in holds:
        meter.settle(hold, Spent(50, 10, 0.1))
    await meter.close()
    (line,) = await lines(db)
    assert (line.calls, line.input_tokens, line.output_tokens) == (3, 150, 30)
    assert line.usd == pytest.approx(0.3)
    assert (line.day, line.principal_id, line.agent, line.model, line.estimated_usd) == (
        "2026-11-30",
        1,
        "main",
        "a:b",
        0,
    )
    await meter.reserve(ANN, "a:b", most)


@pytest.mark.postgres
async def test_racing_workers_do_not_overspend(postgres_server: PostgresServer, clock: FakeClock, told: Told) -> None:
    """R-LM-5: of fifty calls of two workers on one database only those are made that the cap pays for."""
    url, most = postgres_server.new_database(like="lar_1"), Spent(100, 100, 0.3)
    workers = [Database(StoreSettings(url=url)) for _ in range(2)]
    for worker in workers:
        await worker.open()
    try:
        meters = [meter_of(worker, clock, told, person=PersonCap(day=2.0)) for worker in workers]
        racing = [meter.reserve(ANN, "a:b", most) for _ in range(25) for meter in meters]
        found = await asyncio.gather(*racing, return_exceptions=True)
        holds = [hold for hold in found if not isinstance(hold, BaseException)]
        assert len(holds) == 6
        assert sum(isinstance(error, BudgetReached) for error in found) == 44
    finally:
        for worker in workers:
            await worker.close()


async def test_what_asks_every_minute_stops_at_its_cap(db: Database, clock: FakeClock, told: Told) -> None:
    """R-LM-5: a schedule asks a model every minute until its cap is reached, then nobody, and the next day again."""
    cap, price = 0.05, Price(input=100, output=100)
    budgets = BudgetSettings(schedule=Cap(day=cap), prices={"one:m": price})
    meter = StoreMeter(db, budgets, clock, UTC, told)
    async with ModelSim() as sim:
        settings = ProviderSettings(base_url=sim.openai_url, api_keys=(SecretStr("sk-a-key"),))
        models = Models({"one": OpenAIFactory("one", settings)}, clock=clock, meter=meter)
        ask = Asker(models, "one:m", 100, payer=Payer(agent="main", schedule="runbook:news"))
        answered: list[bool] = []
        for _ in range(60):
            try:
                answered.append(bool(await ask("", "is there anything to do?")))
            except BudgetReached as error:
                answered.append((error.scope, error.period) != ("schedule", "day"))
            await meter.close()
            clock.advance(60)
        asked = answered.index(False)
        assert 5 < asked < 60
        assert not any(answered[asked:])
        assert len(sim.log) == asked
        (line,) = await lines(db)
        assert line.usd <= cap
        counted = sum(sum(entry["tokens"].values()) for entry in sim.log) * 100 / 1_000_000
        assert line.usd == pytest.approx(counted)
        clock.advance(24 * 3600)
        assert await ask("", "and now?")
        await models.close()


async def test_a_new_day_and_a_new_month_begin_anew(db: Database, clock: FakeClock, told: Told) -> None:
    """R-LM-5: caps of a day end at midnight, those of a month with the month, and a refusal says which."""
    meter = meter_of(db, clock, told, total=TotalCap(day=1.0, month=1.5), person=PersonCap(day=None))
    await meter.reserve(ANN, "a:b", Spent(usd=0.9))
    clock.now -= 24 * 3600
    with pytest.raises(BudgetReached, match="month"):
        await meter.reserve(ANN, "a:b", Spent(usd=0.9))
    clock.now += 24 * 3600
    with pytest.raises(BudgetReached, match="day"):
        await meter.reserve(ANN, "a:b", Spent(usd=0.9))
    clock.now += 12 * 3600
    await meter.reserve(ANN, "a:b", Spent(usd=0.9))
    with pytest.raises(BudgetReached) as caught:
        await meter.reserve(ANN, "a:b", Spent(usd=0.9))
    assert caught.value.retry_after == 24 * 3600
    assert told.refusals == ["total:month:", "total:day:", "total:day:"]


async def test_a_warning_that_was_not_written_is_given_by_the_next_call(
    db: Database, clock: FakeClock, told: Told
) -> None:
    """R-LM-5: from 80 % on a call warns; where the call did not come about, nor did its warning: the next one warns."""
    meter = meter_of(db, clock, told, person=PersonCap(day=1.0))
    hold = await meter.reserve(ANN, "a:b", Spent(usd=0.1))
    meter.settle(hold, Spent(1, 1, 0.42))
    await meter.close()
    assert told.warnings == []
    meter.settle(await meter.reserve(ANN, "a:b", Spent(usd=0.1)), Spent(1, 1, 0.42))
    await meter.close()
    told.fails = True
    with pytest.raises(StoreError):
        await meter.reserve(ANN, "a:b", Spent(usd=0.1))
    told.fails = False
    await meter.reserve(ANN, "a:b", Spent(usd=0.1))
    assert told.warnings == ["person:day:1"]


async def test_an_admin_allows_more(db: Database, clock: FakeClock, told: Told) -> None:
    """R-LM-5: what was added holds for its day alone."""
    meter = meter_of(db, clock, told, person=PersonCap(day=1.0))
    await db.write(add_for_today, "person:day:1", 1.0, "2026-11-30")
    await db.write(add_for_today, "person:day:1", 0.5, "2026-11-30")
    await meter.reserve(ANN, "a:b", Spent(usd=2.4))
    with pytest.raises(BudgetReached) as caught:
        await meter.reserve(ANN, "a:b", Spent(usd=0.2))
    assert caught.value.cap == 2.5
    clock.now += 24 * 3600
    with pytest.raises(BudgetReached):
        await meter.reserve(ANN, "a:b", Spent(usd=1.1))


async def test_a_crash_settles_in_full(db: Database, clock: FakeClock, told: Told) -> None:
    """R-LM-5: what a dead process reserved counts as spent, marked as estimated; what still runs elsewhere does not."""
    meter = meter_of(db, clock, told)
    await meter.reserve(ANN, "a:b", Spent(100, 200, 0.5))
    clock.now += 1.0
    if db.dialect == "postgresql":
        await meter.open()
        assert await lines(db) == []
        clock.now += 3600.0
    await meter.open()
    (line,) = await lines(db)
    assert (line.input_tokens, line.output_tokens, line.usd, line.estimated_usd) == (100, 200, 0.5, 0.5)


async def test_what_costs_nothing_is_counted(db: Database, clock: FakeClock, told: Told) -> None:
    """R-LM-5: a model at home needs no reservation; its tokens are in the sums; a call that was refused is not."""
    meter = meter_of(db, clock, told, total=TotalCap(day=0.0))
    for tokens in (Spent(10, 5), Spent()):
        meter.settle(await meter.reserve(ANN, "ollama:x", Spent(100, 100)), tokens)
        await meter.close()
    assert [(line.calls, line.input_tokens, line.usd) for line in await lines(db)] == [(1, 10, 0.0)]


async def test_who_is_stopped_while_reserving(db: Database, clock: FakeClock, told: Told) -> None:
    """R-LM-5: what was put aside for a turn that was stopped at that moment is given back, refused or not."""
    meter = meter_of(db, clock, told, person=PersonCap(day=0.5))
    for usd in (0.4, 0.6):
        reserving = asyncio.create_task(meter.reserve(ANN, "a:b", Spent(1, 1, usd)))
        await asyncio.sleep(0)
        reserving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reserving
    await meter.close()
    assert await db.write(budgets.settle_orphans, clock() + 1) == 0
    assert await lines(db) == []
    await meter.reserve(ANN, "a:b", Spent(1, 1, 0.5))


async def test_a_settlement_that_cannot_be_written(
    db: Database, clock: FakeClock, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-LM-5: a full disk does not end the turn; the reservation stays, and is settled in full at the next start."""
    meter = meter_of(db, clock, told)
    hold = await meter.reserve(ANN, "a:b", Spent(1, 1, 0.5))

    async def write(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(db, "write", write)
        meter.settle(hold, Spent(1, 1, 0.1))
        await meter.close()
    assert await lines(db) == []
