"""The home folder: made, kept private, and where a running gateway leaves its address."""

import json
import os
import secrets
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lar.errors import ConfigError

TOKEN, GATEWAY = "token", "gateway.json"  # names of files

KNOCK_SECONDS = 2.0
"""How long a gateway on this machine may take to answer a knock."""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that runs on this machine."""

    pid: int
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where it answers on this machine, without a slash at the end."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # read, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def prepare(home: Path) -> None:
    """Make the folder, for its owner alone, if it is missing.

    Raises:
        ConfigError: it cannot be made or written.

    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the home folder {home} cannot be made: {error.strerror}. Set LAR_HOME") from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise ConfigError(f"the home folder {home} cannot be written: change its owner, or set LAR_HOME")


def token(home: Path) -> str:
    """What local commands prove themselves with; made on first use, readable by its owner alone."""
    path = home / TOKEN
    if not path.exists():
        fresh = home / f".{TOKEN}.{os.getpid()}"
        try:
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(32))
            with suppress(FileExistsError):
                os.link(fresh, path)  # never seen half written, never replaced
        finally:
            fresh.unlink(missing_ok=True)
    return path.read_text(encoding="ascii").strip()


def announce(home: Path, running: Running) -> None:
    """Leave the address of this gateway for local commands."""
    fresh = home / f".{GATEWAY}.{os.getpid()}"
    fresh.write_text(json.dumps(asdict(running)))
    fresh.replace(home / GATEWAY)


def withdraw(home: Path) -> None:
    """Take back what `announce` left, if it is this process's."""
    running = _announced(home)
    if running and running.pid == os.getpid():
        (home / GATEWAY).unlink(missing_ok=True)


def find(home: Path) -> Running | None:
    """The gateway that runs, if there is one: its process is alive, and its port is open.

    Both are looked at, for a killed gateway leaves its address behind, and its process id may be another's by now.
    """
    running = _announced(home)
    if running is None:
        return None
    where = urlsplit(running.url)
    try:
        os.kill(running.pid, 0)
        socket.create_connection((where.hostname, running.port), KNOCK_SECONDS).close()
    except OSError:
        return None
    return running


def _announced(home: Path) -> Running | None:
    try:
        return Running(**json.loads((home / GATEWAY).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
