"""Programs that read what people sent: each in a process of its own, which can be stopped, and knows no secret."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import BinaryIO

from lar.errors import MediaError

PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
"""Where programs are looked for that are named without a folder."""

_ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of it."""

    status: int
    output: bytes
    errors: str


def find(program: str) -> str | None:
    """Where this program is."""
    return shutil.which(str(Path(program).expanduser()), path=PATH) if program else None


async def run(
    argv: Sequence[str], seconds: float, *, source: BinaryIO | None = None, environment: dict[str, str] | None = None
) -> Ran:
    """Run a program to its end; `source`, from its start, is its input. All it started dies with it, also if cancelled.

    Raises:
        MediaError: it cannot be started, or takes longer than so many seconds.

    """
    if source is not None:
        os.lseek(source.fileno(), 0, os.SEEK_SET)  # the object's own `seek` may move nothing but its buffer
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL if source is None else source,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**_ENVIRONMENT, **(environment or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise MediaError("failed", f"{argv[0]} cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate()
    except TimeoutError:
        raise MediaError("failed", f"it took longer than {seconds:g} seconds") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, SIGKILL)
        await process.wait()
    return Ran(process.returncode or 0, output, errors.decode("utf-8", "replace"))


def last_line(errors: str) -> str:
    """What a program said last, for people."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"
