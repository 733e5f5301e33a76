"""The tree of settings: every section belongs to a room, which declares and describes its own."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from lar.channels.telegram.settings import TelegramSettings
from lar.conversations.settings import ConversationSettings
from lar.engine.settings import EngineSettings
from lar.media.settings import MediaSettings
from lar.memory.settings import MemorySettings
from lar.operations.settings import LoggingSettings, SupportSettings
from lar.policy.settings import BudgetSettings, PolicySettings
from lar.providers.settings import ModelSettings, ProviderSettings
from lar.runtimes.settings import AgentSettings
from lar.sandboxes.settings import SandboxSettings
from lar.schedules.settings import ScheduleSettings
from lar.store.settings import StoreSettings
from lar.tools.settings import ToolSettings
from lar.web.settings import ServerSettings

_FROZEN = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

STRICT = frozenset({"policy", "sandbox", "budgets"})
"""Sections where an unknown key refuses the start: a misspelt rule would fail open."""

DEFAULT_DATABASE = "sqlite:///{home}/lar.db"


def _default_database() -> StoreSettings:
    return StoreSettings.model_validate({"url": DEFAULT_DATABASE})


class ChannelSettings(BaseModel):
    """Where people talk."""

    model_config = _FROZEN

    telegram: TelegramSettings = Field(default_factory=TelegramSettings, description="The Telegram bot.")


class Settings(BaseModel):
    """Everything a configuration file may hold."""

    model_config = _FROZEN

    server: ServerSettings = Field(default_factory=ServerSettings, description="The HTTP server of the gateway.")
    database: StoreSettings = Field(default_factory=_default_database, description="Where everything is stored.")
    channels: ChannelSettings = Field(default_factory=ChannelSettings, description="Where people talk.")
    providers: dict[str, ProviderSettings] = Field(
        default={}, description="Who serves models, by a name of your choice."
    )
    models: ModelSettings = Field(default_factory=ModelSettings, description="Which model does what.")
    agents: dict[str, AgentSettings] = Field(default={}, description="Who answers; `main` does unless told otherwise.")
    tools: ToolSettings = Field(default_factory=ToolSettings, description="What tools may use.")
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings, description="Where commands of models run.")
    conversations: ConversationSettings = Field(default_factory=ConversationSettings, description="How turns queue.")
    engine: EngineSettings = Field(default_factory=EngineSettings, description="How durable work is carried out.")
    memory: MemorySettings = Field(default_factory=MemorySettings, description="What a prompt is reminded of.")
    media: MediaSettings = Field(default_factory=MediaSettings, description="What a model gets of files people send.")
    schedules: ScheduleSettings = Field(default_factory=ScheduleSettings, description="What happens by the clock.")
    policy: PolicySettings = Field(default_factory=PolicySettings, description="What is forbidden.")
    budgets: BudgetSettings = Field(default_factory=BudgetSettings, description="What models may cost.")
    support: SupportSettings = Field(default_factory=SupportSettings, description="What is done about errors.")
    logging: LoggingSettings = Field(default_factory=LoggingSettings, description="Logs.")


class Config(Settings):
    """The settings as they were read once, and what was noticed on the way.

    `home` is the folder everything lives in; `file` the configuration file, None if there is none. `secrets` are the
    values that no log may show.
    """

    home: Path
    file: Path | None = None
    warnings: tuple[str, ...] = ()
    secrets: frozenset[str] = Field(default=frozenset(), repr=False)
