"""Commands of a model behind walls, through Telegram, the model and the running product."""

import json
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ground import Require
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = [pytest.mark.doors, pytest.mark.asyncio(loop_scope="module")]

ADMIN, ANN, BEN = FIRST_USER - 1, FIRST_USER, FIRST_USER + 1
SLEEP = "86399"
"""Seconds a command sleeps whose process is looked for; the fraction behind it is the test's own."""

PLOT = """
import struct, zlib
rows = b"".join(b"\\0" + bytes(255 if y == 59 - x * x // 100 else 0 for x in range(80)) for y in range(60))
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
head = struct.pack(">IIBBBBB", 80, 60, 8, 0, 0, 0, 0)
parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
open("plot.png", "wb").write(b"\\x89PNG\\r\\n\\x1a\\n" + parts)
print("largest", max(x * x // 100 for x in range(80)))
"""
SUMS = """
import csv
sums = {}
for row in csv.DictReader(open("uploads/sales.csv")):
    sums[row["town"]] = sums.get(row["town"], 0) + int(row["sold"])
with open("sums.csv", "w") as file:
    csv.writer(file).writerows([("town", "sum"), *sorted(sums.items())])
"""


def call(tool: str, **arguments: Any) -> str:
    """What makes the model call a tool."""
    return f"[[tool:{tool} {json.dumps(arguments)}]]"


def sleepers(mark: str) -> list[int]:
    """The processes that sleep for this test."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if b"sleep" in words[0] and mark.encode() in words:
            found.append(int(path.parent.name))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walls(require: Require) -> None:
    """Bubblewrap, where it works."""
    found = await Bubblewrap().check()
    require(f"a working bubblewrap ({found.detail})", "apt install bubblewrap libseccomp2", found=found.works)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory, walls: None) -> AsyncGenerator[Stage]:  # noqa: ARG001  # a precondition
    """A gateway with a sandbox."""
    env = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN)}
    async with stage(tmp_path_factory.mktemp("walls"), env=env) as running:
        await running.start()
        await running.telegram.until_polling()
        yield running


def sent_with(here: Stage, chat: int, kind: str) -> Callable[[], list[dict[str, Any]]]:
    """The bot's messages in a chat that carry such a file."""
    return lambda: [each for each in here.telegram.messages(chat) if each["from"]["is_bot"] and kind in each]


async def test_a_plot_arrives_as_a_photo(here: Stage) -> None:
    """R-TO-4: something is computed with Python, and the picture it drew arrives as a photo, looked at by the model."""
    arguments = {"code": PLOT, "send_files": ["plot.png"], "show_images": ["*.png"]}
    thought = {"tool_calls": [{"name": "python_execute", "args": arguments}]}
    here.models.push(thought, "It goes up to 62.", match="draw a parabola")
    here.telegram.send_text("draw a parabola", ANN)
    await here.telegram.expect_reply(ANN, match="up to 62")
    await until(sent_with(here, ANN, "photo"))
    [message] = sent_with(here, ANN, "photo")()
    assert (message["photo"][-1]["width"], message["photo"][-1]["height"]) == (80, 60)
    stored = here.telegram.files.get(message["photo"][-1]["file_id"])
    assert stored is not None
    assert stored.data.startswith(b"\x89PNG")
    asked = json.dumps(here.models.log[-1]["body"])
    assert "largest 62" in asked
    assert "data:image/png;base64" in asked, "the model was shown it"


async def test_a_table_is_analysed_and_sent_back(here: Stage) -> None:
    """R-TO-4: a CSV that was sent is analysed, the result comes back as a document, and the turn is tainted by it."""
    table = b"town,sold\nUlm,3\nBonn,4\nUlm,5\n"
    asked = call("python_execute", code=SUMS, send_files=["sums.csv"])
    here.telegram.send_media("document", table, BEN, filename="sales.csv", mime="text/csv", caption=asked)
    await here.telegram.expect_reply(BEN, match="sums.csv leaves with your reply")
    await until(sent_with(here, BEN, "document"))
    [message] = sent_with(here, BEN, "document")()
    stored = here.telegram.files.get(message["document"]["file_id"])
    assert stored is not None
    assert message["document"]["file_name"] == "sums.csv"
    assert stored.data.split() == [b"town,sum", b"Bonn,4", b"Ulm,8"]
    question = await here.telegram.ask(call("save_note", text="remember this"), BEN)
    assert "uploads/sales.csv" in question["text"], "what was sent is content from outside"
    here.telegram.press(BEN, text="Do not")


async def test_stop_ends_what_runs(here: Stage) -> None:
    """R-CV-2: `/stop` ends every process of a command, however it was detached, within a second."""
    mark = f"{SLEEP}.125"
    here.telegram.send_text(call("shell", command=f"setsid sleep {mark} & sleep {mark}"), ANN)
    await until(lambda: len(sleepers(mark)) == 2)
    started = time.monotonic()
    assert "Stopped: 1 turn(s)" in (await here.telegram.ask("/stop", ANN))["text"]
    await until(lambda: not sleepers(mark), 1)
    assert time.monotonic() - started <= 1
    assert "n00000000ab" in (await here.telegram.ask("next n00000000ab", ANN))["text"]


async def test_python_is_described(here: Stage) -> None:
    """R-TO-9: the assistant knows which Python it has."""
    assert "in the sandbox bubblewrap" in (await here.telegram.ask(call("python_environment_info"), ANN))["text"]


async def test_doctor_names_the_sandbox(here: Stage) -> None:
    """R-SB-2: `lar doctor` says which sandbox is used, what each keeps, and what gets the others."""
    told = (await here.process.lar("doctor", "--offline")).output
    assert "sandbox: commands run in bubblewrap (sandbox.backend is auto)" in told
    assert "sandbox none: works" in told
    assert "set sandbox.jail.command_prefix" in told


async def test_an_emergency_stop_ends_everything(tmp_path: Path, walls: None) -> None:  # noqa: ARG001  # a precondition
    """R-PO-4: a command and a model call end in two seconds; nothing starts until `/resume`, after a restart too."""
    mark = f"{SLEEP}.25"
    env = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN)}
    async with stage(tmp_path, env=env) as here:
        await here.start()
        here.telegram.send_text(call("shell", command=f"setsid sleep {mark} & sleep {mark}"), ANN)
        await until(lambda: len(sleepers(mark)) == 2)
        asked = here.models.last_number
        here.telegram.send_text("[[sleep:60]] slow n00000000aa", BEN)
        await until(lambda: here.models.last_number > asked)
        started = time.monotonic()
        told = (await here.telegram.ask("/emergency_stop", ADMIN))["text"]
        await until(lambda: not sleepers(mark), 2)
        await until(lambda: here.models.log[-1]["status"] == -2, 2)  # hung up
        assert time.monotonic() - started <= 2
        assert "Everything is stopped" in told
        assert "emergency stop" in (await here.telegram.ask(call("shell", command=f"sleep {mark}"), ANN))["text"]
        assert await here.process.stop() == 0
        await here.start()
        assert "emergency stop" in (await here.telegram.ask("/status", ADMIN))["text"]
        calls = here.models.last_number
        assert "emergency stop" in (await here.telegram.ask("hello n00000000ac", BEN))["text"]
        assert (sleepers(mark), here.models.last_number) == ([], calls)
        await here.telegram.ask("/resume", ADMIN)
        await until(lambda: sleepers(mark))
        await here.telegram.expect_reply(BEN, match="n00000000ac")
        await here.telegram.ask("/stop", ANN)
        await until(lambda: not sleepers(mark), 1)


async def test_without_walls_there_are_no_commands(tmp_path: Path) -> None:
    """R-SB-2: a named sandbox that does not work is replaced by none: no tools, and the reason is shown."""
    env = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN), "LAR__SANDBOX__BACKEND": "jail"}
    async with stage(tmp_path, env=env) as here:
        await here.start()
        told = (await here.telegram.ask(call("shell", command="id"), ADMIN))["text"]
        assert "tool shell not offered" in told
        offered = told.partition("offered: ")[2]
        assert "calculate_expression" in offered
        assert "python_execute" not in offered
        assert "jail: no command prefix is set" in (await here.telegram.ask("/status", ADMIN))["text"]
        assert "no sandbox works" in (await here.process.lar("status")).output
        doctor = await here.process.lar("doctor", "--offline")
        assert doctor.status == 1
        assert "FAIL  sandbox" in doctor.output


async def test_none_only_when_it_is_spelled_out(tmp_path: Path) -> None:
    """R-SB-3: with `none` commands run as Lar itself, and every one of them asks first."""
    env = {"LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN), "LAR__SANDBOX__BACKEND": "none"}
    async with stage(tmp_path, env=env) as here:
        await here.start()
        question = await here.telegram.ask(call("python_execute", code="print(6 * 7)"), ADMIN)
        assert "Run on this machine without walls (sandbox none):\nprint(6 * 7)" in question["text"]
        here.telegram.press(ADMIN, text="Once")
        await here.telegram.expect_reply(ADMIN, match="stdout:\n42")
