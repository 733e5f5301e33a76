"""What can be set about sandboxes. An unknown key here refuses the start."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from lar.domain.bytesize import ByteSize
from lar.sandboxes.contract import Limits


class Backend(StrEnum):
    """Where commands run."""

    AUTO = "auto"
    BUBBLEWRAP = "bubblewrap"
    DOCKER = "docker"
    CGROUP = "cgroup"
    RLIMIT = "rlimit"
    BASIC = "basic"
    NONE = "none"
    JAIL = "jail"


class DockerSettings(BaseModel):
    """The docker sandbox."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    image: str = Field(
        default="lar-sandbox",
        description="Image commands run in; `docker build -t lar-sandbox docker/sandbox` makes it.",
        min_length=1,
    )
    command: str = Field(
        default="docker", description="The docker command line program, by name or path.", min_length=1
    )
    host: str = Field(
        default="", description="Where its engine listens, such as unix:///run/docker.sock; empty: the usual place."
    )
    network: str = Field(
        default="", description="Network of docker's for commands that ask for the internet; empty: they get none."
    )


class JailSettings(BaseModel):
    """A jail of the operator's choice."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    command_prefix: tuple[str, ...] = Field(
        default=(), description='What is put before every command, such as ["firejail", "--net=none", "--quiet"].'
    )
    artifacts_allow_in_jail: bool = Field(default=False, description="Whether files may be handed back out of a jail.")


class SandboxSettings(BaseModel):
    """Where commands of models run, and what one run may take."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    backend: Backend = Field(
        default=Backend.AUTO,
        description=(
            "`auto`: bubblewrap where its self-test passes, else docker, else no commands at all. The weaker ones "
            "(docs/sandboxes.md) are used only if named; `none` runs commands as Lar itself."
        ),
    )
    seconds: float = Field(default=30.0, description="Longest run, in seconds.", gt=0)
    memory: ByteSize = Field(default=512 << 20, description="Most memory of a run.", ge=16 << 20)
    cpus: float = Field(default=0.5, description="Processors a run may take; 0.5 is half of one.", gt=0)
    processes: int = Field(default=64, description="Most processes and threads of a run.", ge=1)
    output: ByteSize = Field(default=1 << 20, description="Most output of a run; one that writes more is ended.", ge=1)
    disk: ByteSize = Field(default=256 << 20, description="Most a run may add to its work folder.", ge=1 << 20)
    file_size: ByteSize = Field(default=64 << 20, description="Largest file a run may write.", ge=1)
    environment: dict[str, str] = Field(
        default={},
        description="Variables every command sees, as a table. Nothing of Lar's own environment is handed on. Secrets "
        "do not belong here: the model can read them.",
    )
    docker: DockerSettings = Field(default_factory=DockerSettings, description="The docker sandbox.")
    jail: JailSettings = Field(default_factory=JailSettings, description="A jail of the operator's choice.")

    @property
    def limits(self) -> Limits:
        """The limits of a run."""
        return Limits(self.seconds, self.memory, self.cpus, self.processes, self.output, self.disk, self.file_size)
