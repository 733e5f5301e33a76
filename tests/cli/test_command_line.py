import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lar.cli import main
from lar.errors import ConfigError
from lar.testing.process import LarProcess

LAR = (sys.executable, "-m", "lar")
PATIENCE = 60


def lar(home: Path, *arguments: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(  # noqa: S603  # our own program
        (*LAR, *arguments),
        env={"PATH": os.environ["PATH"], "LAR_HOME": str(home), "LAR__SERVER__PORT": "0", **env},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def said(home: Path, *arguments: str, stdin: str | None = None, **env: str) -> str:
    """What a command that succeeds prints."""
    done = lar(home, *arguments, stdin=stdin, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
async def gateway(home: Path) -> AsyncIterator[LarProcess]:
    """A running gateway without key and token."""
    process = LarProcess(home, {})
    await process.start()
    await process.url()
    yield process
    await process.kill()


def test_the_version_needs_nothing_heavy() -> None:
    """`lar --version` answers at once: no third-party module is imported before a command needs it."""
    program = (
        "import sys, lar.cli; print([m for m in ('pydantic', 'sqlalchemy', 'httpx', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True)  # noqa: S603  # our own program
    assert done.stdout.strip() == "[]"


def test_the_first_conversation(home: Path) -> None:
    """Fresh clone, no key, no token, nothing running: `lar chat` answers, remembers, and leaves nothing running."""
    assert "409.5" in said(home, "chat", "-m", "what is 17.5% of 2340?")
    assert "boiler" in said(home, "chat", stdin="note: the boiler code is 4411\n")
    assert "4411" in said(home, "chat", "-m", "which notes do I have?")
    assert not (home / "gateway.json").exists()
    assert "not running" in lar(home, "status").stdout


def test_turns_are_shown_exported_and_replayed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was done to answer can be looked at, kept, and run again offline."""

    def shown(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsys.readouterr().out

    said(home, "chat", "-m", "what is 6*7?")
    assert "done" in shown("turn", "list")
    timeline = shown("turn", "show", "1")
    for stretch in ("what is 6*7?", "calculate_expression", "delivery 1 sent"):
        assert stretch in timeline
    shown("turn", "export", "1", "-o", str(home / "turn.json"))
    record = json.loads((home / "turn.json").read_text())
    assert (record["schema"], record["turn"]["state"]) == (1, "done")
    assert json.loads(shown("turn", "export", "1")) == record
    assert "no differences" in shown("turn", "replay", str(home / "turn.json"))


async def test_commands_go_through_the_running_gateway(home: Path, gateway: LarProcess) -> None:
    """While the gateway owns the database, commands that look and commands that change things still work."""
    assert "409.5" in said(home, "chat", "-m", "what is 17.5% of 2340?")
    assert "Ana" in said(home, "people", "add", "telegram:42", "--name", "Ana", "--admin")
    assert "telegram:42" in said(home, "people", "list")
    status = json.loads(said(home, "status", "--json"))
    assert (status["running"], status["pid"]) == (True, gateway.pid)
    assert "running as process" in said(home, "status")
    assert "runs as process" in said(home, "doctor", "--offline")
    unknown = lar(home, "people", "approve", "NOSUCHCODE")
    assert unknown.returncode == 2
    assert "lar people list" in unknown.stderr
    assert "No question is open" in said(home, "approvals", "list")
    for words in (("approve", "1", "always"), ("deny", "1", "not now"), ("withdraw", "1")):
        assert "lar approvals list" in lar(home, "approvals", *words).stderr
    assert await gateway.stop() == 0
    assert not (home / "gateway.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_stop_it(home: Path, gateway: LarProcess, number: signal.Signals) -> None:
    """Ctrl-C and systemd stop the gateway in order, with a clean exit and no trace."""
    os.kill(gateway.pid, number)
    assert await gateway.stop() == 0
    assert "Traceback" not in gateway.output()
    assert not (home / "gateway.json").exists()


def test_errors_are_sentences(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake is told in one sentence; the trace is there for who asks for it."""
    for arguments, sentence in (
        (("turn", "show", "1"), f"there is no database at {home}"),
        (("people", "add", "Ana"), "write who it is as channel:user"),
        (("chat", "-m", " "), "there is nothing to say"),
        (("turn", "replay", str(home / "absent")), "cannot be read"),
    ):
        assert main(arguments) == 2
        assert sentence in capsys.readouterr().err
    monkeypatch.setenv("LAR__SERVER__PORT", "x")
    assert main(("run",)) == 2
    assert capsys.readouterr().err.startswith("server.port (set by LAR__SERVER__PORT)")
    with pytest.raises(ConfigError):
        main(("run", "--debug"))


def test_config_commands(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`config check` names what is misspelt, `config show` masks secrets, `doctor` repeats the warning."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-indeed")
    (home / "lar.toml").write_text("[servr]\nport = 1\n")
    assert main(("config", "check")) == 1
    assert "did you mean server?" in capsys.readouterr().err
    assert main(("config", "show")) == 0
    shown = capsys.readouterr().out
    assert "very-secret" not in shown
    assert json.loads(shown)["agents"]["main"]["model"] == "openai:gpt-5-mini"
    main(("doctor", "--offline"))
    assert "did you mean server?" in capsys.readouterr().out
    assert main(("config", "reference")) == 0
    assert capsys.readouterr().out.startswith("# Configuration")
    assert main(("config", "reference", "--example")) == 0
    assert "[server]" in capsys.readouterr().out


def test_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`lar` alone shows the commands."""
    assert main(()) == 0
    assert "doctor" in capsys.readouterr().out


async def test_a_conversation_at_a_terminal(home: Path, gateway: LarProcess) -> None:
    """Typed lines are answered on the terminal, and so is what was typed while the gateway was down; Ctrl-D ends."""
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "LAR_HOME": str(home), "TERM": "xterm"}
    chat = await asyncio.create_subprocess_exec(*LAR, "chat", env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        os.write(ours, b"what is 6*7?\n")
        await shown_until(ours, "**42**")
        await gateway.kill()
        await shown_until(ours, "trying again")
        os.write(ours, b"what is 6*8?\n")
        await gateway.start()
        await shown_until(ours, "**48**")
        os.write(ours, b"\x04")
        assert await asyncio.wait_for(chat.wait(), PATIENCE) == 0
    finally:
        if chat.returncode is None:
            chat.kill()
        os.close(ours)


async def shown_until(terminal: int, text: str) -> None:
    """Read what a terminal shows, up to this text."""
    shown = ""
    async with asyncio.timeout(PATIENCE):
        while text not in shown:
            shown += (await asyncio.to_thread(os.read, terminal, 4096)).decode(errors="replace")
