"""The tool that runs a command line in the sandbox."""

from typing import Annotated

from pydantic import Field

from lar.domain.risk import Risk
from lar.domain.values import JsonObject
from lar.tools.commands import Command, Commands, Patterns, Seconds
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult
from lar.tools.define import tool
from lar.tools.python import Python
from lar.tools.settings import ToolSettings

Line = Annotated[str, Field(min_length=1, max_length=20_000)]

_SHELL = 'exec "$(command -v bash || command -v sh)" -c "$1"'


def shell_tool(commands: Commands, settings: ToolSettings) -> Tool:
    """The tool `shell`."""
    python = Python(settings.python_exec)

    def effect(arguments: JsonObject) -> Effect:
        return commands.effect(arguments["command"], network=arguments["network"])

    @tool(risk=Risk.EXEC, repeatable=False, effect=effect, there=commands.there)
    async def shell(
        context: ToolContext,
        command: Line,
        timeout_seconds: Seconds = 0,
        network: bool = False,
        send_files: Patterns = (),
        show_images: Patterns = (),
        save_artifacts: bool = False,
    ) -> ToolResult:
        """Run a shell command in a sandbox. Its current folder is this chat's own files, the same as those of
        list_files with scope `own`; files that people sent are under `uploads/`. Nothing else can be written, nothing
        can be installed, there is no network unless you ask for it, and every process ends with the command.

        Args:
            context: Who asks.
            command: The command, as one would type it; bash where there is one. Use relative names of files.
            timeout_seconds: End it after so long; 0 for the longest a run may take.
            network: Whether it needs the internet. Often impossible, and asked about.
            send_files: Names or patterns, such as `*.pdf`, of files it makes, to send with your reply.
            show_images: Names or patterns of images it makes that you want to look at yourself.
            save_artifacts: Keep all new files for later, even if the folder is cleared.
        """  # noqa: D205  # one paragraph for the model
        return await commands.run(
            context,
            Command(
                ("sh", "-c", _SHELL, "sh", command),
                settings.shell.max_output_chars,
                environment=python.environment,
                readable=python.readable,
                seconds=timeout_seconds,
                network=network,
                keep=save_artifacts,
                send=send_files,
                show=show_images,
            ),
        )

    return shell
