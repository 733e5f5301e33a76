"""What can be set about tools."""

import shlex
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lar.domain.bytesize import ByteSize
from lar.tools.browser.settings import BrowserSettings
from lar.tools.mcp.settings import McpSettings


class CalculatorSettings(BaseModel):
    """Guards of the calculator."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    max_length: int = Field(default=500, description="Longest expression the calculator takes, in characters.", ge=1)
    max_exponent: int = Field(default=1000, description="Largest exponent a power may have.", ge=1)
    digits: int = Field(
        default=20, description="Significant digits of a result that cannot be written exactly.", ge=1, le=50
    )


class HttpClientSettings(BaseModel):
    """The tool `http_request`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: bool = Field(default=True, description="Whether there is the tool `http_request`.")
    timeout_seconds: float = Field(
        default=20.0, description="Longest time for one request with all its redirects, in seconds.", gt=0
    )
    max_bytes: ByteSize = Field(
        default=5_000_000, description="Most that is read of an answer, before and after it is unpacked.", ge=1_000
    )
    max_chars: int = Field(default=30_000, description="Most of an answer a model is shown, in characters.", ge=100)
    response_processing_mode: Literal["auto", "none"] = Field(
        default="auto", description="`auto` gives HTML as Markdown and lays JSON out; `none` gives text as it was sent."
    )


class NetworkSettings(BaseModel):
    """What tools may reach outside."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    block_private_networks: bool = Field(
        default=True,
        description="Keep tools off this machine's and the local network's addresses, whatever name or redirect leads "
        "there.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Services on the local network that tools may use nevertheless, as host:port."
    )
    denied_hosts: tuple[str, ...] = Field(
        default=(),
        description="What tools never reach: hosts with all below them, addresses, networks such as 203.0.113.0/24.",
    )


class FileSettings(BaseModel):
    """People's own and shared files."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    root_dir: str = Field(
        default="workspace", description="Folder of everybody's files; a relative one is below the home folder."
    )
    max_write_bytes: ByteSize = Field(
        default=5_000_000, gt=0, validate_default=True, description="Largest file that is written at once."
    )
    read_bytes: ByteSize = Field(
        default=40_000, ge=1000, validate_default=True, description="How much of a text one call reads."
    )
    page_size: int = Field(default=200, ge=1, description="How many names one page of a list of files has.")
    save_incoming_uploads: bool = Field(
        default=True, description="Whether files that people send are put among their own, for tools to use."
    )
    uploads_subdir: str = Field(
        default="uploads", pattern=r"^[A-Za-z0-9_-]+$", description="Folder that files people send are put into."
    )


class ArtifactSettings(BaseModel):
    """Files that tools made and that are kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    max_bytes: ByteSize = Field(
        default=50_000_000, gt=0, validate_default=True, description="Largest file that is kept or sent."
    )
    keep_days: float = Field(default=90.0, gt=0, description="How many days they are kept; 0.5 is twelve hours.")


class ShellSettings(BaseModel):
    """The tool `shell`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: bool = Field(default=True, description="Whether there is the tool `shell`, where a sandbox works.")
    max_output_chars: int = Field(
        default=30_000, ge=100, description="Most of each of stdout and stderr a model is shown, in characters."
    )


class PythonSettings(BaseModel):
    """The tools `python_execute` and `python_environment_info`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: bool = Field(default=True, description="Whether there are these tools, where a sandbox works.")
    python_path: str = Field(
        default="python3", min_length=1, description="The interpreter, by the name or path it has inside the sandbox."
    )
    venv_path: str = Field(
        default="",
        description="Folder of a virtual environment whose Python and libraries are used instead; all commands can "
        "read it.",
    )
    max_code_bytes: ByteSize = Field(
        default=32_000, ge=100, validate_default=True, description="Longest code that is run."
    )
    max_output_chars: int = Field(
        default=30_000, ge=100, description="Most of each of stdout and stderr a model is shown, in characters."
    )


class CameraSettings(BaseModel):
    """The tools `camera_capture_for_ai` and `camera_capture_to_chat`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    command: str = Field(
        default="rpicam-still",
        description="Program that takes a still and ends; `libcamera-still` stands in for a missing `rpicam-still`. "
        "Another one comes with its arguments, `{output}` for the file it writes and `{warmup_ms}`. Empty: no camera.",
    )
    cameras: dict[str, str] = Field(
        default={}, description="Commands of several cameras by name, such as kitchen; then `command` is not used."
    )
    timeout_seconds: float = Field(default=20.0, gt=0, le=600, description="Longest time one still may take.")
    warmup_ms: int = Field(
        default=1000, ge=0, le=60_000, description="Milliseconds a camera gets to adjust to the light."
    )
    max_bytes: ByteSize = Field(default=10_000_000, gt=0, validate_default=True, description="Largest still.")

    @field_validator("command", "cameras")
    @classmethod
    def _splits(cls, given: str | dict[str, str]) -> str | dict[str, str]:
        commands = given if isinstance(given, dict) else {"": given} if given.strip() else {}
        for command in commands.values():
            if not shlex.split(command):
                raise ValueError("should be a command")
        return given


class ToolSettings(BaseModel):
    """What all tools share, and the settings of the built-in ones."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    max_result_chars: int = Field(
        default=60_000,
        description="Longest result of a tool a model is shown, in characters; the rest is cut off.",
        ge=100,
    )
    time_zone: str = Field(default="", description="Time zone such as Europe/Berlin; empty means that of the machine.")
    mcp: McpSettings = Field(default_factory=McpSettings, description="Servers that give tools.")
    calculator: CalculatorSettings = Field(default_factory=CalculatorSettings, description="Guards of the calculator.")
    network: NetworkSettings = Field(default_factory=NetworkSettings, description="What tools may reach outside.")
    files: FileSettings = Field(default_factory=FileSettings, description="People's own and shared files.")
    artifacts: ArtifactSettings = Field(
        default_factory=ArtifactSettings, description="Files that tools made and that are kept."
    )
    http_client: HttpClientSettings = Field(default_factory=HttpClientSettings, description="The tool `http_request`.")
    shell: ShellSettings = Field(default_factory=ShellSettings, description="The tool `shell`.")
    python_exec: PythonSettings = Field(default_factory=PythonSettings, description="The tools for Python.")
    camera: CameraSettings = Field(default_factory=CameraSettings, description="Cameras of the house.")
    browser: BrowserSettings = Field(default_factory=BrowserSettings, description="The tools `browser_*`.")
