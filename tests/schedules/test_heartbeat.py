"""The heartbeat: events in, one turn out; silence stays silent; nothing costs nothing; failing, it backs off."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lar.domain.memory import Owner
from lar.domain.schedule import Firing
from lar.domain.turn import Limits, TurnState
from lar.engine.settings import EngineSettings
from lar.errors import ThinkingError
from lar.policy.access import AccessRules
from lar.runtimes.contract import Finished
from lar.schedules.heartbeat import PATIENCE
from lar.schedules.settings import HeartbeatSettings, ScheduleSettings
from lar.store import events, schedules, turns
from lar.store.database import Connection
from lar.store.events import Event
from lar.testing.household import Household, Plan, living

HALF_HOUR, DAY = 1800.0, 86400.0
ADMIN = "9"


async def always_asked(_owner: Owner) -> bool:
    """Somebody wrote something into HEARTBEAT.md."""
    return True


def plan(folder: Path, **more: Any) -> Plan:
    """A household that beats every half hour, from 22:00 on: its clock begins at 22:13:20."""
    settings = ScheduleSettings(heartbeat=HeartbeatSettings(active_hours="22:00-20:00"))
    return Plan(folder, schedules=settings, rules=AccessRules(admins=frozenset({ADMIN})), **more)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    """A household whose owner has written."""
    async with living(plan(tmp_path)) as household:
        await settle_in(household)
        yield household


async def settle_in(house: Household) -> None:
    """The owner writes, and the heart begins to beat."""
    await house.ask("hello", house.channel.chat(ADMIN))
    await house.db.write(house.time.begin)


async def beat(house: Household, seconds: float = HALF_HOUR) -> Firing:
    """Let time pass until the next beat is over; its record."""

    def newest(connection: Connection) -> Firing | None:
        known = schedules.by_key(connection, "task:heartbeat")
        found = schedules.firings(connection, known.id, 1) if known else []
        return found[0] if found else None

    before = await house.db.read(newest)
    await house.advance(seconds)
    await house.until_stored(lambda c: (now := newest(c)) != before and now is not None and now.ended_at)
    await house.quiet()
    found = await house.db.read(newest)
    assert found is not None
    return found


def happened(text: str, **more: Any) -> Event:
    """Something happened."""
    return Event(0, "job finished", text, 0.0, **more)


async def test_nothing_costs_nothing(house: Household) -> None:
    """R-SC-3: without events and without a wish of the owner's no turn is begun."""
    for _ in range(3):
        assert (await beat(house)).note == "nothing to do"
    assert len(house.runtime.requests) == 1


async def test_events_in_one_turn_out(house: Household) -> None:
    """R-SC-3: all events go into one turn, paid by the heartbeat; what is worth saying is said; none comes twice."""
    for text in ("the backup is done", "the build is done"):
        assert await house.db.write(events.add, happened(text, key=text, source="webhook: ci"))
    assert not await house.db.write(events.add, happened("again", key="the backup is done"))
    house.runtime.then(Finished("The build is done."))
    found = await beat(house)
    assert found.note == "2 events"
    request = house.runtime.requests[-1]
    assert (found.turn_id, request.payer.schedule) == (request.turn_id, "heartbeat")
    assert "- job finished: the backup is done\n- job finished: the build is done" in request.prompt
    assert request.toolbox.taint == ("webhook: ci",)
    assert house.channel.texts(ADMIN)[1:] == ["The build is done."]
    assert (await beat(house)).note == "nothing to do"
    assert await house.db.read(events.count_waiting) == 0
    assert await house.db.write(events.prune, house.clock() + 1) == 2


async def test_an_owner_without_a_private_chat(tmp_path: Path) -> None:
    """R-SC-3: an admin who wrote in a group only is told in private, where nobody else reads it."""
    async with living(plan(tmp_path)) as house:
        await house.ask("hello", house.channel.chat(ADMIN, "-5"))
        await house.db.write(house.time.begin)
        await house.db.write(events.add, happened("the build is done"))
        house.runtime.then(Finished("The build is done."))
        assert (await beat(house)).note == "1 events"
        assert house.channel.texts(ADMIN) == ["The build is done."]


@pytest.mark.parametrize("answer", [Finished("HEARTBEAT_OK"), Finished("**HEARTBEAT_OK**."), Finished("", silent=True)])
async def test_silence_stays_silent(house: Household, answer: Finished) -> None:
    """R-SC-3: a heartbeat with nothing to say shows nothing: no message, no typing, no sign of life."""
    await house.db.write(events.add, happened("x"))
    shown = len(house.channel.shown)
    house.runtime.then(answer)
    found = await beat(house)
    assert found.turn_id is not None
    assert len(house.channel.sent) == 1
    assert len(house.channel.shown) == shown


async def test_a_wish_of_the_owner(tmp_path: Path) -> None:
    """R-SC-3: what HEARTBEAT.md asks for is looked after also when nothing happened."""
    async with living(plan(tmp_path, asked_for=always_asked)) as house:
        await settle_in(house)
        house.runtime.then(Finished("HEARTBEAT_OK Water the plants!"))
        await beat(house)
        assert "Nothing happened" in house.runtime.prompts[-1]
        assert house.channel.texts(ADMIN)[1:] == ["Water the plants!"]


async def test_only_in_active_hours(house: Household) -> None:
    """R-SC-3: outside its hours it does not beat; what would have been comes once when they begin."""
    await beat(house)
    assert (await beat(house, 21 * 3600)).due_at % DAY == 19.5 * 3600
    assert (await beat(house, 2.4 * 3600)).due_at % DAY == 22 * 3600
    assert (await beat(house)).due_at % DAY == 22.5 * 3600


async def test_failing_it_backs_off(house: Household) -> None:
    """R-SC-3: failures are not shown; the third is told, once; then it beats less often, and no event is lost."""
    await house.db.write(events.add, happened("x"))
    for _ in range(PATIENCE):
        house.runtime.then(ThinkingError("overloaded", "down"))
        assert (await beat(house)).note == "1 events"
    assert len(house.channel.sent) == 1
    assert (await beat(house)).note == "backs off after 3 failures"
    await house.until(lambda: len(house.channel.sent) == 2)
    assert "failed 3 times in a row" in house.channel.texts(ADMIN)[-1]
    house.runtime.then(ThinkingError("overloaded", "down"))
    assert (await beat(house)).note == "1 events"
    for _ in range(3):
        assert (await beat(house)).note == "backs off after 4 failures"
    house.runtime.then(Finished("all done"))
    assert (await beat(house)).note == "1 events"
    assert house.channel.texts(ADMIN)[2:] == ["all done"]
    assert (await beat(house)).note == "nothing to do"


async def test_one_at_a_time(tmp_path: Path) -> None:
    """R-SC-3: while a heartbeat's turn runs, none is begun."""
    async with living(plan(tmp_path, limits=Limits(seconds=1e6))) as house:
        await settle_in(house)
        await house.db.write(events.add, happened("x"))
        held = house.hang()
        await house.advance(HALF_HOUR)
        await house.until(lambda: len(house.runtime.requests) == 2)
        await house.db.write(events.add, happened("y"))
        await house.advance(HALF_HOUR)

        def note(connection: Connection) -> str:
            known = schedules.by_key(connection, "task:heartbeat")
            return schedules.firings(connection, known.id, 1)[0].note if known else ""

        await house.until_stored(lambda c: note(c) == "the last turn still runs")
        held.set()
        await house.quiet()
        assert (await beat(house)).note == "1 events"


async def test_a_crash_that_cannot_be_survived_is_not_shown(tmp_path: Path) -> None:
    """R-SC-3: also a turn that the engine gives up is silent, and its events wait for the next one."""
    async with living(plan(tmp_path, engine=EngineSettings(max_failures=1))) as house:
        await settle_in(house)
        await house.db.write(events.add, happened("x"))
        house.db.fail("pin")
        found = await beat(house)
        assert found.turn_id is not None
        turn = await house.db.read(turns.get, found.turn_id)
        assert turn is not None
        assert turn.state is TurnState.FAILED
        assert len(house.channel.sent) == 1
        assert (await beat(house)).note == "1 events"


async def test_nobody_to_tell(tmp_path: Path) -> None:
    """R-SC-3: before an admin has written there is nobody to look around for."""
    async with living(plan(tmp_path)) as house:
        await house.db.write(house.time.begin)
        assert (await beat(house)).note == "no admin has written yet"


async def test_switched_off_and_on(house: Household, tmp_path: Path) -> None:
    """R-SC-3: the configuration decides at every start whether it beats, and how often; nothing else is lost."""

    async def due(enabled: bool, minutes: float = 30) -> float | None:
        beats = HeartbeatSettings(enabled=enabled, minutes=minutes, active_hours="22:00-20:00")
        settings = ScheduleSettings(heartbeat=beats)
        other = Household(Plan(tmp_path / "other", schedules=settings))
        other.clock.set(house.clock())
        await house.db.write(other.time.begin)
        known = await house.db.read(schedules.by_key, "task:heartbeat")
        return known.next_due if known else None

    assert await due(enabled=False) is None
    assert await due(enabled=True) is not None
    assert await due(enabled=True, minutes=7) != await due(enabled=True)
    first = await due(enabled=True)
    assert await due(enabled=True) == first
