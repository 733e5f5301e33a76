"""Something fails in the running product: it is written down, looked into, and told, once."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = [pytest.mark.doors, pytest.mark.asyncio(loop_scope="module")]

ADMIN, USER = FIRST_USER - 1, FIRST_USER
GATEWAY = (sys.executable, str(Path(__file__).parent / "failing_gateway.py"))
ANALYSIS = "The valve does not fit. Buy another one."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def failing(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A gateway in which things fail, and an admin who has written before."""
    env = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN), "LAR__SUPPORT__NOTICE_MINUTES": "0"}
    async with stage(tmp_path_factory.mktemp("failing"), command=GATEWAY, env=env) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("/whoami", ADMIN)
        yield here


def reports(here: Stage) -> dict[str, str]:
    """Every report by its title."""
    folder = here.process.home / "files" / "admin" / "error_reports"
    texts = [path.read_text() for path in folder.glob("*.md")]
    return {text.partition("\n")[0].removeprefix("# "): text for text in texts}


def notices(here: Stage, title: str) -> list[str]:
    """What the admin was told about this failure."""
    return [text for text in here.texts(ADMIN) if text.startswith("⚠️") and title in text]


async def test_a_channel_that_fails(failing: Stage) -> None:
    """R-SU-1: the channel's failure at start is a report, and the channel was started again."""
    await until(lambda: any("part failed: BufferError" in title for title in reports(failing)))
    assert "- part: telegram:main" in reports(failing)["part failed: BufferError"]


async def test_a_tool_that_fails(failing: Stage) -> None:
    """R-SU-1: report with trace and context, analysis, one notice; no secret, no quoted words."""
    failing.models.push(ANALYSIS, match="You look into errors.*LookupError")
    assert "LookupError" in (await failing.telegram.ask("[[tool:burst]]", USER))["text"]
    await until(lambda: notices(failing, "LookupError"))
    await failing.telegram.ask("[[tool:burst]] again", USER)
    await until(lambda: "- times: 2" in reports(failing)["tool failed: LookupError"])
    report = reports(failing)["tool failed: LookupError"]
    for line in ("- tool: burst", "- turn: ", "- conversation: ", "- version: ", "no valve fits", ANALYSIS):
        assert line in report
    assert "sk-simulated" not in report
    assert "somebody" not in report
    [notice] = notices(failing, "LookupError")
    assert "\nThe valve does not fit.\nReport: files/admin/error_reports/2" in notice
    assert not [text for text in failing.texts(USER) if text.startswith("⚠️")]


async def test_a_job_that_fails(failing: Stage) -> None:
    """R-SU-1: a job that fails again and again is one report and one notice."""
    await failing.telegram.ask("/synccommands", ADMIN)
    await until(lambda: notices(failing, "ArithmeticError"))
    assert "- kind: announce" in reports(failing)["a job's handler failed: ArithmeticError"]
    assert len(notices(failing, "ArithmeticError")) == 1


async def test_problems(failing: Stage) -> None:
    """R-SU-1: an admin finds all of it with /problems, in the chat and at the command line."""
    await until(lambda: len(reports(failing)) == 3)
    listed = str((await failing.telegram.ask("/problems", ADMIN))["text"])
    for title in ("LookupError", "ArithmeticError", "BufferError"):
        assert title in listed
    number = next(line for line in listed.splitlines() if "LookupError" in line).partition(".")[0]
    shown = str((await failing.telegram.ask(f"/problems {number}", ADMIN))["text"])
    assert "no valve fits" in shown
    assert ANALYSIS in shown
    assert "Only an admin" in (await failing.telegram.ask("/problems", USER))["text"]


async def test_a_quota_is_no_problem(failing: Stage) -> None:
    """R-SU-1: a used-up quota is told to the person, and is no error report."""
    before = len(reports(failing))
    assert "quota" in (await failing.telegram.ask("[[status:quota always]]", USER))["text"]
    await failing.settled()
    assert len(reports(failing)) == before
