"""A private PostgreSQL server for tests: installed binaries, a folder of its own, a Unix socket, nothing synced."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

import psycopg

from lar.errors import MissingComponent

_INSTALL = "apt-get install -y postgresql"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
_START_SECONDS = 60.0


def find_binaries() -> Path:
    """The folder of `initdb` and `postgres`, the newest version first.

    Raises:
        MissingComponent: there is none on this machine.

    """
    found = [folder for place in _PLACES for folder in Path("/").glob(place[1:])]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).parent)
    for folder in sorted(found, key=_version, reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise MissingComponent(f"PostgreSQL is missing here; install it with: {_INSTALL}")


def _version(folder: Path) -> int:
    digits = "".join(c for c in folder.parent.name if c.isdigit())
    return int(digits or "0")


class PostgresServer:
    """A server in a temporary folder. As root it runs as `postgres` or `nobody`, for it refuses to run as root."""

    def __init__(self) -> None:
        self._binaries = find_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="lar-pg-"))
        self._data = self._folder / "data"
        self._as_user: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        if os.geteuid() == 0:
            user = _unprivileged()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            self._as_user = ["setpriv", *ids, "--pdeathsig=QUIT", "--"]

    def start(self) -> None:
        """Create the cluster if need be, start the server unless it runs, and wait until it answers.

        Call it in the main thread: as root the server stops with the thread that started it.
        """
        if self._process:
            return
        if not self._data.exists():
            initdb = ["-D", str(self._data), "-U", "lar", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            self._run(str(self._binaries / "initdb"), *initdb)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "100",
            "shared_buffers": "32MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # a program we found ourselves
                [*self._as_user, str(self._binaries / "postgres"), "-D", str(self._data), *options],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        self._await_answer()

    def stop(self) -> None:
        """Stop at once, as a crash would: connections break, nothing is tidied up."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=_START_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Stop, and delete the folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self, like: str = "template0") -> str:
        """Create a database, empty or like another one that nobody is connected to; returns its URL."""
        name = f"lar_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}".encode())
        return self.url(name)

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://lar@/{database}?host={self._folder}"

    def _run(self, *command: str) -> None:
        done = subprocess.run([*self._as_user, *command], capture_output=True, check=False, cwd=self._folder)  # noqa: S603  # as above
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace')}")

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or (self._process and self._process.poll() is not None):
                    raise
                time.sleep(0.02)
            else:
                return


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
