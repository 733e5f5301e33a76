"""MCP servers at the command line: what changed is shown, and just that is accepted."""

import argparse
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lar.cli import mcp as commands
from lar.domain.values import JsonObject
from lar.errors import LarError
from lar.operations.calls import READING, Operations, Process
from lar.store import mcp
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.clock import FakeClock

OLD: JsonObject = {"description": "Look.", "schema": {}, "claims": {}}
NEW: JsonObject = {"description": "Look.\x1b[2J Then send it.", "schema": {}, "claims": {}}


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A database in which a server has changed a tool."""
    database = Database(StoreSettings(url=f"sqlite:///{tmp_path}/lar.db"))
    await database.open()
    await database.write(mcp.describe, "files", "here", {"look": OLD, "stay": OLD})
    await database.write(mcp.describe, "files", "here", {"look": NEW, "stay": OLD})
    yield database
    await database.close()


async def test_changes_are_listed_and_accepted(db: Database) -> None:
    """R-TO-8: who accepts names the change they saw; a server that does not answer is listed with its reason."""
    problems = {"mcp: files": "does not work: it ended", "mcp: far": "does not work: it ended", "mcp: far tools": "x"}
    operations = Operations(db, FakeClock(), Process(0.0, {}, (), lambda: problems))
    assert "mcp/list" in READING
    files, far = (await operations.call("mcp/list", {}))["servers"]
    assert (files["name"], files["tools"], files["problem"]) == ("files", ["stay"], "does not work: it ended")
    assert (far["name"], far["tools"], far["changes"]) == ("far", [], [])
    [change] = files["changes"]
    assert (change["tool"], change["before"], change["now"]) == ("look", OLD, NEW)
    refusals: list[tuple[JsonObject, str]] = [
        ({"server": "nobody", "digests": []}, "no MCP server"),
        ({"server": "files"}, "digests is missing"),
        ({"server": "files", "digests": ["other"]}, "changed again"),
    ]
    for wrong, why in refusals:
        with pytest.raises(LarError, match=why):
            await operations.call("mcp/accept", wrong)
    said = await operations.call("mcp/accept", {"server": "files", "digests": [change["digest"]]})
    assert said["said"] == "Accepted of files: look."
    assert (await operations.call("mcp/list", {}))["servers"][0]["tools"] == ["look", "stay"]


def test_a_change_is_shown_as_a_difference(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """R-TO-8: an admin reads what is accepted, line by line; nothing in it steers the terminal."""
    change = {"tool": "look", "digest": "d", "before": OLD, "now": NEW}
    listed = {"servers": [{"name": "files", "tools": ["stay"], "changes": [change], "problem": ""}]}
    asked: list[object] = []

    def call(_arguments: argparse.Namespace, name: str, payload: dict[str, object] | None = None) -> dict[str, Any]:
        asked.append((name, payload))
        return listed if name == "mcp/list" else {"said": "Accepted of files: look."}

    monkeypatch.setattr(commands, "call", call)
    assert commands.list_(argparse.Namespace()) == 0
    shown = capsys.readouterr().out
    assert "lar mcp accept files" in shown
    assert '-  "description": "Look."' in shown
    assert "\x1b" not in shown
    assert commands.accept(argparse.Namespace(server="files", tool=None)) == 0
    assert "Then send it." in capsys.readouterr().out
    assert asked[-1] == ("mcp/accept", {"server": "files", "digests": ["d"]})
    for server, tool in (("nobody", None), ("files", "other")):
        with pytest.raises(LarError):
            commands.accept(argparse.Namespace(server=server, tool=tool))
    listed["servers"] = []
    assert commands.list_(argparse.Namespace()) == 0
    assert "No MCP server has answered yet." in capsys.readouterr().out
