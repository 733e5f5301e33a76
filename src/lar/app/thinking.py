"""Everything that thinks, and what it may cost: providers, models, budgets, and the runtimes of agents."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from lar.config import Config
from lar.config.load import conversational
from lar.conversations.admins import Telling
from lar.conversations.agents import Agent, Profile
from lar.conversations.metering import StoreMeter
from lar.conversations.minds import Minds
from lar.conversations.spending import Spending
from lar.domain.conversation import Conversation
from lar.domain.values import Clock
from lar.memory.context import Sizes
from lar.providers.anthropic.factory import AnthropicFactory
from lar.providers.asking import Asker, Task, asker
from lar.providers.contract import ModelFactory, Parameters
from lar.providers.google.factory import GoogleFactory
from lar.providers.groq.factory import GroqFactory
from lar.providers.models import Models
from lar.providers.ollama.factory import OllamaFactory
from lar.providers.openai.factory import OpenAIFactory
from lar.providers.openrouter.factory import OpenRouterFactory
from lar.providers.settings import ProviderKind, ProviderSettings
from lar.providers.till import Till
from lar.providers.windows import ContextWindows
from lar.runtimes.contract import Runtime
from lar.runtimes.loop.runtime import LoopRuntime
from lar.runtimes.loop.settings import LoopSettings
from lar.runtimes.offline.runtime import OfflineRuntime
from lar.runtimes.settings import AgentSettings
from lar.runtimes.standing_in import StandingIn
from lar.store.database import Database

PROVIDERS: Mapping[ProviderKind, Callable[[str, ProviderSettings], ModelFactory]] = {
    "openai": OpenAIFactory,
    "openai_responses": OpenAIFactory,
    "openrouter": OpenRouterFactory,
    "google": GoogleFactory,
    "groq": GroqFactory,
    "anthropic": AnthropicFactory,
    "ollama": OllamaFactory,
}


class Thinking:
    """Built once. `telling` reaches the admins about budgets."""

    def __init__(self, config: Config, db: Database, telling: Telling, clock: Clock) -> None:
        self._config = config
        zone = ZoneInfo(config.tools.time_zone) if config.tools.time_zone else None
        self.spending = Spending(config.budgets, telling, self._day)
        self._meter = StoreMeter(db, config.budgets, clock, zone, self.spending)
        factories = {name: PROVIDERS[settings.kind](name, settings) for name, settings in config.providers.items()}
        self._models = Models(factories, config.models.takes, clock, self._meter)
        self.till = Till(self._models)
        thinks = {name: agent.model for name, agent in config.agents.items()}
        self.minds = Minds(conversational(config), thinks, self._models.health, self._models.endings, zone)
        self._windows = ContextWindows()
        self._loops: list[LoopRuntime] = []

    async def open(self) -> None:
        """Settle what was under way when the last process ended."""
        await self._meter.open()

    async def close(self) -> None:
        """Settle what is left, and hang up."""
        await self._meter.close()
        await self._models.close()

    async def warm(self) -> None:
        """Import what the first question would, if there is anything to ask."""
        for loop in self._loops:
            await loop.warm()
        if self._loops:
            known = {model: self._models.vendor(model) for model in conversational(self._config)}
            await asyncio.to_thread(self._windows.learn, known)

    def asker(self, task: Task, max_output_tokens: int) -> Asker | None:
        """What asks the model of a task; None: there is none."""
        return asker(self._models, self._config.models, task, max_output_tokens)

    def runtime(self, settings: AgentSettings, files: Path) -> Runtime:
        """What an agent thinks with. `files` is where the media of its turns lie."""
        if settings.runtime == "offline":
            return OfflineRuntime()
        parameters = Parameters(settings.temperature, settings.max_output_tokens, settings.reasoning_effort)
        loop = LoopRuntime(
            self._models, LoopSettings(settings.model, parameters, files=files, fallbacks=settings.fallback_models)
        )
        self._loops.append(loop)
        return StandingIn(loop, OfflineRuntime())

    def profile(self, agent: Agent, conversation: Conversation) -> Profile:
        """What is known of the model that answers there."""
        memory, configured = self._config.memory, agent.name in self._config.agents  # all but that of `/solve`
        model = self.minds.in_use(agent.name, conversation) if configured else self._config.models.solve
        sizes = Sizes(memory.max_chars, memory.file_chars, memory.context_tokens or self._windows.of(model))
        return Profile(model, self._models.takes(model), sizes)

    def _day(self, moment: float) -> str:
        return self._meter.day(moment)
