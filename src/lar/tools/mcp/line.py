"""Where a server is, and what is known of the line to it."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lar.tools.mcp.settings import McpServerSettings

PLAIN_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""What a program finds in its environment besides its own HOME, where nothing else is configured."""

ERRORS_KEPT = 20
"""Last lines of a program's standard error that are kept for the log of its end."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to start: the command and its arguments, the whole environment, the folder.

    `longest` is the largest message it may send, in bytes.
    """

    command: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    longest: int


@dataclass(frozen=True, slots=True)
class Address:
    """A server that is spoken to over HTTP. `longest` as of a program."""

    url: str
    headers: Mapping[str, str]
    longest: int


def where(name: str, settings: McpServerSettings, folder: Path) -> Program | Address:
    """Where the server `name` is. A program has a folder of its own below `folder`, made if it is missing."""
    if settings.url:
        headers = {header: value.get_secret_value() for header, value in settings.headers.items()}
        return Address(settings.url, headers, settings.max_result)
    own = folder / name
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {variable: value.get_secret_value() for variable, value in settings.env.items()}
    start_in = Path(settings.cwd).expanduser() if settings.cwd else own
    command = (settings.command, *settings.args)
    return Program(command, {**PLAIN_ENV, "HOME": str(own), **env}, start_in, settings.max_result)


@dataclass(slots=True)
class Line:
    """The line to a server: whether its tools have changed, whether it is over, and why.

    `news` is set whenever there is something to look at. `status` is the last error of HTTP; `errors` is what a program
    wrote on standard error.
    """

    news: asyncio.Event = field(default_factory=asyncio.Event)
    changed: bool = False
    over: bool = False
    cause: str = ""
    status: int = 0
    errors: deque[str] = field(default_factory=lambda: deque[str](maxlen=ERRORS_KEPT))

    def change(self) -> None:
        """The server says that its tools have changed."""
        self.changed = True
        self.news.set()

    def end(self, cause: str) -> None:
        """Nothing more comes of it; the first cause is the one."""
        self.over, self.cause = True, self.cause or cause
        self.news.set()
