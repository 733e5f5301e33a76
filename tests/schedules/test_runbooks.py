"""Runbooks: files become schedules, mistakes are told with their line, changes hold at once, nothing runs too often."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lar.domain.conversation import Mode
from lar.domain.risk import Risk
from lar.domain.schedule import Cron, Every, FiringState, Missed, Quiet, Schedule, ScheduleKind
from lar.policy.access import AccessRules
from lar.runtimes.contract import Finished, RuntimeEvent, TurnRequest
from lar.schedules.runbook_files import RunbookError, read
from lar.schedules.runbooks import MOST_BYTES
from lar.store import schedules
from lar.testing.household import Household, Plan, living
from lar.tools.contract import ToolCall, ToolContext
from lar.tools.define import tool
from lar.tools.execute import Registry

ADMIN, ROLES = "9", frozenset({"main", "coder"})

TO_THE_HOUR = 2800.0
"""Seconds until it is 23:00."""

WHOLE = """\
prompt: |
  Look whether the backup of last night is there.
schedule: "0 7 * * MON"
zone: Europe/Berlin
quiet: "22:00-07:30"
missed: once
role: coder
mode: ro
dedupe: 12 hours
jitter: 10 minutes
"""


@tool(risk=Risk.WRITE, repeatable=False)
async def tidy(_context: ToolContext) -> str:
    """Tidy up."""
    return "tidied"


def test_a_whole_runbook() -> None:
    """R-SC-4: prompt, cron or interval, zone, quiet hours, role, mode and dedupe window are read."""
    found = read(WHOLE, ROLES, 60)
    assert found.prompt == "Look whether the backup of last night is there."
    assert found.timing.rule == Cron("0 7 * * MON")
    assert (found.timing.zone, found.timing.quiet) == ("Europe/Berlin", Quiet(1320, 450))
    assert (found.role, found.mode, found.missed, found.dedupe) == ("coder", Mode.RO, Missed.ONCE, 43_200)
    assert found.jitter == 600
    least = read("prompt: x\nevery: 2h\nenabled: false", ROLES, 60)
    assert (least.timing.rule, least.mode, least.missed, least.enabled) == (Every(7200, 0), None, Missed.SKIP, False)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("prompt: x\nevery: 2h\nrole: nobody", 3, "no role 'nobody'; there is coder, main"),
        ("prompt: x\nevery: 2h\nmode: rwx", 3, "no mode 'rwx'"),
        ("prompt: x\nevery: 2h\nmissed: never", 3, "no missed 'never'"),
        ("prompt: x\nevery: 2h\nenabled: maybe", 3, "no enabled 'maybe'"),
        ("prompt: x\nevery: 2h\nzone: Mars/Base", 3, "no time zone 'Mars/Base'"),
        ("prompt: x\nevery: 2h\nquiet: at night", 3, "are no hours"),
        ("prompt: x\nevery: 2h\ndedupe: long", 3, "no length of time"),
        ("prompt: x\nevery: 2h\njitter: 2 days", 3, "at most a day"),
        ("prompt: x\nevery: 2h\nprmpt: y", 3, "no key 'prmpt'"),
        ("prompt: x\nevery: 2h\nprompt: y", 3, "there twice"),
        ("prompt: x\n\nevery:\n  - 2h", 3, "takes one value"),
        ("prompt: x\nevery: 10 seconds", 2, "at least 60 seconds"),
        ("prompt: x\nevery: 2 months", 2, "no length of time"),
        ("prompt: x\nschedule: 0 25 * * *", 2, "no cron line"),
        ("prompt: x\nschedule: 0 9 * * *\nevery: 2h", 3, "either"),
        ("prompt: x", 1, "either"),
        ("every: 2h", 1, "a prompt is missing"),
        ("every: 2h\nprompt: ' '", 2, "a prompt is missing"),
        (f"every: 2h\nprompt: {'x' * 9000}", 2, "longer than 8000"),
        ("prompt: x\nevery: [2h", 2, "line 2"),
        ("prompt: x\n\tevery: 2h", 2, "line 2"),
        ("- a list", 1, "list of keys"),
        ("", 1, "list of keys"),
        ("prompt: \x00", 1, "line 1"),
    ],
)
def test_mistakes(text: str, line: int, why: str) -> None:
    """R-SC-4: a mistake is told with its line."""
    with pytest.raises(RunbookError, match=why.replace("[", r"\[")) as error:
        read(text, ROLES, 60)
    assert error.value.line == line


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    """A household whose owner has written."""
    async with living(Plan(tmp_path, rules=AccessRules(admins=frozenset({ADMIN})))) as household:
        (tmp_path / "runbooks").mkdir()
        assert await household.time.runbooks.load(), "nobody is needed for nothing"
        write(household, "early", "prompt: x\nevery: 2h")
        assert not await household.time.runbooks.load(), "there is no owner yet"
        (tmp_path / "runbooks" / "early.yaml").unlink()
        await household.ask("hello", household.channel.chat(ADMIN))
        yield household


def write(house: Household, name: str, text: str) -> None:
    """Write a runbook."""
    (house.plan.folder / "runbooks" / f"{name}.yaml").write_text(text)


async def kept(house: Household) -> list[Schedule]:
    """The schedules of runbooks."""
    return await house.db.read(schedules.with_prefix, "runbook:")


async def test_files_become_schedules(house: Household) -> None:
    """R-SC-4: a file runs as the owner's turn; a change holds, what is unchanged keeps its time."""
    write(house, "hourly", "prompt: look\nevery: 1h")
    write(house, "off", "prompt: look\nevery: 1h\nenabled: false")
    await house.time.runbooks.load()
    first, off = await kept(house)
    assert (first.kind, first.next_due, off.next_due) == (ScheduleKind.RUNBOOK, 1_700_002_800.0, None)
    await house.time.runbooks.load()
    assert await kept(house) == [first, off]
    await house.advance(TO_THE_HOUR)
    await house.until(lambda: len(house.runtime.requests) == 2)
    assert house.runtime.requests[-1].payer.schedule == "runbook:hourly"
    assert house.runtime.prompts[-1] == "[scheduled]\nlook"
    await house.quiet()
    said = await house.ask("/runbooks", house.channel.chat(ADMIN))
    assert "📒 hourly: every 1 h\nlast: " in said
    assert "(done), next: Wednesday, 2023-11-15 00:00 (UTC)" in said
    assert "📒 off: every 1 h\nlast: never, next: off" in said
    write(house, "hourly", "prompt: look again\nevery: 2h")
    (house.plan.folder / "runbooks" / "off.yaml").unlink()
    await house.time.runbooks.load()
    (changed,) = await kept(house)
    assert (changed.id, changed.text, changed.fired) == (first.id, "look again", 1)
    assert await house.ask("/reminders", house.channel.chat(ADMIN)) == "No reminders and no scheduled prompts."


async def test_a_broken_file(house: Household) -> None:
    """R-SC-4: the others run, the owner is told once where the mistake is, and the last good version goes on."""
    write(house, "good", "prompt: look\nevery: 1h")
    write(house, "bad", "prompt: look\nevery: 1h")
    await house.time.runbooks.load()
    write(house, "bad", "prompt: look\nevery: whenever")
    write(house, "large", "x" * (MOST_BYTES + 1))
    (house.plan.folder / "runbooks" / "binary.yml").write_bytes(b"\xff\xfe\xff")
    await house.time.runbooks.load()
    await house.until(lambda: len(house.channel.sent) == 4)
    told = "\n".join(house.channel.texts(ADMIN))
    assert "The runbook bad cannot be used: line 2: 'whenever' is no length of time" in told
    assert "The runbook large cannot be used: line 1: the file is larger" in told
    assert "The runbook binary cannot be used: line 1: the file cannot be read" in told
    assert "runbook bad" in house.problems.open
    assert "The runbook bad cannot be used" in await house.ask("/runbooks", house.channel.chat(ADMIN))
    await house.time.runbooks.load()
    await house.advance(TO_THE_HOUR)
    await house.until(lambda: len(house.runtime.requests) == 3)
    await house.quiet()
    assert sum("bad cannot be used" in said for said in house.channel.texts(ADMIN)) == 2
    write(house, "bad", "prompt: look\nevery: 3h")
    await house.time.runbooks.load()
    assert "runbook bad" not in house.problems.open
    assert [each.timing.rule for each in await kept(house)] == [Every(10_800, 0), Every(3600, 0)]


async def test_not_too_often(house: Household) -> None:
    """R-SC-4: within its window a runbook runs once; what fell into it is recorded."""
    write(house, "often", "prompt: look\nevery: 1h\ndedupe: 90 minutes")
    await house.time.runbooks.load()
    (known,) = await kept(house)
    for number, seconds in enumerate((TO_THE_HOUR, 3600, 3600), 1):
        await house.advance(seconds)
        await house.until_stored(
            lambda c, n=number: len([f for f in schedules.firings(c, known.id) if f.ended_at]) == n
        )
        await house.quiet()
    found = await house.db.read(schedules.firings, known.id)
    assert [each.state for each in found] == [FiringState.DONE, FiringState.DROPPED, FiringState.DONE]
    assert "too recent" in found[1].note


async def test_its_mode_is_a_limit(tmp_path: Path) -> None:
    """R-PO-1: a runbook that only looks changes nothing, whatever the conversation's mode is."""

    async def act(request: TurnRequest) -> RuntimeEvent:
        return Finished((await request.toolbox.execute(ToolCall("1", "tidy"))).text)

    rules = AccessRules(admins=frozenset({ADMIN}))
    async with living(Plan(tmp_path, rules=rules, registry=Registry([tidy]))) as house:
        (tmp_path / "runbooks").mkdir()
        await house.ask("/mode full", house.channel.chat(ADMIN))
        for name, mode in (("looks", "mode: ro"), ("works", "")):
            write(house, name, f"prompt: tidy\nevery: 1h\n{mode}")
            house.runtime.then(act)
        await house.time.runbooks.load()
        await house.advance(TO_THE_HOUR)
        await house.until(lambda: len(house.channel.sent) == 3)
        done, refused = sorted(house.channel.texts(ADMIN)[1:], key=len)
        assert "this conversation is read-only" in refused
        assert done == "tidied"


async def test_reloading(house: Household) -> None:
    """R-SC-4: a file that is written while Lar runs is found."""
    running = asyncio.create_task(house.time.runbooks.run())
    write(house, "new", "prompt: look\nevery: 1h")
    await house.until_stored(lambda c: schedules.with_prefix(c, "runbook:"))
    await house.db.write(lambda _: None)  # writes end in order: whoever stored that sleeps now
    write(house, "newer", "prompt: look\nevery: 1h")
    await house.advance(11)
    await house.until_stored(lambda c: len(schedules.with_prefix(c, "runbook:")) == 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
