"""Commands on the gateway's own host: behind no walls, so each is asked about by name; see `operations.solve`."""

import asyncio
import os
import platform
import pwd
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

from lar.conversations.strings import say
from lar.domain.risk import Deed, Risk
from lar.domain.values import JsonObject
from lar.errors import SandboxError, ToolError
from lar.sandboxes.contract import Limits, Result
from lar.sandboxes.process import Ended, Launch, carry_out, result
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult
from lar.tools.define import tool

NAME = "run_on_host"
"""The tool; no model is ever offered it."""

OUTPUT = 4 << 20
"""Bytes of output at which a command is ended."""

KEPT = 6000
"""Characters of a command's output that are kept: its beginning and, more of it, its end."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MARK = "LAR_COMMAND"
_NOBODY = -1  # the leader of no session


def host_name() -> str:
    """What this machine calls itself."""
    return platform.node()


def describe(home: Path) -> str:
    """The host for a model: its name, its system, who commands are run as, and where Lar's home folder is."""
    return f"on host {host_name()} ({platform.platform()}; Lar's home folder is {home}), as user {_user()[0]}"


def environment() -> Mapping[str, str]:
    """All that a command sees: nothing of Lar's own environment, and so none of its keys."""
    name, home = _user()
    plain = {"PATH": _PATH, "HOME": home, "USER": name, "LOGNAME": name, "SHELL": "/bin/sh"}
    plain |= {"LANG": "C.UTF-8", "TERM": "dumb", "PAGER": "cat"}
    runtime = Path(f"/run/user/{os.geteuid()}")
    return plain | ({"XDG_RUNTIME_DIR": str(runtime)} if runtime.is_dir() else {})


def _user() -> tuple[str, str]:
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:  # a container's user without a name
        return str(os.geteuid()), "/"
    return entry.pw_name, entry.pw_dir


def host_tool(seconds: float, redact: Callable[[str], str] = str) -> Tool:
    """The tool that runs one command, for so long at most; what its output says of secrets is taken out."""

    def would(arguments: JsonObject) -> Effect:
        shown = {name: arguments[name] for name in ("place", "purpose", "host", "command")}
        asked = say(arguments["language"], "solve_question", **shown)
        return Effect(Deed.ADMIN, asked, arguments["host"], arguments["before"])

    @tool(risk=Risk.ADMIN, repeatable=False, effect=would)
    async def run_on_host(  # what whoever approves it sees is a part of the call
        context: ToolContext,
        command: str,
        host: str,
        mark: str,
        language: str,
        place: str,
        purpose: str = "",
        before: str = "",
    ) -> ToolResult:
        """Run a shell command on the machine that Lar runs on.

        Args:
            context: Who runs it.
            command: For `/bin/sh -c`, from /.
            host: The machine it was approved for.
            mark: By which its processes are known.
            language: Of the person who approves it.
            place: Which of how many commands it is.
            purpose: What it is for.
            before: What came of the one before it.
        """
        del place, purpose, before
        if not context.principal.is_admin:
            raise ToolError("Only an admin may do this.")
        if host != host_name():
            raise ToolError(f"This was approved for {host}, and this is {host_name()}: ask again.")
        try:
            came = await run(command, seconds, mark)
        except SandboxError as error:
            raise ToolError(str(error)) from None
        return ToolResult(worded(came, language, redact), source=f"host {host}")

    return run_on_host


async def run(command: str, seconds: float, mark: str) -> Result:
    """Run it to its end or its limits. When it is over, or the task is cancelled, nothing of it runs any more.

    `mark`, which nobody else uses, is how its processes are found.

    Raises:
        SandboxError: it cannot be started.

    """
    launch = Launch(("/bin/sh", "-c", command), {**environment(), _MARK: mark})

    async def never() -> Ended:
        await asyncio.Event().wait()
        raise AssertionError

    async def kill(process: asyncio.subprocess.Process) -> None:
        await asyncio.to_thread(_kill_all, process.pid, mark)

    came = await carry_out(launch, Limits(seconds=seconds, output=OUTPUT), never, kill)
    return result(came, came.returncode)


async def end(mark: str) -> None:
    """End what a Lar that was killed left running of a command."""
    await asyncio.to_thread(_kill_all, _NOBODY, mark)


def _kill_all(leader: int, mark: str) -> None:
    """End the session of this process, and whatever else carries the mark, until a look finds nobody."""
    for _ in range(100):
        numbered = (entry for entry in os.scandir("/proc") if entry.name.isdigit())
        left = [int(entry.name) for entry in numbered if _is_of(entry, leader, f"{_MARK}={mark}".encode())]
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, SIGKILL)


def _is_of(entry: "os.DirEntry[str]", leader: int, mark: bytes) -> bool:
    with suppress(OSError):
        state, _, _, session = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:4]
        if state in "ZX":
            return False
        return int(session) == leader or mark in Path(entry.path, "environ").read_bytes().split(b"\0")
    return False


def worded(came: Result, language: str, redact: Callable[[str], str] = str) -> str:
    """How a command ended, in one line, and below it what it wrote."""
    seconds = f"{came.seconds:.1f}"
    if came.timed_out:
        ended = say(language, "solve_timeout", seconds=seconds)
    elif came.truncated:
        ended = say(language, "solve_flood", seconds=seconds)
    elif came.exit_code is None:
        ended = say(language, "solve_signal", signal=came.signal, seconds=seconds)
    else:
        ended = say(language, "solve_exit", code=came.exit_code, seconds=seconds)
    written = b"\n".join(filter(None, (came.stdout.rstrip(), came.stderr.rstrip())))
    text = redact(_printable(written.decode(errors="replace")))
    return f"{ended}\n{capped(text, KEPT, language)}".rstrip()


def capped(text: str, most: int, language: str) -> str:
    """Its beginning and its end, and between them how much was left out."""
    if len(text) <= most:
        return text
    first = most // 3
    gap = say(language, "solve_left_out", count=len(text) - most)
    return f"{text[:first]}\n{gap}\n{text[-(most - first) :]}"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
