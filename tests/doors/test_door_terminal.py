"""The operator's commands beside a running gateway."""

import json
import re
from pathlib import Path

import pytest

from lar.testing.process import Ran
from lar.testing.stage import FIRST_USER, Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORD = "n00000000aa"


async def lar(door: Stage, *arguments: str, said: str = "") -> Ran:
    """Run a command once the gateway listens."""
    await door.process.url()
    return await door.process.lar(*arguments, said=said)


async def last_turn(door: Stage, chat: int) -> str:
    """Talk once, and return the id of the turn."""
    await door.telegram.ask(f"[[tool:calculate_expression {json.dumps({'expression': '6*7'})}]] {WORD}", chat)
    await door.settled()
    listed = (await lar(door, "turn", "list")).output
    row = next(line for line in listed.splitlines() if f"telegram:{chat}" in line)
    return row.split()[0]


async def test_chat(door: Stage) -> None:
    """`lar chat -m` talks to the running gateway and prints the answer, and nothing else."""
    ran = await lar(door, "chat", "--as", "ana", "-m", f"hello {WORD}")
    assert ran == Ran(0, f"echo: hello {WORD}\n", "")


async def test_chat_reads_its_input(door: Stage) -> None:
    """Without -m, what is piped in is the message."""
    ran = await lar(door, "chat", "--as", "ben", said=f"from a pipe {WORD}")
    assert ran == Ran(0, f"echo: from a pipe {WORD}\n", "")


async def test_chats_are_apart(door: Stage) -> None:
    """Each name is a conversation of its own."""
    await lar(door, "chat", "--as", "eva", "-m", "hello")
    assert "user,assistant,user" in (await lar(door, "chat", "--as", "eva", "-m", "[[history]]")).output
    assert "user,assistant,user" not in (await lar(door, "chat", "--as", "ivo", "-m", "[[history]]")).output


async def test_status(door: Stage, chat: int) -> None:
    """`lar status --json` tells programs what runs."""
    await door.telegram.ask("hello", chat)
    ran = await lar(door, "status", "--json")
    told = json.loads(ran.output)
    assert ran.status == 0
    assert told["running"] is True
    assert told["pid"] == door.process.pid
    assert told["problems"] == {}
    assert told["agents"] == {"main": "loop openai:sim-1"}
    assert "telegram:main" in told["channels"]
    assert "running as process" in (await lar(door, "status")).output


async def test_doctor(door: Stage) -> None:
    """`lar doctor` finds nothing wrong, and leaves the gateway alone."""
    ran = await lar(door, "doctor")
    assert ran.status == 0, ran.output
    assert "sim_bot" in ran.output
    assert door.process.alive


async def test_turn_show(door: Stage, chat: int) -> None:
    """`lar turn show` prints what was said, asked, called and answered."""
    number = await last_turn(door, chat)
    shown = (await lar(door, "turn", "show", number)).output
    for piece in (WORD, "calculate_expression", "42", "model"):
        assert piece in shown
    missing = await lar(door, "turn", "show", "999999")
    assert missing.status == 2
    assert "no turn 999999" in missing.errors


async def test_replay(door: Stage, chat: int, tmp_path: Path) -> None:
    """An exported turn runs again offline without a difference; with another prompt, that is told."""
    number = await last_turn(door, chat)
    file = tmp_path / "turn.json"
    assert (await lar(door, "turn", "export", number, "-o", str(file))).status == 0
    assert json.loads(file.read_text())["turn"]["id"] == int(number)
    asked = door.models.last_number
    again = await lar(door, "turn", "replay", str(file))
    assert (again.status, again.errors) == (0, "")
    assert re.search(r"\d+ steps replayed, no differences", again.output)
    config = tmp_path / "other.toml"
    config.write_text('[memory]\nsystem_prompt = "You are somebody else."\n')
    other = await lar(door, "turn", "replay", str(file), "--config", str(config))
    assert other.status == 1
    assert "the system prompt differs" in other.output
    assert door.models.last_number == asked, "a replay asks no model"


@pytest.mark.doors
async def test_an_altered_record_differs(door: Stage, chat: int, tmp_path: Path) -> None:
    """A record that today's code would not have made says where it differs."""
    number = await last_turn(door, chat)
    record = json.loads((await lar(door, "turn", "export", number)).output)
    call = next(step for step in record["steps"] if step["kind"] == "tool")
    call["input"] = {**call["input"], "arguments": {"expression": "6*8"}}
    file = tmp_path / "turn.json"
    file.write_text(json.dumps(record))
    other = await lar(door, "turn", "replay", str(file))
    assert other.status == 1
    assert "6*8" in other.output


@pytest.mark.doors
@pytest.mark.asyncio(loop_scope="function")
async def test_nothing_runs(tmp_path: Path) -> None:
    """Where no gateway runs, commands that read still work, and the status says what to do."""
    async with stage(tmp_path) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.process.url()
        await here.telegram.ask("hello", FIRST_USER)
        await here.settled()
        assert await here.process.stop() == 0
        status = await here.process.lar("status", "--json")
        assert status.status == 1
        assert json.loads(status.output)["running"] is False
        assert "done" in (await here.process.lar("turn", "list")).output
