"""The tools that run Python in the sandbox, and say what Python there is."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lar.domain.bytesize import format_bytes
from lar.domain.risk import Risk
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.tools.commands import Command, Commands, Patterns, Seconds
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult
from lar.tools.define import tool
from lar.tools.settings import PythonSettings
from lar.tools.telling import readable, told

_PATH = "/usr/local/bin:/usr/bin:/bin"
_SYSTEM = tuple(map(Path, ("/usr", "/bin", "/lib", "/lib64", "/sbin")))
"""What every sandbox shows anyway."""

_ALWAYS = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"}

_RUNNER = """\
def begin():
    import sys
    here = sys.path.pop(0)
    import linecache, traceback
    sys.path.insert(0, here)
    code = sys.stdin.buffer.read().decode()
    linecache.cache["<code>"] = (len(code), None, code.splitlines(True), "<code>")
    sys.excepthook = lambda kind, error, frames: traceback.print_exception(kind, error, frames and frames.tb_next)
    sys.argv = ["code.py"]
    return code
exec(compile(globals().pop("begin")(), "<code>", "exec"))
"""
"""Runs what comes as input as a program of its own: errors show its lines, and the input is at its end."""

_LOOK = """\
import importlib.metadata, json, platform, sys
found = {(each.metadata["Name"] or "", each.version or "") for each in importlib.metadata.distributions()}
print(json.dumps([platform.python_version(), sys.executable, sorted(found)]))
"""


class Python:
    """The interpreter of the settings, and what commands need to see to use it."""

    def __init__(self, settings: PythonSettings) -> None:
        self._venv = Path(settings.venv_path).expanduser().absolute() if settings.venv_path else None
        self.program = str(self._venv / "bin" / "python") if self._venv else settings.python_path

    @property
    def environment(self) -> dict[str, str]:
        """Variables for commands that may use it."""
        return {**_ALWAYS, **({"PATH": f"{self._venv}/bin:{_PATH}"} if self._venv else {})}

    @property
    def readable(self) -> tuple[Path, ...]:
        """Folders outside the system's own that it consists of: the environment, and the Python it was made of.

        Raises:
            ToolError: there is no such environment.

        """
        found: list[Path] = []
        if self._venv:
            if not (self._venv / "bin" / "python").exists():
                raise ToolError(f"There is no Python at {self._venv}/bin/python: tools.python_exec.venv_path is wrong.")
            found = [self._venv]
        program = Path(self.program)
        if program.is_absolute() and program.exists():
            real = program.resolve()
            found += [real.parent.parent] if real.parent.name == "bin" else [real.parent]
        return tuple(each for each in dict.fromkeys(found) if not any(each.is_relative_to(top) for top in _SYSTEM))


def python_tools(commands: Commands, settings: PythonSettings) -> tuple[Tool, ...]:
    """Both of them."""
    python = Python(settings)
    return _execute(commands, python, settings), _information(commands, python, settings)


def _execute(commands: Commands, python: Python, settings: PythonSettings) -> Tool:
    def effect(arguments: JsonObject) -> Effect:
        if len(arguments["code"].encode(errors="replace")) > settings.max_code_bytes:
            most = format_bytes(settings.max_code_bytes)
            raise ToolError(f"This is more than {most} of code. Put parts of it, or its data, into files first.")
        return commands.effect(arguments["code"], network=arguments["network"])

    @tool(risk=Risk.EXEC, repeatable=False, effect=effect, there=commands.there)
    async def python_execute(
        context: ToolContext,
        code: Annotated[str, Field(min_length=1)],
        timeout_seconds: Seconds = 0,
        network: bool = False,
        send_files: Patterns = (),
        show_images: Patterns = (),
        save_artifacts: bool = False,
    ) -> ToolResult:
        """Run Python code in a sandbox, as a program of its own: print what you want to see. Its current folder is this
        chat's own files, the same as those of list_files with scope `own`; files that people sent are under `uploads/`.
        Nothing can be installed, and there is no network unless you ask for it.

        Args:
            context: Who asks.
            code: The whole program. Use relative names of files.
            timeout_seconds: End it after so long; 0 for the longest a run may take.
            network: Whether it needs the internet. Often impossible, and asked about.
            send_files: Names or patterns, such as `plot.png` or `*.csv`, of files it makes, to send with your reply.
            show_images: Names or patterns of images it makes that you want to look at yourself.
            save_artifacts: Keep all new files for later, even if the folder is cleared.
        """  # noqa: D205  # one paragraph for the model
        return await commands.run(
            context,
            Command(
                (python.program, "-u", "-c", _RUNNER),
                settings.max_output_chars,
                stdin=code.encode(errors="replace"),
                environment=python.environment,
                readable=python.readable,
                seconds=timeout_seconds,
                network=network,
                keep=save_artifacts,
                send=send_files,
                show=show_images,
            ),
        )

    return python_execute


def _information(commands: Commands, python: Python, settings: PythonSettings) -> Tool:
    @tool(risk=Risk.READ, repeatable=True, there=commands.there)
    async def python_environment_info(_context: ToolContext, contains: str = "") -> str:
        """Which Python python_execute has, and which packages: as it is inside the sandbox.

        Args:
            contains: Only packages with this in their name; empty for all.
        """
        argv = (python.program, "-c", _LOOK)
        command = Command(argv, 0, environment=python.environment, readable=python.readable)
        result = await commands.probe(command)
        if result.exit_code != 0:
            raise ToolError(f"Python cannot be asked.\n{told(result, commands.limits, settings.max_output_chars)}")
        version, program, packages = json.loads(readable(result.stdout))
        wanted = [f"{name} {number}" for name, number in packages if contains.lower() in name.lower()]
        head = f"Python {version} at {program}, in the sandbox {commands.sandbox.name}."
        return f"{head}\nPackages ({len(wanted)}): {', '.join(wanted) or 'none beyond the standard library'}"

    return python_environment_info
