"""Cameras: a still by a program that takes one and ends, so that the device is free again."""

import asyncio
import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

from lar.domain.bytesize import format_bytes
from lar.errors import SandboxError, ToolError
from lar.sandboxes import watch
from lar.sandboxes.contract import Limits
from lar.sandboxes.process import Ended, Launch, Outcome, carry_out
from lar.tools.artifacts import IMAGES, mime_type
from lar.tools.settings import CameraSettings

PATH = "/usr/local/bin:/usr/bin:/bin"

ONLY = "camera"
"""The name of the camera where no names are given."""

_OLD_NAMES = {"rpicam-still": "libcamera-still"}
"""What a program was called on older systems."""

_STILL = ("--nopreview", "--timeout", "{warmup_ms}", "--output", "{output}")
"""Arguments of a program that is named alone."""

_OUTPUT = 1 << 20
_CAUSES = (
    (("permission denied", "operation not permitted"), "Lar may not open it: sudo usermod -aG video <Lar's user>"),
    (("busy", "in use by another process", "failed to acquire camera"), "another program is using it"),
    (("no cameras available", "no such device", "cannot open video device"), "no camera is connected"),
)
"""What programs write to their error output, and what it means."""


@dataclass(frozen=True, slots=True)
class Still:
    """A photo: its bytes, and what kind of image they are."""

    data: bytes
    mime: str


@dataclass(frozen=True, slots=True)
class Device:
    """A camera: its name and the command that takes a still with it. `lacks` says what is missing, if something is."""

    name: str
    argv: tuple[str, ...]
    lacks: str = ""


def devices(settings: CameraSettings, path: str = PATH) -> tuple[Device, ...]:
    """The cameras of the configuration, whether their programs are there or not."""
    commands = settings.cameras or ({ONLY: settings.command} if settings.command.strip() else {})
    return tuple(_device(name, command, path) for name, command in commands.items())


def _device(name: str, command: str, path: str) -> Device:
    program, *arguments = shlex.split(command)
    found = shutil.which(program, path=path) or shutil.which(_OLD_NAMES.get(program, program), path=path)
    if not any("{output}" in each for each in arguments):
        arguments += _STILL
    return Device(name, (found or program, *arguments), "" if found else f"there is no program {program}")


class Cameras:
    """The cameras whose programs are there. Each takes one still at a time, and is released after it."""

    def __init__(self, settings: CameraSettings, found: Sequence[Device] | None = None) -> None:
        known = devices(settings) if found is None else found
        self._settings = settings
        self._devices: Mapping[str, Device] = {each.name: each for each in known if not each.lacks}
        self._free = {name: asyncio.Lock() for name in self._devices}

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(self._devices)

    def chosen(self, name: str) -> str:
        """The camera that is meant: empty means the only one.

        Raises:
            ToolError: there is none of this name, or it is not clear which is meant.

        """
        if name in self._devices:
            return name
        if not name and len(self._devices) == 1:
            return next(iter(self._devices))
        known = ", ".join(self._devices)
        raise ToolError(f"There is no camera {name!r}; there are: {known}." if name else f"Which camera? {known}")

    async def take(self, name: str) -> Still:
        """Take a still with this camera.

        Raises:
            ToolError: none came of it; the text says why.

        """
        async with self._free[name]:
            with tempfile.TemporaryDirectory(prefix="lar-camera-") as folder:
                target = Path(folder) / "still.jpg"
                outcome = await self._run(self._devices[name], target)
                data = await asyncio.to_thread(_read, target, self._settings.max_bytes)
        return self._judged(name, outcome, data)

    async def _run(self, device: Device, target: Path) -> Outcome:
        given = {"{output}": str(target), "{warmup_ms}": str(self._settings.warmup_ms)}
        environment = {"PATH": PATH, "HOME": str(target.parent), "LANG": "C.UTF-8"}
        argv = [_filled(argument, given) for argument in device.argv]
        limits = Limits(seconds=self._settings.timeout_seconds, output=_OUTPUT)
        launch, most = Launch(argv, environment, target.parent), 2 * self._settings.max_bytes
        try:
            return await carry_out(launch, limits, lambda: watch.disk(target.parent, most), _kill)
        except SandboxError as error:
            raise ToolError(f"The camera {device.name!r} cannot be used: {error}.") from None

    def _judged(self, name: str, outcome: Outcome, data: bytes | None) -> Still:
        trouble = f"The camera {name!r} gave no photo"
        if outcome.ended is Ended.TIMEOUT:
            seconds = f"{self._settings.timeout_seconds:g} seconds"
            raise ToolError(f"{trouble}: it took longer than {seconds} and was stopped.")
        if outcome.ended is Ended.DISK or (data is not None and len(data) > self._settings.max_bytes):
            raise ToolError(f"{trouble}: what it wrote is larger than {format_bytes(self._settings.max_bytes)}.")
        if outcome.ended is Ended.OUTPUT:
            raise ToolError(f"{trouble}: its program wrote more than {format_bytes(_OUTPUT)} of text and was stopped.")
        if outcome.returncode:
            raise ToolError(f"{trouble}: {_cause(outcome)}.")
        if not data:
            raise ToolError(f"{trouble}: its program wrote none. Its command must write to {{output}}.")
        mime = mime_type(data[:16], "")
        if mime not in IMAGES:
            raise ToolError(f"{trouble}: what its program wrote is no JPEG, PNG, GIF or WebP image.")
        return Still(data, mime)


def _filled(argument: str, given: Mapping[str, str]) -> str:
    for placeholder, value in given.items():
        argument = argument.replace(placeholder, value)
    return argument


async def _kill(process: asyncio.subprocess.Process) -> None:
    """The program with its whole group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, SIGKILL)


def _read(path: Path, most: int) -> bytes | None:
    """What was written there, at most one byte more than `most`; None if it is no plain file."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return file.read(most + 1)
    except OSError:
        return None


def _cause(outcome: Outcome) -> str:
    """Why a program failed, by what it wrote, else in its own last words."""
    said = outcome.stderr.decode(errors="replace")
    for words, meaning in _CAUSES:
        if any(word in said.lower() for word in words):
            return meaning
    last = [line.strip() for line in said.splitlines() if line.strip()][-2:]
    return f"its program ended with {outcome.returncode} ({' / '.join(last)[:300] or 'it said nothing'})"
