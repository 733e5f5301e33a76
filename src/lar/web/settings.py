"""Settings of the HTTP server."""

from pydantic import BaseModel, ConfigDict, Field


class ServerSettings(BaseModel):
    """Where the gateway listens."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; the default is reachable from this machine only."
    )
    port: int = Field(
        default=49152,
        ge=0,
        le=65535,
        description="Port to listen on; the next free one is taken if it is busy. 0: any.",
    )
