"""What people are told about money."""

from dataclasses import replace
from functools import partial

import pytest

from lar.conversations.admins import Telling
from lar.conversations.inbox import Inbox
from lar.conversations.machine import Failed, Finish, Frame, advance, begin
from lar.conversations.metering import raised
from lar.conversations.spending import RAISE, Spending
from lar.domain.ids import ConversationId, PrincipalId
from lar.domain.spend import Payer, Spent
from lar.domain.turn import Limits
from lar.errors import BudgetReached
from lar.policy.budgets import Account, Period, Scope, Standing
from lar.policy.settings import BudgetSettings
from lar.store import budgets
from lar.testing.household import Household

DAY = "2023-11-14"
PERSON = Standing(Account(Scope.PERSON, Period.DAY, "1"), 5.0, 4.5)
TOTAL = Standing(Account(Scope.TOTAL, Period.DAY), 10.0, 9.9)


def furnish(house: Household) -> Spending:
    """Let the household keep count."""
    accounts = {("fake", "main"): house.plan.rules}
    spending = Spending(BudgetSettings(), Telling(accounts), lambda _: DAY)
    facts = replace(house.facts, spending=spending)
    house.inbox = Inbox(house.db, accounts, house.plan.settings, facts, house.clock)
    return spending


async def refuse(house: Household, spending: Spending, standing: Standing) -> None:
    """A call is refused."""
    await house.db.write(spending.refused, standing, DAY, house.clock())


def buttons(house: Household) -> list[str]:
    """What the buttons carry that were sent."""
    return [button.data for sent in house.channel.sent for row in sent.part.buttons for button in row]


async def test_a_refusal_is_told_once_and_can_be_lifted_once(house: Household) -> None:
    """R-LM-5: admins get one message with a button; its press adds once, for today; nobody else may press it."""
    spending = furnish(house)
    await house.ask("hello", chat=house.channel.chat("1"))
    admin = house.channel.chat("9")
    await house.ask("hello", chat=admin)
    for _ in range(2):
        await refuse(house, spending, PERSON)
    await house.until(lambda: buttons(house))
    (data,) = buttons(house)
    assert any("Used up: the budget of Ann for this day ($4.50 of $5)" in text for text in house.channel.texts("9"))
    await house.hear(house.channel.chat("1").presses(data))
    assert await house.db.read(raised, DAY) == {}
    await house.hear(admin.presses(data), admin.presses(data))
    assert await house.db.read(raised, DAY) == {"person:day:1": 5.0}
    await house.quiet()
    said = [sent.part.text for sent in house.channel.sent if sent.part.answers_press]
    assert said[0] == "Only an admin may answer this."
    assert "$5 more for today, for the budget of Ann" in said[1]
    assert said[2] == "This question is no longer open."


@pytest.mark.parametrize("data", ["", "2023-11-13:0:person:day:1", f"{DAY}:0:nonsense", f"{DAY}:5:person:day:1"])
async def test_a_button_of_another_day(house: Household, data: str) -> None:
    """R-LM-5: a button adds nothing on another day, twice, or when it is nonsense."""
    furnish(house)
    await house.ask("hello", chat=house.channel.chat("9"))
    await house.hear(house.channel.chat("9").presses(RAISE + data))
    assert await house.db.read(raised, DAY) == {}


async def test_no_button_where_nobody_keeps_count(house: Household) -> None:
    """A press of a button that cannot be ours is stale."""
    await house.ask("hello", chat=house.channel.chat("9"))
    await house.hear(house.channel.chat("9").presses(f"{RAISE}{DAY}:0:person:day:1"))
    await house.quiet()
    assert [s.part.text for s in house.channel.sent if s.part.answers_press] == ["This question is no longer open."]
    assert await house.ask("/usage", chat=house.channel.chat("9")) == "Nobody keeps count here."


async def test_an_agent_whose_name_no_button_carries(house: Household) -> None:
    """R-LM-5: what is too long for a button is told without one."""
    spending = furnish(house)
    await house.ask("hello", chat=house.channel.chat("9"))
    await refuse(house, spending, Standing(Account(Scope.AGENT, Period.DAY, "a" * 60), 1.0, 1.0))
    await house.until(lambda: any("Used up" in text for text in house.channel.texts("9")))
    assert buttons(house) == []


async def test_warnings(house: Household) -> None:
    """R-LM-5: a person is warned where they are, the admins of what is everybody's; once a day each."""
    spending = furnish(house)
    await house.ask("hello", chat=house.channel.chat("1"))
    await house.ask("hello", chat=house.channel.chat("9"))
    payer = Payer(PrincipalId(1), "main", conversation_id=ConversationId(1))
    for _ in range(2):
        await house.db.write(spending.warned, payer, [PERSON, TOTAL], DAY, house.clock())
    await house.until(lambda: len(house.channel.texts("9")) > 1 and len(house.channel.texts("1")) > 1)
    await house.quiet()
    assert house.channel.texts("1")[1:] == ["⚠️ $4.50 of $5 are used: the budget of Ann for this day."]
    assert house.channel.texts("9")[1:] == ["⚠️ $9.90 of $10 are used: the budget of everything together for this day."]


async def test_a_warning_in_a_group_names_no_sums(house: Household) -> None:
    """R-LM-5: what somebody spends is nobody else's business in a group."""
    spending = furnish(house)
    await house.ask("hello", chat=house.channel.chat("1", "-5"))
    payer = Payer(PrincipalId(1), "main", conversation_id=ConversationId(1))
    await house.db.write(spending.warned, payer, [PERSON], DAY, house.clock())
    await house.until(lambda: len(house.channel.texts("-5")) > 1)
    assert house.channel.texts("-5")[1:] == [
        "⚠️ Nearly used up: the budget of Ann for this day. /usage in our private chat says how much."
    ]


async def test_usage(house: Household) -> None:
    """R-LM-5: everybody sees their own; an admin in private sees everybody's by person, agent and model."""
    furnish(house)
    chat, admin = house.channel.chat("1"), house.channel.chat("9", name="Eve")
    await house.ask("hello", chat=chat)
    await house.ask("hello", chat=admin)
    add = partial(house.db.write, budgets.record)
    await add(Payer(PrincipalId(1), "main"), "a:dear", Spent(10, 5, 1.5), DAY)
    await add(Payer(PrincipalId(1), "main"), "a:cheap", Spent(10, 5, 0.015, estimated=True), DAY)
    await add(Payer(), "a:cheap", Spent(10, 5, 2.0), "2023-11-01")
    assert await house.ask("/usage", chat=chat) == (
        "today: $1.51, 2 model calls, of it $0.0150 estimated\n"
        "this month: $1.51, 2 model calls, of it $0.0150 estimated\n\n"
        "This month by model:\n- a:dear: $1.50 (1)\n- a:cheap: $0.0150 (1)"
    )
    everybody = await house.ask("/usage", chat=admin)
    assert "this month: $3.52, 3 model calls" in everybody
    assert "by person:\n- Lar: $2.00 (1)\n- Ann: $1.51 (2)" in everybody
    assert "by agent:\n- -: $2.00 (1)\n- main: $1.51 (2)" in everybody
    group = await house.ask("/usage", chat=house.channel.chat("9", "-5", name="Eve"))
    assert "Ann" not in group
    assert "today: $0.00, 0 model calls" in group


@pytest.mark.parametrize("scope", Scope)
def test_a_turn_that_may_spend_no_more(scope: Scope) -> None:
    """R-LM-5: the person is told whose budget it is, and when it begins anew."""
    state = begin(Frame(1, "en", Limits(), 0.0))
    _, commands = advance(state, Failed(BudgetReached(scope, "day", 5.0, retry_after=7200)), 1.0)
    (finish,) = commands
    assert isinstance(finish, Finish)
    assert "is used up ($5 a day), about 2 h more. An admin can allow more for today." in finish.reply
