"""Commands of models: run behind the walls that were found, in the own files of whoever asks; what they made is out."""

import asyncio
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lar.domain.artifact import Artifact, Outgoing
from lar.domain.risk import Deed
from lar.errors import SandboxError, ToolError
from lar.sandboxes import results
from lar.sandboxes.choose import WALLS, Chooser
from lar.sandboxes.contract import Limits, Result, Sandbox, Spec
from lar.sandboxes.opened import Opened
from lar.sandboxes.results import Caps, Mark, ResultFile
from lar.tools.artifacts import IMAGES, Artifacts
from lar.tools.beneath import shown
from lar.tools.contract import Effect, ToolContext, ToolResult
from lar.tools.settings import ToolSettings
from lar.tools.telling import told
from lar.tools.workspace import Workspace

Seconds = Annotated[float, Field(ge=0, le=86_400)]
"""An argument: end a run after so long; 0 for the longest it may take."""

Patterns = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], Field(max_length=10)]
"""An argument: names of files, or patterns such as `*.csv`."""

_HERE = re.compile(r"^(\.|/work)/+")
"""How models begin names of files in the folder a command runs in."""

_LISTED = 30
"""New files that are named."""
_OUT = 10
"""Files of one run that are kept, sent or shown."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run. `most` is how many characters of each stream a model reads.

    `seconds` may only shorten the longest run, 0 does not. `keep`: every new file is kept. `send` and `show` are names
    or patterns of new files that leave with the reply, or are shown to the model.
    """

    argv: tuple[str, ...]
    most: int
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    readable: tuple[Path, ...] = ()
    seconds: float = 0.0
    network: bool = False
    keep: bool = False
    send: Sequence[str] = ()
    show: Sequence[str] = ()


class Commands:
    """Runs commands for the tools that have some. Images up to `max_image` bytes are shown to models."""

    def __init__(
        self,
        chooser: Chooser,
        workspace: Workspace,
        artifacts: Artifacts,
        settings: ToolSettings,
        *,
        max_image: int = 5_000_000,
    ) -> None:
        self._chooser = chooser
        self._workspace = workspace
        self._artifacts = artifacts
        self._settings = settings
        self._max_image = max_image
        self._caps = Caps(settings.artifacts.max_bytes, 2 * settings.artifacts.max_bytes, _OUT)

    @property
    def limits(self) -> Limits:
        """What one run may take."""
        return self._chooser.settings.limits

    def there(self) -> bool:
        """Whether commands can be run at all."""
        return self._chooser.sandbox is not None

    @property
    def sandbox(self) -> Sandbox:
        """Where they run.

        Raises:
            ToolError: nowhere.

        """
        if self._chooser.sandbox is None:
            raise ToolError("Commands cannot be run: there is no sandbox. An admin can see why with `lar doctor`.")
        return self._chooser.sandbox

    def effect(self, said: str, *, network: bool) -> Effect:
        """What running this would do. Where the walls do not keep it from the rest of the machine, it is a run outside.

        Raises:
            ToolError: it cannot be done here, so nobody need be asked.

        """
        sandbox = self.sandbox
        if not sandbox.promises >= WALLS:
            return Effect(Deed.RUN_OUT, f"Run on this machine without walls (sandbox {sandbox.name}):\n{said}")
        if not network:
            return Effect(Deed.RUN, f"Run in the sandbox, without network:\n{said}", "sandbox")
        if not sandbox.internet:
            raise ToolError(
                f"There is no network in the sandbox {sandbox.name}. Do it without, or fetch what is needed with "
                "http_request first. The person can give commands the internet with docker (sandbox.docker.network)."
            )
        return Effect(Deed.RUN_OUT, f"Run in the sandbox with access to the internet:\n{said}")

    async def run(self, context: ToolContext, command: Command) -> ToolResult:
        """Run it in the own files of whoever asks.

        What it read of files that were sent, or may have read outside, makes the result content from outside.

        Raises:
            ToolError: it cannot be run, or what it made may not be handed back.

        """
        sandbox = self.sandbox
        if (command.keep or command.send or command.show) and not sandbox.hands_back:
            raise ToolError(
                "Files may not be handed out of this jail (sandbox.jail.artifacts_allow_in_jail). Print what matters."
            )
        work = self._workspace.folder(context)
        spec = self._spec(command, work)
        before = await asyncio.to_thread(results.marks, work, self._caps)
        with Opened(work / self._settings.files.uploads_subdir) as opened:
            result = await self._run(sandbox, spec)
            read = opened.files
        given = await self._handed_back(context, command, work, before)
        text = "\n".join([told(result, spec.limits, command.most), *given.lines])
        sent = [f"{self._settings.files.uploads_subdir}/{name}" for name in read]
        outside = _source(sent, outside=command.network or not sandbox.promises >= WALLS)
        return ToolResult(text, shown=given.shown, outgoing=given.outgoing, source=outside)

    async def probe(self, command: Command) -> Result:
        """Run something of Lar's own in an empty folder that is gone afterwards.

        Raises:
            ToolError: it cannot be run.

        """
        with tempfile.TemporaryDirectory(prefix="lar-probe-") as folder:
            return await self._run(self.sandbox, self._spec(command, Path(folder)))

    async def _run(self, sandbox: Sandbox, spec: Spec) -> Result:
        try:
            return await sandbox.run(spec)
        except SandboxError as error:
            raise ToolError(f"The sandbox {sandbox.name} cannot run this: {error}.") from error

    def _spec(self, command: Command, work: Path) -> Spec:
        settings, limits = self._chooser.settings, self.limits
        if 0 < command.seconds < limits.seconds:
            limits = replace(limits, seconds=command.seconds)
        environment = {**command.environment, **settings.environment}
        try:
            return Spec(command.argv, work, command.stdin, environment, limits, command.readable, command.network)
        except SandboxError as error:
            raise ToolError(f"This cannot be run: {error}.") from error

    async def _handed_back(
        self, context: ToolContext, command: Command, work: Path, before: Mapping[str, Mark]
    ) -> "_Given":
        after = await asyncio.to_thread(results.marks, work, self._caps)
        made = [name for name, mark in after.items() if before.get(name) != mark and not _hidden(name)]
        given = _Given(_listed({name: after[name].size for name in made}))
        wanted = set(made) if command.keep else set[str]()
        for pattern in (*command.send, *command.show):
            fitting = [name for name in made if _fits(name, pattern)]
            wanted.update(fitting)
            if not fitting:
                given.lines.append(f"No new or changed file is called {shown(pattern)}: nothing is handed on for it.")
        if not wanted:
            return given
        others = {name: mark for name, mark in after.items() if name not in wanted}
        with tempfile.TemporaryDirectory(prefix="lar-results-") as folder:
            found = await asyncio.to_thread(results.collect, work, Path(folder), others, self._caps)
            for number, file in enumerate(file for file in found.files if file.name in wanted):
                with file.path.open("rb") as source:
                    artifact = await self._artifacts.keep(context, source, file.name, number=number)
                self._hand_on(command, given, file, artifact)
        refusable = {results.shown(name): name for name in wanted}
        given.lines += [
            f"{shown(refusable[name])} stays where it is: {why}." for name, why in found.refused if name in refusable
        ]
        return given

    def _hand_on(self, command: Command, given: "_Given", file: ResultFile, artifact: Artifact) -> None:
        done: list[str] = []
        if _fits(file.name, *command.send):
            if file.size:
                given.outgoing += (Outgoing("", artifact),)
                done.append("leaves with your reply")
            else:
                done.append("is empty and cannot be sent")
        if _fits(file.name, *command.show):
            if artifact.mime not in IMAGES:
                done.append("is no image that can be shown to you")
            elif file.size > self._max_image:
                done.append("is too large to be shown to you: make it smaller")
            else:
                given.shown += (artifact,)
                done.append("is shown to you")
        given.lines.append(f"{shown(file.name)} {' and '.join(done or ['is kept'])}.")


class _Given:
    """What comes of the files of a run."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.shown: tuple[Artifact, ...] = ()
        self.outgoing: tuple[Outgoing, ...] = ()


def _source(read: Sequence[str], *, outside: bool) -> str:
    """Where content from outside came from that the output may hold."""
    if outside:
        return "a command that could reach outside"
    if not read:
        return ""
    more = f" and {len(read) - 1} more" if len(read) > 1 else ""
    return f"file that was sent: {shown(read[0])}{more}"


def _listed(made: Mapping[str, int]) -> list[str]:
    if not made:
        return []
    named = [f"{shown(name)}, {size} bytes" for name, size in list(made.items())[:_LISTED]]
    more = [f"and {len(made) - _LISTED} more"] if len(made) > _LISTED else []
    return [f"New or changed files: {'; '.join([*named, *more])}"]


def _hidden(name: str) -> bool:
    """What programs leave for themselves."""
    return any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))


def _fits(name: str, *patterns: str) -> bool:
    """Whether one of these is the name, or fits it or its last part."""
    leaf = name.rpartition("/")[2]
    cleaned = [_HERE.sub("", pattern) for pattern in patterns]
    return any(name == each or fnmatchcase(name, each) or fnmatchcase(leaf, each) for each in cleaned)
