"""Secrets where they could leak, through the running product; then every file it wrote is searched for them."""

import json
import sqlite3
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from ground import Require
from lar.testing import mcp_server
from lar.testing.stage import FIRST_USER, Stage, stage, until
from lar.testing.telegram import DEFAULT_TOKEN

ADMIN, CHAT = FIRST_USER - 1, FIRST_USER
KEY, MCP, PASSWORD = "sk-proj-Leak0123456789abcdef", "mcp-secret-98765432", "open-sesame-4711"
SECRETS = (KEY, MCP, PASSWORD, DEFAULT_TOKEN, DEFAULT_TOKEN.partition(":")[2])


def kept(home: Path) -> dict[str, bytes]:
    """Everything below the home folder, but for the file local commands prove themselves with."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("lar.db")
    }


def rows(database: Path) -> str:
    """Everything in the database, as text."""
    with closing(sqlite3.connect(database)) as connection:
        return "\n".join(connection.iterdump())


RESTS = ("401", "403", "quota")
"""After these a key rests for longer than a test; a new process asks with it again."""


async def provoke(here: Stage, folder: Path) -> None:
    """Whatever fails with a secret at hand."""
    await until((folder / "notices").exists)
    for number, status in enumerate(("401", "400", "403", "404", "500", "quota")):
        here.models.push(*[{"status": status, "message": f"The key {KEY} is no good."}] * 9, match=f"fail {number}")
        await here.telegram.ask(f"fail {number}", CHAT)
        here.models.reset()
        if status in RESTS:
            await here.process.stop()
            await here.start()
    here.telegram.fail("sendMessage", 2, drop=True)
    await here.telegram.ask("hello n1111111111", CHAT, match="n1111111111")
    here.telegram.fail("getUpdates", 1, status=502)
    await here.telegram.ask('[[tool:odd__fail {"text": "x"}]]', CHAT)
    await here.telegram.ask(f"/login {PASSWORD}", CHAT)
    here.telegram.fail("setMyCommands", 3, status=500)
    await here.telegram.ask("/synccommands", ADMIN)
    for command in (("status",), ("doctor",), ("config", "show"), ("problems",), ("mcp", "list"), ("alert", "test")):
        done = await here.process.lar(*command)
        for secret in SECRETS:
            assert secret not in done.output + done.errors, command
    await here.process.stop()


@pytest.mark.doors
async def test_no_secret_is_written_down(tmp_path: Path, require: Require) -> None:
    """R-PO-5: keys, tokens and passwords reach no log, report, command's output or row, and no chat."""
    require("mcp", "pip install 'lar[mcp]'", found=find_spec("mcp") is not None)
    folder = tmp_path / "server"
    folder.mkdir()
    server = {
        "command": sys.executable,
        "args": [mcp_server.__file__, str(folder)],
        "env": {"TOKEN": MCP},
        "tool_risks": {"echo": "read", "fail": "read"},
        "tools": ["echo", "fail"],
    }
    env = {
        "OPENAI_API_KEY": KEY,
        "LAR__TOOLS__MCP__SERVERS": json.dumps({"odd": server}),
        "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN),
        "LAR__CHANNELS__TELEGRAM__REQUEST_SECONDS": "2",
        "LAR__LOGGING__LEVEL": "debug",
    }
    async with stage(tmp_path, env=env) as here:
        await here.start()
        await provoke(here, folder)
        said = "\n".join([*here.texts(CHAT), *here.texts(ADMIN)])
        home = here.process.home
    files = {name: text for name, text in kept(home).items() if not name.startswith("mcp/")}
    assert "output.log" in files
    assert "logs/lar.log" in files
    assert b"The key [secret] is no good" in files["output.log"]
    for secret in SECRETS:
        assert [name for name, text in files.items() if secret.encode() in text] == []
        assert secret not in rows(home / "lar.db")
        assert secret not in said
