import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lar.errors import ConfigError
from lar.operations.home import Running, announce, find, prepare, token, withdraw


def test_the_home_is_private(tmp_path: Path) -> None:
    """Nobody else on the machine reads the owner's messages or the token."""
    home = tmp_path / "a" / "lar"
    prepare(home)
    first = token(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "token").stat().st_mode) == 0o600
    assert token(home) == first
    assert len(first) > 30
    assert [path.name for path in home.iterdir()] == ["token"]


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    """A wrong LAR_HOME is a sentence, not a trace."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="LAR_HOME"):
        prepare(tmp_path / "file" / "home")


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is open."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_running_gateway_is_found(tmp_path: Path, port: int) -> None:
    """Local commands find the gateway that runs, and only that."""
    assert find(tmp_path) is None
    mine = Running(os.getpid(), "127.0.0.1", port)
    announce(tmp_path, mine)
    assert find(tmp_path) == mine
    withdraw(tmp_path)
    assert find(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_dead_gateway_is_not_found(tmp_path: Path, port: int) -> None:
    """What a killed gateway left behind misleads nobody, and is not taken for this process's own."""
    dead = json.dumps({"pid": 2**22 + 1, "host": "127.0.0.1", "port": port})
    for text in (dead, "{", "[]", '{"pid": 1}'):
        (tmp_path / "gateway.json").write_text(text)
        assert find(tmp_path) is None
        withdraw(tmp_path)
        assert (tmp_path / "gateway.json").read_text() == text


def test_an_id_that_went_to_somebody_else(tmp_path: Path, port: int) -> None:
    """In a container every gateway is process 1: a living id with a closed port is no gateway."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    announce(tmp_path, Running(os.getpid(), "127.0.0.1", closed))
    assert closed != port
    assert find(tmp_path) is None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),  # noqa: S104  # an example
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("lar.example", "http://lar.example:1"),
    ],
)
def test_where_to_reach_it(host: str, url: str) -> None:
    """A gateway that listens everywhere is reached on this machine."""
    assert Running(1, host, 1).url == url
