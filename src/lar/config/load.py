"""Read the file and the environment once, and hand out frozen settings."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lar.config.conform import Conformer, Tree, apply_override
from lar.config.secret import is_secret, secret_values
from lar.config.sources import overrides, read_file, read_variables
from lar.config.tree import DEFAULT_DATABASE, STRICT, Config, Settings
from lar.errors import ConfigError
from lar.providers.settings import FALLBACKS, USUAL, ModelSettings, ProviderSettings, Usual
from lar.runtimes.settings import AgentSettings

EXAMPLE_MODEL = "openai:gpt-5-mini"


def home_folder(environ: Mapping[str, str], home: Path | None = None) -> Path:
    """The folder everything lives in: as given, else `LAR_HOME`, else `~/.lar`; absolute, not necessarily there."""
    return (home or Path(environ.get("LAR_HOME") or "~/.lar")).expanduser().absolute()


def load(
    path: Path | None, environ: Mapping[str, str], home: Path | None = None, sections: frozenset[str] | None = None
) -> Config:
    """Read `path` (by default `lar.toml` in the home folder, if there is one), `.env` and the environment.

    The environment wins over the file, a variable of the process over `.env`. With `sections` the others are not even
    looked at, and have their defaults.

    Raises:
        ConfigError: something cannot be used; the message has one sentence per problem.

    """
    home = home_folder(environ, home)
    file = path or (home / "lar.toml" if (home / "lar.toml").exists() else None)
    variables = read_variables(home, environ)
    tree: Tree = read_file(file) if file else {}
    origins = {apply_override(tree, override): override.variable for override in overrides(variables)}
    if sections is not None:
        tree = {name: section for name, section in tree.items() if name in sections}
    conformer = Conformer(Settings, variables, origins, STRICT)
    tree = conformer.conform(tree)
    if conformer.refusals:
        raise ConfigError("\n".join(conformer.refusals))
    _fill_in(tree, variables)
    config = _validated(tree, conformer, home)
    resolved = _resolved(config)
    return resolved.model_copy(
        update={
            "file": file,
            "warnings": (*conformer.warnings, *_idle_providers(resolved)),
            "secrets": frozenset(_secrets(config, home, variables)) - {""},
        }
    )


def _fill_in(tree: Tree, variables: Mapping[str, str]) -> None:
    """Fill in what has a usual place, or a usual name in the environment, and is not set otherwise."""
    _table(tree, "database").setdefault("url", DEFAULT_DATABASE)
    if token := variables.get("TELEGRAM_BOT_TOKEN"):
        _table(_table(tree, "channels"), "telegram").setdefault("bot_token", token)
    for name, usual in USUAL.items():
        providers = _table(tree, "providers")
        if usual.variable not in variables and name not in providers:
            continue
        provider = _table(providers, name)
        provider.setdefault("kind", usual.kind)
        if usual.variable in variables and not provider.get("api_keys"):
            provider.setdefault("api_key", variables[usual.variable])
            if more := _more_keys(usual, variables):
                provider.setdefault("api_keys", more)


def _more_keys(usual: Usual, variables: Mapping[str, str]) -> list[str]:
    """The keys that take over from the first one: `..._FALLBACK` is one, `..._FALLBACKS` are several with commas."""
    texts = (variables.get(usual.variable + ending, "") for ending in FALLBACKS)
    return [key for text in texts for part in text.split(",") if (key := part.strip())]


def _table(tree: Tree, name: str) -> Tree:
    """The table of this name, made if it is missing. Something else in its place is left to the validation."""
    table = tree.setdefault(name, {})
    return cast("Tree", table) if isinstance(table, dict) else {}


def _validated(tree: Tree, conformer: Conformer, home: Path) -> Config:
    try:
        settings = Config.model_validate({**tree, "home": home})
    except ValidationError as errors:
        sentences = [_sentence(error, conformer) for error in errors.errors(include_url=False, include_context=False)]
        raise ConfigError("\n".join(dict.fromkeys(sentences))) from None
    zone = settings.tools.time_zone
    try:
        ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        key = conformer.named(("tools", "time_zone"))
        raise ConfigError(f"{key} is {zone!r}, which is no time zone; write it like Europe/Berlin") from None
    return settings


def _sentence(error: ErrorDetails, conformer: Conformer) -> str:
    path = tuple(str(part) for part in error["loc"])
    names = tuple(part for part in path if not part.isdigit())
    expected = error["msg"].removeprefix("Value error, ").replace("Input should", "should").partition(", unable")[0]
    if any(map(is_secret, names)):
        expected = "should be text"
    return f"{conformer.named(names)} is {_kind(error['input'])}, but {expected[:1].lower()}{expected[1:]}"


def _kind(value: object) -> str:
    """What a value is, without showing it."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text" if value else "empty"
        case dict() | BaseModel():
            return "a table"
        case list() | tuple():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def _secrets(settings: Settings, home: Path, variables: Mapping[str, str]) -> Iterator[str]:
    yield from secret_values(settings)
    yield from (value for name, value in variables.items() if name in _USUAL_VARIABLES)
    yield from (value for name, value in read_variables(home, {}).items() if is_secret(name))


_USUAL_VARIABLES = frozenset({"TELEGRAM_BOT_TOKEN", *(usual.variable for usual in USUAL.values())})

TASKS = ("chat", "summary", "triage", "solve", "transcription", "speech")

HEARING = ("groq", "openai")
"""Providers that transcribe where they have a key, in the order they are chosen."""


def _idle_providers(config: Config) -> Iterator[str]:
    """A key without a model that uses it is probably a mistake."""
    named = {_provider_of(model) for model in referenced(config)}
    idle = {name for name, provider in config.providers.items() if provider.usable} - named
    for name in sorted(idle):
        yield f"providers.{name} is not used: no agent names one of its models ('{name}:...' in agents.main.model)"


def referenced(config: Settings) -> list[str]:
    """Every model that is named anywhere, once, those that talk first."""
    agents = [model for agent in config.agents.values() for model in (agent.model, *agent.fallback_models)]
    tasks = [str(getattr(config.models, task)) for task in TASKS]
    everything = [*agents, *tasks, *config.models.choices]
    return list(dict.fromkeys(model for model in everything if model))


def conversational(config: Config) -> tuple[str, ...]:
    """The models a conversation may be switched to: every one that is named for talking, and the choices."""
    agents = [model for agent in config.agents.values() for model in (agent.model, *agent.fallback_models)]
    tasks = [config.models.chat, config.models.summary, config.models.triage, config.models.solve]
    return tuple(dict.fromkeys(model for model in (*agents, *config.models.choices, *tasks) if model))


def _provider_of(model: str) -> str:
    return model.partition(":")[0]


def _resolved(config: Config) -> Config:
    """The configuration with its defaults that depend on others: the home folder, and what each agent thinks with."""
    url = config.database.url.replace("{home}", str(config.home))
    agents = {"main": AgentSettings.model_validate({}), **config.agents}
    chat = config.models.chat or _usual_chat(config.providers)
    resolved = {name: _agent(name, agent, chat, config.providers) for name, agent in agents.items()}
    return config.model_copy(
        update={
            "database": config.database.model_copy(update={"url": url}),
            "agents": resolved,
            "models": _models(config, config.models.chat or resolved["main"].model),
        }
    )


def _usual_chat(providers: Mapping[str, ProviderSettings]) -> str:
    """The model that talks where none is named: that of the first usual provider which has a key."""
    for name, usual in USUAL.items():
        if usual.chat and name in providers and providers[name].usable:
            return f"{name}:{usual.chat}"
    return ""


def _models(config: Config, chat: str) -> ModelSettings:
    """Which model does what: as is set, else as fits the keys; where nothing fits, the model that talks.

    Groq is fast and cheap where there is a key of it; the cheap model of another vendor is chosen only where that
    vendor itself is asked, for nobody knows what a server of one's own has.
    """
    models, providers = config.models, config.providers
    groq = USUAL["groq"] if "groq" in providers and providers["groq"].usable else None
    provider = _provider_of(chat)
    own = USUAL.get(provider) if provider in providers and not providers[provider].base_url else None
    cheap = f"{provider}:{own.summary}" if own and own.summary else chat
    hearing = next((name for name in HEARING if name in providers and _at_vendor(providers[name])), "")
    reasons = f"groq:{groq.reasoning}" if groq and chat else chat
    filled = {
        "chat": models.chat or chat,
        "summary": models.summary or (f"groq:{groq.summary}" if groq and chat else cheap),
        "triage": models.triage or reasons,
        "solve": models.solve or reasons,
        "transcription": models.transcription or (f"{hearing}:{USUAL[hearing].transcription}" if hearing else ""),
        "speech": models.speech,
    }
    for task, model in filled.items():
        if model:
            check_model(f"models.{task}", model, providers)
    for model in models.choices:
        check_model("models.choices", model, providers)
    return models.model_copy(update=filled)


def _at_vendor(provider: ProviderSettings) -> bool:
    """Whether the vendor itself is asked: what a server of one's own has, nobody knows."""
    return bool(provider.keys) and not provider.base_url


def _agent(name: str, agent: AgentSettings, chat: str, providers: Mapping[str, ProviderSettings]) -> AgentSettings:
    model = agent.model or (chat if agent.runtime != "offline" else "")
    runtime = agent.runtime or ("loop" if model else "offline")
    if runtime == "loop":
        for reference in (model, *agent.fallback_models):
            check_model(f"agents.{name}", reference, providers)
    return agent.model_copy(update={"runtime": runtime, "model": model})


def check_model(where: str, model: str, providers: Mapping[str, ProviderSettings]) -> None:
    """Whether this model can be asked at all.

    Raises:
        ConfigError: it cannot; the message says what to set.

    """
    provider, colon, name = model.partition(":")
    if not (provider and colon and name):
        raise ConfigError(f"{where}: a model is written provider:model, such as {EXAMPLE_MODEL}; not {model!r}")
    if provider in providers and providers[provider].kind == "openrouter" and "/" not in name:
        raise ConfigError(f"{where}: OpenRouter's models are written {provider}:vendor/model; not {model!r}")
    if provider not in providers or not providers[provider].usable:
        usual = USUAL.get(provider)
        remedy = f"set {usual.variable}" if usual else f"set providers.{provider}.base_url"
        raise ConfigError(f"{where} names the model {model}, but {provider} has no key and no address: {remedy}")
