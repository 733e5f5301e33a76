"""Settings of operation: logs, and what is done about errors."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lar.domain.bytesize import ByteSize


class LoggingSettings(BaseModel):
    """What is logged, and where."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The mildest level that is logged."
    )
    stderr: bool = Field(default=True, description="Whether lines go to standard error.")
    file: bool = Field(default=True, description="Whether lines also go to `logs/lar.log` in the home folder.")
    max_bytes: ByteSize = Field(
        default=10_000_000, gt=0, validate_default=True, description="Size at which the log file is rotated."
    )
    keep: int = Field(default=5, ge=0, le=100, description="How many rotated log files are kept.")


class SupportSettings(BaseModel):
    """What is done about errors, and who is told."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    notify_chat: str = Field(
        default="",
        pattern=r"^(|[^:\s]+:\S+)$",
        description="Where notices and alerts go, written channel:chat, such as `telegram:-1001234567`; `/setnotify` "
        "in a chat wins over it. Without any, the private chats of admins.",
    )
    solve_commands: int = Field(default=8, ge=1, le=20, description="How many commands one plan may have.")
    solve_seconds: float = Field(default=120.0, gt=0, description="Seconds after which a command of `/solve` is ended.")
    propose_solutions: bool = Field(
        default=True,
        description="Whether a notice about a new error comes with a plan against it, where the model has one; not "
        "for errors of a quota. Nothing of it runs before an admin says yes to it.",
    )
    max_output_tokens: int = Field(
        default=4000, ge=100, description="Longest answer of a model that is asked about an error, in tokens."
    )
    notice_minutes: float = Field(
        default=10.0, ge=0, description="Least time between two notices about new error reports."
    )
    max_reports: int = Field(default=100, ge=1, description="How many error reports are kept.")
