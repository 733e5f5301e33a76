"""Files in the owner's inbox: told once, when they are whole, and never of what a link would show."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from making import plan

from lar.domain.ids import PrincipalId
from lar.schedules.arrivals import FRESH
from lar.schedules.timekeeping import Timekeeping
from lar.store import events
from lar.testing.household import Household, living

ADMIN = "9"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    """A household whose owner has an inbox."""
    async with living(plan(tmp_path)) as household:
        (tmp_path / "1" / "inbox").mkdir(parents=True)
        yield household


async def told(house: Household) -> list[str]:
    """What waits for the heartbeat."""
    return [each.text for each in await house.db.read(events.waiting, PrincipalId(1), owner=True, limit=10)]


async def test_a_file_that_arrives(house: Household) -> None:
    """R-SC-3: a file is an event once it is whole, again when it has changed, and not after a restart."""
    inbox, look = house.plan.folder / "1" / "inbox", house.time.arrivals.look
    (inbox / "scan.pdf").write_bytes(b"begun")
    await look()
    await house.ask("hello", house.channel.chat(ADMIN))
    await look()
    assert await told(house) == []
    (inbox / "scan.pdf").write_bytes(b"begun, and done")
    await look()
    assert await told(house) == []
    await look()
    await look()
    assert await told(house) == ["inbox/'scan.pdf', 15 bytes"]
    again = Timekeeping(house.db, house.plan.schedules, house.house).arrivals
    await again.look()
    await again.look()
    assert len(await told(house)) == 1
    (inbox / "scan.pdf").write_bytes(b"another")
    for _ in range(3):
        await look()
    assert (await told(house))[1:] == ["inbox/'scan.pdf', 7 bytes"]
    (event,) = {each.source for each in await house.db.read(events.waiting, PrincipalId(1), owner=True, limit=10)}
    assert event == "file: inbox"


async def test_an_owner_without_a_private_chat(house: Household) -> None:
    """R-SC-3: an admin who wrote in a group only is the owner nevertheless."""
    await house.ask("hello", house.channel.chat(ADMIN, "-5"))
    (house.plan.folder / "1" / "inbox" / "note").write_bytes(b"x")
    for _ in range(2):
        await house.time.arrivals.look()
    assert await told(house) == ["inbox/'note', 1 bytes"]


async def test_a_name_that_is_no_text(house: Household) -> None:
    """R-SC-3: a file whose name is no UTF-8 is told, and keeps no other from being told."""
    await house.ask("hello", house.channel.chat(ADMIN))
    inbox = os.fsencode(house.plan.folder / "1" / "inbox")
    for name in (b"bad\xff", b"good"):
        with open(inbox + b"/" + name, "wb") as file:  # noqa: ASYNC230, PTH123  # a path of bytes
            file.write(b"x")
    for _ in range(2):
        await house.time.arrivals.look()
    assert await told(house) == ["inbox/'bad\\udcff', 1 bytes", "inbox/'good', 1 bytes"]


async def test_what_is_no_arrival(house: Household) -> None:
    """R-SC-3: hidden files, folders, links, and what lay there for long are not told; nor is what a link leads to."""
    inbox = house.plan.folder / "1" / "inbox"
    await house.ask("hello", house.channel.chat(ADMIN))
    (inbox / ".partial").write_bytes(b"x")
    (inbox / "folder").mkdir()
    (inbox / "link").symlink_to("/etc/passwd")
    for _ in range(2):
        await house.time.arrivals.look()
    assert await told(house) == []
    (inbox / "old").write_bytes(b"x")
    house.clock.set(time.time() + FRESH + 60)
    for _ in range(2):
        await house.time.arrivals.look()
    assert await told(house) == []
    house.clock.set(time.time())
    other = house.plan.folder / "other"
    other.mkdir()
    (other / "diary").write_bytes(b"x")
    os.rename(inbox, house.plan.folder / "1" / "was")  # noqa: PTH104  # what a command in that folder could do
    inbox.symlink_to(other)
    for _ in range(2):
        await house.time.arrivals.look()
    assert await told(house) == []
