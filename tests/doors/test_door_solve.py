"""R-SU-2 on the running product: `/solve` through Telegram and a model, and plans that errors bring along."""

import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from lar.operations.host import host_name
from lar.testing.stage import FIRST_USER, Stage, stage, until
from lar.testing.telegram import DEFAULT_TOKEN

pytestmark = [pytest.mark.doors, pytest.mark.asyncio(loop_scope="module")]

ADMIN, USER, GROUP = FIRST_USER - 1, FIRST_USER, -100_777
GATEWAY = (sys.executable, str(Path(__file__).parent / "failing_gateway.py"))
PLANNING, TRIAGE, SUMMING = "You repair the machine", "You look into errors", "You sum up"
SLEEPS = (b"sleep\x0061234\x00", b"sleep\x0061235\x00")
SEEN = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PAGER", "XDG_RUNTIME_DIR", "LAR_COMMAND"),
    *("PWD", "OLDPWD", "SHLVL", "_"),
}
"""All that a command's environment may hold; the last four are the shell's own."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A gateway in which things fail, an admin who has written before, and a group in which both are."""
    env = {
        "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN),
        "LAR__CHANNELS__TELEGRAM__ALLOWED_CHAT_IDS": str(GROUP),
        "LAR__SUPPORT__NOTICE_MINUTES": "0",
    }
    async with stage(tmp_path_factory.mktemp("solving"), command=GATEWAY, env=env) as running:
        await running.start()
        await running.telegram.until_polling()
        await running.telegram.ask("/whoami", ADMIN)
        yield running


def plan_of(*commands: str) -> str:
    """What a model answers that plans these."""
    return json.dumps({"says": "It may be this.", "commands": [{"command": c, "purpose": "to see"} for c in commands]})


def asked(here: Stage, chat: int = ADMIN) -> list[str]:
    """The questions and proposals in a chat that still have buttons."""
    return [str(m["text"]) for m in here.telegram.messages(chat) if m.get("reply_markup")]


async def said(here: Stage, what: str, chat: int = ADMIN) -> str:
    """Wait until the bot has said this, and return its message."""
    await until(lambda: any(what in text for text in here.texts(chat)))
    return next(text for text in here.texts(chat) if what in text)


async def test_yes_no_and_the_sum_of_it(here: Stage, tmp_path: Path) -> None:
    """R-SU-2: proposes, asks with host and command, runs from / after Yes, skips after No, sums up; no secret."""
    made = tmp_path / "made"
    here.models.push(plan_of("pwd; env", f"touch {made}"), match=PLANNING)
    here.models.push("All is well now.", match=SUMMING)
    here.telegram.send_text("/solve it is slow", ADMIN)
    question = await said(here, f"On {host_name()}, from /, by /bin/sh:\npwd; env\n")
    assert "1/2: to see" in question
    here.telegram.press(ADMIN, text="^Yes$")
    await said(here, f"touch {made}\n\nWithout buttons")
    shown = await said(here, "✅ pwd; env\nexit code 0")
    assert shown.splitlines()[2] == "/"
    assert {line.partition("=")[0] for line in shown.splitlines()[3:]} <= SEEN
    assert "PATH=/usr/local/sbin:" in shown
    here.telegram.press(ADMIN, text="^No$")
    end = await said(here, "All is well now.")
    assert "pwd; env" in end
    assert "skipped" in end
    assert not made.exists()
    asked_models = json.dumps([entry["body"] for entry in here.models.log if "body" in entry])
    assert "PATH=/usr/local/sbin:" in asked_models
    for secret in ("sk-simulated", DEFAULT_TOKEN):
        assert secret not in asked_models
        assert secret not in "\n".join(here.texts(ADMIN))


async def test_only_an_admin_presses(here: Stage, tmp_path: Path) -> None:
    """R-SU-2: in a group where everybody sees the question only an admin's press counts, and a second explains."""
    made = tmp_path / "made"
    here.models.push(plan_of(f"echo x >> {made}"), match=PLANNING)
    assert "Only an admin" in (await here.telegram.ask("/solve it", USER))["text"]
    here.telegram.send_text("/solve it", GROUP, user=ADMIN)
    await said(here, f"echo x >> {made}\n\nWithout buttons", GROUP)
    [question] = [m for m in here.telegram.messages(GROUP) if m.get("reply_markup")]
    data = str(question["reply_markup"]["inline_keyboard"][0][0]["callback_data"])
    here.telegram.press(GROUP, data=data, user=USER)
    await said(here, "Only an admin may answer this.", GROUP)
    assert not made.exists()
    here.telegram.press(GROUP, data=data, user=ADMIN)
    here.telegram.press(GROUP, data=data, user=ADMIN)
    await said(here, f"User{ADMIN} has approved this already.", GROUP)
    await said(here, "1. ✅", GROUP)
    await here.settled()
    assert made.read_text() == "x\n"


async def test_an_error_brings_a_plan(here: Stage, tmp_path: Path) -> None:
    """R-SU-1, R-SU-2: report, analysis, one notice with a plan; its button asks, a second press explains itself."""
    made = tmp_path / "made"
    here.models.push("The valve does not fit.", match=f"{TRIAGE}.*LookupError")
    here.models.push(plan_of(f"touch {made}"), match=f"{PLANNING}.*LookupError")
    await here.telegram.ask("[[tool:burst]]", USER)
    notice = await said(here, "tool failed: LookupError")
    assert f"1. touch {made} (to see)" in notice
    assert "LookupError" in (await here.telegram.ask("/problems", ADMIN))["text"]
    assert not made.exists()
    here.telegram.press(ADMIN, text="^Go through it$")
    await said(here, f"touch {made}\n\nWithout buttons")
    here.telegram.press(ADMIN, text="^Go through it$")
    await said(here, "This plan was taken up already.")
    here.telegram.press(ADMIN, text="^Yes$")
    await until(made.exists)
    await here.settled()
    assert "burst" not in "".join(asked(here, USER))


async def test_a_quota_proposes_nothing(here: Stage) -> None:
    """R-SU-2: a used-up quota is told to the person; no model is asked for a plan, and no admin told."""
    await here.settled()
    before = (len(here.texts(ADMIN)), sum(PLANNING in str(entry) for entry in here.models.log))
    assert "quota" in (await here.telegram.ask("[[status:quota always]]", USER))["text"]
    await here.settled()
    assert (len(here.texts(ADMIN)), sum(PLANNING in str(entry) for entry in here.models.log)) == before
    await here.process.stop()
    await here.start()  # the key rests for an hour; a new process asks with it again


async def test_killed_while_it_runs(here: Stage, tmp_path: Path) -> None:
    """R-SU-2: SIGKILL while an approved command runs: told as unknown, ended, and run again only after a second yes."""
    made = tmp_path / "made"
    command = f"echo x >> {made}; (setsid sleep 61234 &); exec sleep 61235"
    here.models.push(plan_of(command), match=PLANNING)
    here.telegram.send_text("/solve it hangs", ADMIN)
    await said(here, f"{command}\n\nWithout buttons")
    here.telegram.press(ADMIN, text="^Yes$")
    await until(made.exists)
    await here.process.kill()
    here.telegram.bot.end_poll("closed")
    await here.start()
    await said(here, "I was interrupted while this ran")
    assert not sleepers()
    await until(lambda: sum(command in text for text in asked(here)) == 1)
    assert made.read_text() == "x\n"
    here.telegram.press(ADMIN, text="^No$")
    await said(here, "outcome unknown")
    await here.settled()
    assert made.read_text() == "x\n"


async def test_stop_and_emergency_stop_end_it(here: Stage, tmp_path: Path) -> None:
    """R-PO-4: a running command ends with /stop, and with /emergency_stop, within two seconds."""
    for number, stop in enumerate(("/stop", "/emergency_stop")):
        made = tmp_path / str(number)
        here.models.push(plan_of(f"touch {made}; (setsid sleep 61234 &); exec sleep 61235"), match=PLANNING)
        here.telegram.send_text(f"/solve it hangs {number}", ADMIN)
        await said(here, f"touch {made};")
        await until(lambda made=made: any(f"touch {made};" in text for text in asked(here)))
        here.telegram.press(ADMIN, text="^Yes$")
        await until(lambda: len(sleepers()) == len(SLEEPS))
        here.telegram.send_text(stop, ADMIN)
        await until(lambda: not sleepers(), 2.0)
    await here.telegram.ask("/resume", ADMIN)


def sleepers() -> list[str]:
    """The processes that these tests' commands start."""
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _line(path) in SLEEPS]


def _line(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
