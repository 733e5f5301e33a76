"""The daily digest: told once a day where there is a notification chat, and nowhere else."""

from pathlib import Path

from making import reminder

from lar.domain.schedule import FiringState
from lar.policy.access import AccessRules
from lar.schedules.settings import ScheduleSettings
from lar.store import schedules
from lar.testing.household import Household, Plan, living

ADMIN = "9"
TO_EIGHT = 35_200.0
"""Seconds until it is 08:00."""


async def settle_in(house: Household) -> None:
    """The owner writes, and what Lar does by itself begins."""
    await house.ask("hello", house.channel.chat(ADMIN))
    await house.db.write(house.time.begin)


async def test_told_in_the_morning(tmp_path: Path) -> None:
    """R-SC-4: the notification chat is told what was done, failed, missed and spent, and what is wrong."""
    async with living(Plan(tmp_path, rules=AccessRules(admins=frozenset({ADMIN})))) as house:
        await settle_in(house)
        await house.ask("/setnotify", house.channel.chat(ADMIN))
        await house.db.write(schedules.add, reminder(house.clock() - 3600))
        house.problems.report("camera", "it is gone")
        await house.advance(TO_EIGHT)
        await house.until(lambda: "📊" in house.channel.texts(ADMIN)[-1])
        said = house.channel.texts(ADMIN)[-1]
        assert said.startswith("📊 The last 24 hours: 1 turns done, 0 failed; ")
        assert "1 of them late" in said
        assert "Spent on 2023-11-14: $0.00.\n⚠️ camera: it is gone" in said


async def test_nobody_to_tell(tmp_path: Path) -> None:
    """R-SC-4: without a notification chat nobody is told; the record says so."""
    async with living(Plan(tmp_path, rules=AccessRules(admins=frozenset({ADMIN})))) as house:
        await settle_in(house)
        await house.advance(TO_EIGHT)
        known = await house.db.read(schedules.by_key, "task:digest")
        assert known is not None
        await house.until_stored(lambda c: any(f.state is FiringState.DONE for f in schedules.firings(c, known.id)))
        (firing,) = await house.db.read(schedules.firings, known.id)
        assert firing.note == "there is no notification chat"


async def test_switched_off(tmp_path: Path) -> None:
    """R-SC-4: who wants none has none."""
    settings = ScheduleSettings(digest_at="")
    async with living(Plan(tmp_path, schedules=settings)) as house:
        await house.db.write(house.time.begin)
        assert await house.db.read(schedules.by_key, "task:digest") is None
