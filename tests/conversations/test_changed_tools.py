"""MCP servers that describe their tools anew: admins are asked, once for each change, and what they press is done."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from lar.conversations import changed_tools
from lar.conversations.admins import Telling
from lar.domain.values import JsonObject
from lar.store import mcp
from lar.testing.household import Household, Plan, living


def text(description: str) -> JsonObject:
    """A description."""
    return {"description": description, "schema": {"type": "object"}, "claims": {}}


@pytest.fixture
async def house(anywhere: Plan) -> AsyncIterator[Household]:
    """A household whose admin has written before, with a server whose tools are known."""
    async with living(anywhere) as household:
        await household.ask("/whoami", household.channel.chat("9"))
        await household.db.write(mcp.describe, "odd", "here", {"look": text("Look."), "stay": text("Stay.")})
        yield household


async def says(house: Household, **tools: str) -> None:
    """The server describes its tools, and the admins are asked about what differs."""
    telling = Telling({("fake", "main"): house.plan.rules})

    def described(connection: Connection) -> None:
        mcp.describe(connection, "odd", "here", {name: text(said) for name, said in tools.items()})
        changed_tools.ask(connection, telling, "odd", mcp.load(connection, "odd").waiting, house.clock())

    await house.db.write(described)
    await house.quiet()


def asked(house: Household) -> list[str]:
    """The questions the admin was shown."""
    return [sent.part.text for sent in house.channel.sent if sent.part.buttons and sent.to.chat == "9"]


def edits(house: Household) -> list[str]:
    """What messages were edited to."""
    return [sent.part.text for sent in house.channel.sent if sent.part.edit_of]


def button(house: Household, label: str, question: int = -1) -> str:
    """The data of a button of a question."""
    parts = [sent.part for sent in house.channel.sent if sent.part.buttons and sent.to.chat == "9"]
    return next(each.data for row in parts[question].buttons for each in row if each.label == label)


async def press(house: Household, data: str, user: str = "9") -> str:
    """Press it; what was answered."""
    before = len(house.channel.tried)
    await house.hear(house.channel.chat(user).presses(data))
    await house.quiet()
    return "\n".join(part.text for part in house.channel.tried[before:] if part.text)


async def offered(house: Household) -> set[str]:
    """The tools that are offered."""
    return set((await house.db.read(mcp.load, "odd")).offered)


async def test_an_admin_accepts(house: Household) -> None:
    """R-TO-8: asked once with the difference; who is no admin is refused; a second press says who decided."""
    await says(house, look="Look, and tell.", stay="Stay.")
    await says(house, look="Look, and tell.", stay="Stay.")
    [question] = asked(house)
    assert '-  "description": "Look."' in question
    assert '+  "description": "Look, and tell."' in question
    data = button(house, "Accept")
    assert len(data) <= 64
    assert "Only an admin" in await press(house, data, "1")
    assert await offered(house) == {"stay"}
    await press(house, data)
    assert await offered(house) == {"stay", "look"}
    assert edits(house) == ["✅ odd: the tools are offered as they are described now. Accepted by Ann."]
    assert "Accepted by Ann" in await press(house, button(house, "Leave out"))
    assert await offered(house) == {"stay", "look"}
    await says(house, look="Look, and tell.", stay="Stay.")
    assert len(asked(house)) == 1


async def test_an_admin_leaves_it_out(house: Household) -> None:
    """R-TO-8: what is left out stays so and is not asked again, over a restart too; another change is."""
    await says(house, look="Look, and tell.", stay="Stay.", new="New.")
    await press(house, button(house, "Leave out"))
    pins = await house.db.read(mcp.load, "odd")
    assert (set(pins.offered), pins.waiting) == ({"stay"}, [])
    await house.crash()
    following = await house.again()
    try:
        await says(following, look="Look, and tell.", stay="Stay.", new="New.")
        assert len(asked(following)) == 1
        assert "left out" in await press(following, button(following, "Accept"))
        await says(following, look="Look again.", stay="Stay.", new="New.")
        assert "Look again." in asked(following)[-1]
        assert "New." not in asked(following)[-1]
    finally:
        await following.stop()


async def test_a_question_outlives_the_process(house: Household) -> None:
    """R-TO-8: a button works after a restart."""
    await says(house, look="Look, and tell.", stay="Stay.")
    await house.crash()
    following = await house.again()
    try:
        await press(following, button(following, "Accept"))
        assert await offered(following) == {"stay", "look"}
    finally:
        await following.stop()


async def test_it_changes_again(house: Household) -> None:
    """R-TO-8: an admin accepts what they read: an older question is over, also where nobody was asked anew."""
    await says(house, look="Two.", stay="Stay.")
    await says(house, look="Three.", stay="Stay.")
    assert len(asked(house)) == 2
    assert ["changed again" in text for text in edits(house)] == [True]
    assert "changed again" in await press(house, button(house, "Accept", 0))
    await house.db.write(mcp.describe, "odd", "here", {"look": text("Four."), "stay": text("Stay.")})
    assert "changed again" in await press(house, button(house, "Accept"))
    assert "changed again" in await press(house, button(house, "Accept"))
    assert await offered(house) == {"stay"}
    await says(house, look="Five.", stay="Stay.")
    await says(house, look="Look.", stay="Stay.")
    assert "changed again" in edits(house)[-1]


async def test_the_command_line_answers_the_question(house: Household) -> None:
    """R-TO-8: what is accepted by `lar mcp accept` is not asked any more; what it leaves open still is."""
    await says(house, look="Two.", stay="Stay.", new="New.")
    look, new = (await house.db.read(mcp.load, "odd")).waiting

    def accepted(connection: Connection, change: mcp.Change) -> None:
        mcp.accept(connection, "odd", frozenset({change.digest}))
        changed_tools.settle(connection, "odd", "the operator", house.clock())

    await house.db.write(accepted, look)
    await house.quiet()
    assert edits(house) == []
    await house.db.write(accepted, new)
    await house.quiet()
    assert "Accepted by the operator" in edits(house)[-1]
    await house.db.write(changed_tools.settle, "other", "the operator", house.clock())


async def test_a_server_that_changes_all_the_time(house: Household) -> None:
    """R-TO-8: no stream of questions: some a day, and again on the next."""
    for number in range(changed_tools.MOST_A_DAY + 3):
        await says(house, look=f"Number {number}.", stay="Stay.")
    assert len(asked(house)) == changed_tools.MOST_A_DAY
    house.clock.advance(86_401)
    await says(house, look="Number 99.", stay="Stay.")
    assert "Number 99." in asked(house)[-1]


async def test_more_than_anybody_reads(house: Household) -> None:
    """R-TO-8: a change is shown whole, in several messages; one too long for that has no button to accept it."""
    await says(house, look="long " * 700, stay="Stay.")
    assert len(house.channel.texts("9")[-3:]) == 3
    assert button(house, "Accept")
    await says(house, look="long " * 5000, stay="Stay.")
    assert "lar mcp accept odd" in asked(house)[-1]
    with pytest.raises(StopIteration):
        button(house, "Accept")
    await press(house, button(house, "Leave out"))
    assert (await house.db.read(mcp.load, "odd")).waiting == []


async def test_nobody_to_ask(anywhere: Plan) -> None:
    """R-TO-8: where no admin has ever written, they are asked later; a button that nobody sent says nothing."""
    async with living(anywhere) as house:
        await house.db.write(mcp.describe, "odd", "here", {"look": text("Look.")})
        await says(house, look="Two.")
        assert await house.db.read(changed_tools.asked_about, "odd") is None
        await house.ask("/whoami", house.channel.chat("9"))
        assert "no longer open" in await press(house, "m:")
        assert "changed again" in await press(house, "m:yes:odd:0000")
        await says(house, look="Two.")
        assert len(asked(house)) == 1
