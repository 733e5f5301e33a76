from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lar.domain.conversation import Address, Place
from lar.errors import LarError
from lar.operations.calls import READING, Operations, Process
from lar.store import conversations, deliveries, people
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.clock import FakeClock


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An open, empty database."""
    database = Database(StoreSettings(url=f"sqlite:///{tmp_path}/lar.db"))
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def operations(db: Database) -> Operations:
    """What the operator can ask."""
    return Operations(db, FakeClock())


WHO = {"channel": "telegram", "account": "main", "user": "42", "name": "Ana"}


async def test_somebody_is_let_in_and_out(db: Database, operations: Operations) -> None:
    """The first admin comes in at the command line; what was granted can be withdrawn."""
    added = await operations.call("people/add", {**WHO, "admin": True})
    [entry] = (await operations.call("people/list", {}))["people"]
    assert (entry["name"], entry["role"], entry["granted"]) == ("Ana", "admin", True)
    await operations.call("people/remove", {"id": added["id"]})
    known = await db.read(people.find, "telegram", "main", "42")
    assert known
    assert (known.granted, known.principal.is_admin) == (False, False)
    await operations.call("people/admin", {"id": added["id"]})
    known = await db.read(people.find, "telegram", "main", "42")
    assert known
    assert (known.granted, known.principal.is_admin) == (True, True)


async def test_a_pairing_code_is_approved(db: Database, operations: Operations) -> None:
    """Whoever was given a code is let in by it, once, and told so."""
    asked = people.Pairing("ABCDEFGH", "telegram", "main", "42", "42", "Ana", FakeClock()() + 60)
    await db.write(people.ask_pairing, asked)
    assert (await operations.call("people/list", {}))["requests"][0]["code"] == "ABCDEFGH"
    assert "Ana" in (await operations.call("people/approve", {"code": "abcdefgh"}))["said"]
    with pytest.raises(LarError, match="unknown or too old"):
        await operations.call("people/approve", {"code": "ABCDEFGH"})
    assert (await db.read(deliveries.counts))["pending"] == 1


async def test_idle(db: Database, operations: Operations) -> None:
    """A conversation is idle when nothing is to be done or delivered there; `lar chat -m` waits for it."""
    where = {"channel": "terminal", "account": "local", "chat": "local"}
    assert (await operations.call("conversation/idle", where))["idle"]
    here = await db.write(conversations.ensure, Address(**where), Place.PRIVATE, "", 1.0)
    await db.write(deliveries.add, here.id, [], 1.0)
    assert (await operations.call("conversation/idle", where))["idle"]


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("people/add", {"channel": "telegram"}, "account is missing"),
        ("people/remove", {"id": 9}, "there is no person 9"),
        ("people/admin", {}, "there is no person None"),
        ("turn/record", {"id": 9}, "there is no turn 9"),
        ("turn/record", {"id": "x"}, "there is no turn x"),
        ("turn/list", {"limit": 0}, "limit is a number"),
    ],
)
async def test_what_cannot_be_done(
    operations: Operations, name: str, arguments: dict[str, object], sentence: str
) -> None:
    """Each refusal is one sentence with the next step."""
    with pytest.raises(LarError, match=sentence):
        await operations.call(name, arguments)


async def test_unknown_operations(operations: Operations) -> None:
    """The API can tell an unknown operation from a failed one."""
    with pytest.raises(KeyError):
        await operations.call("people/promote", {})


async def test_status(db: Database, operations: Operations) -> None:
    """Status tells a running gateway from a database that is only looked at."""
    assert not (await operations.call("status", {}))["running"]
    clock = FakeClock()
    process = Process(clock(), {"main": "offline"}, ("terminal:local",), lambda: {"disk": "full"})
    clock.advance(60)
    status = await Operations(db, clock, process).call("status", {})
    assert (status["running"], status["uptime"], status["problems"]) == (True, 60.0, {"disk": "full"})
    assert (await operations.call("turn/list", {}))["turns"] == []


async def test_reading_works_beside_the_owner(tmp_path: Path, db: Database) -> None:
    """Operations called reading run on a read-only database, so that a look never needs the lock."""
    await db.write(people.drop_expired_pairings, 0.0)
    beside = Database(StoreSettings(url=f"sqlite:///{tmp_path}/lar.db"))
    await beside.open(read_only=True)
    asked = {"turn/record": {"id": 1}}
    for name in READING - asked.keys():
        await Operations(beside, FakeClock()).call(name, {})
    with pytest.raises(LarError, match="no turn 1"):
        await Operations(beside, FakeClock()).call("turn/record", {"id": 1})
    await beside.close()
