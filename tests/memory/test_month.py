"""A month of five hundred exchanges: prompts stay small and cheap, and what was said on the first day is found."""

import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from lar.domain.conversation import Place
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.memory import Kind, Owner
from lar.domain.principal import Principal, Role
from lar.memory.recall import Recall, recall
from lar.memory.search import search_tool
from lar.memory.settings import MemorySettings
from lar.store import conversations, memories
from lar.store.database import Connection
from lar.testing.household import Household, Plan
from lar.tools.contract import ToolContext

BERLIN = ZoneInfo("Europe/Berlin")
FACTS = ("the plumber is called Mario Rossi", "the wifi password is heron", "aunt Olga is allergic to walnuts")
EXCHANGES, DAYS = 500, 30
FILLER = (
    "We talked about the weather, the garden and what to cook; it was a long and quiet conversation about nothing. "
)


async def summing(system: str, prompt: str, /) -> str:
    """A model that writes long sentences, about the first words it is given."""
    found = re.search(r"exactly\s+(\d)", system)
    assert found
    words = " ".join(re.findall(r"\w+", prompt)[1:26])
    return "\n".join(f"{number} {words}." for number in range(1, int(found[1]) + 1))


async def test_a_month(tmp_path: Path) -> None:
    """R-ME-2: 500 exchanges in 30 days over a daylight-saving change; sizes are bounded, facts of day 1 are found."""
    house = Household(Plan(tmp_path, memory=MemorySettings(), ask=summing, time_zone="Europe/Berlin"))
    begin = datetime(2026, 3, 10, 8, tzinfo=BERLIN)
    house.clock.set(begin.timestamp())
    await house.start()
    await house.db.write(house.time.begin)
    sizes: list[int] = []
    for number in range(EXCHANGES):
        day, of_day = divmod(number * DAYS, EXCHANGES)
        due = begin + timedelta(days=day, minutes=of_day)
        await house.advance(max(due.timestamp() - house.clock(), 60))
        await house.ask(FACTS[number] if number < len(FACTS) else f"{number}: {FILLER}")
        await house.quiet()
        await house.remember()
        request = house.runtime.requests[-1]
        sizes.append(len(request.system) + sum(len(line.text) for line in request.history) + len(request.prompt))
    assert len(await house.db.read(memories.summaries, Owner(PrincipalId(1)))) >= 4
    major = [m for m in await house.db.read(memories.summaries, Owner(PrincipalId(1))) if m.kind is Kind.MAJOR]
    assert len(major) == 4
    steps = [max(sizes[at : at + 50]) for at in range(0, EXCHANGES, 50)]
    print("largest prompt of each 50 exchanges, in characters:", steps)  # noqa: T201  # the table of docs/memory.md
    assert max(steps[2:]) <= 9_000
    assert steps[-1] <= max(steps[2:5]) * 1.2
    tool = search_tool(house.db)
    caller = ToolContext(Principal(PrincipalId(1), "Ann", Role.USER), ConversationId(1), TurnId(10_000), Place.PRIVATE)
    for query, answer in (("plumber", "Mario Rossi"), ("wifi password", "heron"), ("walnuts allergic", "Olga")):
        assert answer in (await tool.call(caller, tool.parse({"query": query}))).text
    await _costs(house)
    await house.stop()


async def _costs(house: Household) -> None:
    """What it takes to read and build a prompt with all that behind it."""
    here = await house.db.read(conversations.get, ConversationId(1))
    owner = Owner(PrincipalId(1))

    def often(connection: Connection, rules: Recall) -> float:
        began = time.process_time()
        for _ in range(100):
            recall(connection, rules, owner, here, TurnId(10_000), house.clock())
        return (time.process_time() - began) * 10

    for rules in (Recall(summaries=True), Recall()):
        print(f"reading with {rules}: {await house.db.read(often, rules):.2f} ms")  # noqa: T201  # stated in docs/memory.md
