"""Settings of operation: logs."""

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
