"""What may be spent: pure, sums in and a verdict out."""

import pytest

from lar.domain.ids import PrincipalId
from lar.domain.spend import Payer
from lar.policy.budgets import Account, Period, Scope, more_for_today, refusal, standings, warnings
from lar.policy.settings import BudgetSettings, Cap, PersonCap, TotalCap

EVERYWHERE = Payer(PrincipalId(7), "main", "morning")
SETTINGS = BudgetSettings(
    person=PersonCap(month=50),
    agent=Cap(day=3),
    agents={"cheap": Cap(day=1)},
    schedule=Cap(day=0.5, month=2),
    total=TotalCap(),
)


def test_caps_are_on_by_default() -> None:
    """R-LM-5: $5 a person a day, $10 a day and $100 a month in all, without any configuration."""
    found = standings(BudgetSettings(), EVERYWHERE, {}, {})
    assert {standing.account.key: standing.cap for standing in found} == {
        "total:day:": 10.0,
        "total:month:": 100.0,
        "person:day:7": 5.0,
    }


@pytest.mark.parametrize(
    ("payer", "keys"),
    [
        (
            EVERYWHERE,
            {"person:day:7", "person:month:7", "agent:day:main", "schedule:day:morning", "schedule:month:morning"},
        ),
        (Payer(agent="cheap"), {"agent:day:cheap"}),
        (Payer(), set[str]()),
    ],
)
def test_whose_caps_hold(payer: Payer, keys: set[str]) -> None:
    """R-LM-5: a call is held to the caps of its person, agent and schedule, and always to those of all."""
    found = {standing.account.key for standing in standings(SETTINGS, payer, {}, {})}
    assert found == keys | {"total:day:", "total:month:"}


@pytest.mark.parametrize(
    ("spent", "cost", "raised", "refused"),
    [
        (4.0, 1.0, {}, None),
        (4.5, 0.6, {}, "person:day:7"),
        (4.5, 0.6, {"person:day:7": 5.0}, None),
        (9.0, 0.0, {}, None),
    ],
)
def test_a_cost_that_would_overdraw_is_refused(
    spent: float, cost: float, raised: dict[str, float], refused: str | None
) -> None:
    """R-LM-5: up to the cap and not beyond; what an admin added counts; what costs nothing is never refused."""
    sums = {(Scope.PERSON, Period.DAY): spent}
    found = refusal(standings(BudgetSettings(), EVERYWHERE, sums, raised), cost)
    assert (found.account.key if found else None) == refused


def test_a_warning_at_eighty_percent() -> None:
    """R-LM-5: whose budget is nearly used up is told; a cap of nothing warns nobody."""
    settings = BudgetSettings(agent=Cap(day=0))
    sums = {(Scope.PERSON, Period.DAY): 4.0, (Scope.TOTAL, Period.DAY): 7.9}
    near = warnings(settings, standings(settings, EVERYWHERE, sums, {}))
    assert [standing.account.key for standing in near] == ["person:day:7"]


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("person:day:7", 5.0),
        ("person:month:7", 5.0),
        ("agent:day:main", 3.0),
        ("agent:day:cheap", 1.0),
        ("schedule:month:x", 0.2),
        ("total:day:", 10.0),
        ("agent:month:main", 0.0),
    ],
)
def test_what_an_admin_adds(key: str, more: float) -> None:
    """R-LM-5: a day's cap once more, or a tenth of a month's."""
    account = Account.from_key(key)
    assert account is not None
    assert account.key == key
    assert more_for_today(SETTINGS, account) == pytest.approx(more)


@pytest.mark.parametrize("key", ["", "person", "nobody:day:7", "person:year:7"])
def test_a_key_that_is_none(key: str) -> None:
    """A button's data comes from outside: nonsense is no account."""
    assert Account.from_key(key) is None


def test_the_heartbeat_has_a_budget_of_its_own() -> None:
    """R-LM-5: looking around by itself costs at most $0.50 a day ; schedules by name have their own."""
    settings = BudgetSettings(schedule=Cap(day=3), schedules={"#7": Cap(day=1)})
    for name, cap in (("heartbeat", 0.5), ("#7", 1.0), ("#8", 3.0)):
        found = standings(settings, Payer(schedule=name), {}, {})
        assert [standing.cap for standing in found if standing.account.scope is Scope.SCHEDULE] == [cap]
        assert more_for_today(settings, Account(Scope.SCHEDULE, Period.DAY, name)) == cap
    found = standings(BudgetSettings(schedules={"heartbeat": Cap(day=9)}), Payer(schedule="heartbeat"), {}, {})
    assert found[-1].cap == 9
