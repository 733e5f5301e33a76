"""What can be set about MCP servers."""

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from lar.domain.bytesize import ByteSize
from lar.domain.risk import Deed, Risk

_NAME, LONGEST_NAME = re.compile(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*"), 24


class McpServerSettings(BaseModel):
    """One server: a program that is started (`command`), or an address (`url`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    command: str = Field(default="", description="Program that speaks MCP on its standard input and output.")
    args: tuple[str, ...] = Field(default=(), description="Its arguments. Secrets belong in `env`: `ps` shows these.")
    env: dict[str, SecretStr] = Field(
        default={}, description="Its whole environment, but for PATH, HOME and LANG, which have defaults."
    )
    cwd: str = Field(default="", description="Folder it starts in; by default a folder of its own in the home folder.")
    url: str = Field(default="", description="Address of a server that speaks streamable HTTP.")
    headers: dict[str, SecretStr] = Field(default={}, description="HTTP headers it is sent, such as Authorization.")
    enabled: bool = Field(default=True, description="Whether it is used.")
    tools: frozenset[str] = Field(default=frozenset(), description="Its tools that are used; empty means all.")
    risk: Risk = Field(default=Risk.REACH, description="Risk class of its tools.")
    deed: Deed | None = Field(default=None, description="What a call is taken for; by default the worst of its class.")
    tool_risks: dict[str, Risk] = Field(default={}, description="Risk class of single tools, by the server's name.")
    trust_annotations: bool = Field(
        default=False, description="Whether a tool that calls itself read-only is taken at its word."
    )
    timeout_seconds: float = Field(default=60.0, gt=0, description="Longest time a call may take.")
    start_seconds: float = Field(default=20.0, gt=0, description="Longest time it may take to start.")
    max_result: ByteSize = Field(default=8_000_000, ge=1000, description="Largest message it may send.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("should have either a command or a url")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError("should have a url that begins with http:// or https://")
        return self


class McpSettings(BaseModel):
    """MCP servers, by names of the owner's choice."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    servers: dict[str, McpServerSettings] = Field(default={}, description="MCP servers, by a name of your choice.")

    @model_validator(mode="after")
    def _names(self) -> Self:
        for name in self.servers:
            if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
                raise ValueError(
                    f"should name servers with at most {LONGEST_NAME} letters, digits and single - or _, not {name!r}"
                )
        return self
