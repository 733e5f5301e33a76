"""The ground under every test: no way out of this machine, and nothing of the operator's."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ground import CLOSED_DOOR, NetworkRefused, Require, forget_operator

OUTSIDE = "192.0.2.1"


def connect() -> None:
    """The plain way out."""
    with socket.socket() as sock:
        sock.connect((OUTSIDE, 443))


def connect_ex() -> None:
    """The way out that returns an error number."""
    with socket.socket() as sock:
        sock.connect_ex((OUTSIDE, 443))


def sendto() -> None:
    """The way out without a connection."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (OUTSIDE, 53))


def look_up() -> None:
    """Asking the world for an address."""
    socket.getaddrinfo("api.telegram.org", 443)


@pytest.mark.parametrize("leave", [connect, connect_ex, sendto, look_up])
def test_no_socket_leaves_this_machine(leave: Callable[[], None]) -> None:
    """A test that forgets its simulator fails at once instead of calling a vendor."""
    with pytest.raises(NetworkRefused, match=r"lar\.testing"):
        leave()


async def test_no_stream_leaves_this_machine() -> None:
    """The event loop's own way out is closed, too."""
    with pytest.raises(NetworkRefused):
        await asyncio.open_connection(OUTSIDE, 443)


async def test_loopback_is_open() -> None:
    """Simulators on this machine are reached by address and by name."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            reader, writer = await asyncio.open_connection(host, port, family=socket.AF_INET)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()


def test_unix_sockets_are_open(tmp_path: Path) -> None:
    """A database on this machine may listen on a file."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen(1)
        client.connect(path)


def test_operator_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no setting of whoever runs the tests can reach what they test."""
    for name in ("OPENAI_API_KEY", "TELEGRAM_BOT_TOKEN", "LAR_HOME", "LAR__SERVER__PORT", "LAR_TEST_REQUIRE"):
        monkeypatch.setenv(name, "kept")
    forget_operator()
    left = {name for name, value in os.environ.items() if value == "kept"}
    assert left == {"LAR_TEST_REQUIRE"}


def test_child_process_meets_a_closed_door() -> None:
    """A child that would call a vendor by mistake is sent to a port where nobody listens."""
    question = "import urllib.request; print(urllib.request.getproxies().get('https'))"
    answer = subprocess.run([sys.executable, "-c", question], check=True, capture_output=True, text=True)  # noqa: S603  # ours
    assert answer.stdout.strip() == CLOSED_DOOR


def test_home_is_empty_and_seen_by_children(home: Path) -> None:
    """Each test has a home of its own, and processes it starts use the same."""
    assert list(home.iterdir()) == []
    assert os.environ["LAR_HOME"] == str(home)


def test_missing_component_skips_with_its_command(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody without a component is told what to type."""
    monkeypatch.delenv("LAR_TEST_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt install unobtainium"):
        require("unobtainium", "apt install unobtainium")


def test_missing_component_fails_in_ci(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything is required, nothing is skipped in silence."""
    monkeypatch.setenv("LAR_TEST_REQUIRE", "all")
    with pytest.raises(pytest.fail.Exception, match="apt install unobtainium"):
        require("unobtainium", "apt install unobtainium")


def test_some_components_need_not_be_there(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that cannot have a component says so, by name, and everything else is required as ever."""
    monkeypatch.setenv("LAR_TEST_REQUIRE", "all but unobtainium, unaffordium")
    with pytest.raises(pytest.skip.Exception, match="apt install it"):
        require("an engine of unaffordium", "apt install it", found=False)
    with pytest.raises(pytest.fail.Exception, match="apt install it"):
        require("an engine", "apt install it", found=False)


def test_present_component_goes_on(require: Require) -> None:
    """What is there is used."""
    require("sh", "apt install dash")
    require("a python module", "pip install it", found=True)
