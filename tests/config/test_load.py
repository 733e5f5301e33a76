from collections.abc import Mapping
from pathlib import Path

import pytest

from lar.config import Config, load
from lar.errors import ConfigError

BOT = "123456:not-a-real-token"


def read(home: Path, toml: str = "", env: Mapping[str, str] | None = None) -> Config:
    """The configuration of a home folder with this file, in this environment."""
    if toml:
        (home / "lar.toml").write_text(toml)
    return load(None, env or {}, home)


def refusal(home: Path, toml: str = "", env: Mapping[str, str] | None = None) -> str:
    """Why this configuration is refused."""
    with pytest.raises(ConfigError) as caught:
        read(home, toml, env)
    return str(caught.value)


def test_nothing_is_needed(home: Path) -> None:
    """A fresh clone works at once: an empty home serves with the offline runtime and a database of its own."""
    config = read(home)
    assert config.agents["main"].runtime == "offline"
    assert config.database.url == f"sqlite:///{home}/lar.db"
    assert config.server.port == 49152
    assert not config.warnings
    assert config.file is None


def test_the_environment_alone_is_enough(home: Path) -> None:
    """The seven variables of the quickstart configure Telegram and a model without any file."""
    config = read(
        home,
        env={
            "TELEGRAM_BOT_TOKEN": BOT,
            "LAR__CHANNELS__TELEGRAM__API_BASE": "http://127.0.0.1:1",
            "LAR__CHANNELS__TELEGRAM__ALLOWED_USER_IDS": "42",
            "OPENAI_API_KEY": "sk-1",
            "LAR__PROVIDERS__OPENAI__BASE_URL": "http://127.0.0.1:2/v1",
            "LAR__PROVIDERS__OPENAI__KIND": "openai_responses",
            "LAR__AGENTS__MAIN__MODEL": "openai:some-model",
        },
    )
    telegram, provider, agent = config.channels.telegram, config.providers["openai"], config.agents["main"]
    assert telegram.bot_token.get_secret_value() == BOT
    assert set(telegram.allowed_user_ids) == {"42"}
    assert (provider.kind, provider.base_url, provider.keys) == ("openai_responses", "http://127.0.0.1:2/v1", ("sk-1",))
    assert (agent.runtime, agent.model) == ("loop", "openai:some-model")
    assert not config.warnings


@pytest.mark.parametrize("ids", ["1,2", "[1, 2]", '["1", "2"]', " 1 , 2 "])
def test_lists_in_the_environment(home: Path, ids: str) -> None:
    """Lists of ids may be written with commas or as JSON."""
    config = read(home, env={"LAR__CHANNELS__TELEGRAM__ALLOWED_USER_IDS": ids})
    assert set(config.channels.telegram.allowed_user_ids) == {"1", "2"}


def test_a_bare_number_in_the_file_is_a_list_of_one(home: Path) -> None:
    """Somebody with one user need not know what a list is."""
    config = read(home, "[channels.telegram]\nallowed_user_ids = 42")
    assert set(config.channels.telegram.allowed_user_ids) == {"42"}


def test_who_wins(home: Path) -> None:
    """The process's environment wins over .env, and both over the file; a key wins over its table."""
    (home / ".env").write_text("LAR__SERVER__PORT=2\nLAR__SERVER__HOST=::1\nOPENAI_API_KEY='sk-env'\n")
    env = {"LAR__SERVER__PORT": "3", "LAR__CONVERSATIONS": '{"max_queued": 5}', "LAR__CONVERSATIONS__MAX_QUEUED": "6"}
    config = read(home, "[server]\nport = 1\n[conversations]\nmax_queued = 4\nraw_days = 2", env)
    assert (config.server.port, config.server.host) == (3, "::1")
    assert (config.conversations.max_queued, config.conversations.raw_days) == (6, 2)
    assert config.providers["openai"].keys == ("sk-env",)


def test_names_are_met_in_the_spelling_of_the_file(home: Path) -> None:
    """The environment has no dashes and no case: LAR__PROVIDERS__MY_LLM sets [providers.My-LLM]."""
    config = read(
        home,
        '[providers.My-LLM]\nkind = "openai"\n[agents.main]\nmodel = "My-LLM:x"',
        {"LAR__PROVIDERS__MY_LLM__BASE_URL": "http://127.0.0.1:1"},
    )
    assert config.providers["My-LLM"].base_url == "http://127.0.0.1:1"


def test_variables_in_the_file(home: Path) -> None:
    """Secrets need not stand in the file, and a literal ${ can be written."""
    toml = '[providers.openai]\napi_keys = ["${A_KEY}", "x"]\n[agents.main]\ninstructions = "say $${A_KEY}"'
    config = read(home, toml, {"A_KEY": "sk-9"})
    assert config.providers["openai"].keys == ("sk-9", "x")
    assert config.agents["main"].instructions == "say ${A_KEY}"
    assert "sk-9" in config.secrets


def test_a_missing_variable_is_named(home: Path) -> None:
    """A secret that was forgotten is told by key and variable, not sent as the text ${NAME}."""
    said = refusal(home, '[channels.telegram]\nbot_token = "${BOT}"')
    assert "channels.telegram.bot_token" in said
    assert "BOT" in said


@pytest.mark.parametrize(
    ("toml", "env", "nearest"),
    [
        ("[channels.telegram]\nbot_tokn = 'x'", {}, "channels.telegram.bot_token"),
        ("[telegram]\nbot_token = 'x'", {}, "channels.telegram"),
        ("bot_token = 'x'", {}, "channels.telegram.bot_token"),
        ("", {"LAR__SERVR__PORT": "1"}, "server"),
        ("[agents.main.limits]\nmodelcalls = 1", {}, "agents.main.limits.model_calls"),
    ],
)
def test_a_misspelt_key_warns(home: Path, toml: str, env: Mapping[str, str], nearest: str) -> None:
    """A key nobody knows never stops the start, and the warning names the key that was probably meant."""
    [warning] = read(home, toml, env).warnings
    assert f"did you mean {nearest}?" in warning
    assert all(name in warning for name in env)


@pytest.mark.parametrize(
    ("toml", "env"),
    [
        ("[policy]\ndenied_tool = ['x']", {}),
        ("[sandbox]\nnetwork = false", {}),
        ("[budgets]\nday = 1", {}),
        ("", {"LAR__POLICY__DENY": "x"}),
    ],
)
def test_a_misspelt_rule_refuses(home: Path, toml: str, env: Mapping[str, str]) -> None:
    """A rule that would silently not hold stops the start."""
    assert "misspelt rule" in refusal(home, toml, env)


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"LAR__SERVER__PORT": "abc"}, "server.port (set by LAR__SERVER__PORT) is text, but should be a valid integer"),
        ({"LAR__SERVER__PORT": "70000"}, "should be less than or equal to 65535"),
        ({"LAR__CHANNELS__TELEGRAM__ACCESS": "open"}, "should be 'reply', 'silent' or 'pairing'"),
        ({"LAR__PROVIDERS": "x"}, "providers (set by LAR__PROVIDERS) is text"),
        ({"LAR__AGENTS__MAIN__LIMITS": "{"}, "is not valid JSON"),
        ({"LAR__LOGGING__MAX_BYTES": "big"}, "should be a size"),
        ({"LAR__TOOLS__TIME_ZONE": "Mars/Olympus"}, "no time zone"),
        ({"LAR__AGENTS__MAIN__MODEL": "gpt"}, "provider:model"),
        ({"LAR__AGENTS__MAIN__MODEL": "nobody:x"}, "set providers.nobody.base_url"),
        ({"LAR__AGENTS__MAIN__MODEL": "openai:x"}, "set OPENAI_API_KEY"),
        ({"LAR__AGENTS__MAIN__RUNTIME": "loop"}, "provider:model"),
    ],
)
def test_a_wrong_value_is_explained(home: Path, env: Mapping[str, str], sentence: str) -> None:
    """Each refusal names the key, who set it, and what is expected."""
    assert sentence in refusal(home, env=env)


def test_a_wrong_secret_is_not_shown(home: Path) -> None:
    """An error about a key never carries the key."""
    said = refusal(home, "[providers.openai]\napi_key = 12345678901")
    assert "providers.openai.api_key is a number, but should be text" in said
    assert "12345678901" not in said


def test_every_problem_at_once(home: Path) -> None:
    """Somebody with three mistakes is not sent back three times."""
    said = refusal(home, "[server]\nport = 'x'\n[conversations]\nqueue_mode = 'x'\nmax_queued = 0")
    assert len(said.splitlines()) == 3


def test_files_that_cannot_be_read(home: Path) -> None:
    """A file that is missing or no TOML is told by name, with the place of the mistake."""
    with pytest.raises(ConfigError, match="--config"):
        load(home / "absent.toml", {}, home)
    assert "line 1" in refusal(home, "[server\nport=1")


@pytest.mark.parametrize(
    ("variables", "chat", "summary", "triage", "transcription"),
    [
        (["OPENAI"], "openai:gpt-5-mini", "openai:gpt-5-nano", "openai:gpt-5-mini", "openai:gpt-4o-mini-transcribe"),
        (
            ["GEMINI", "GROQ"],
            "gemini:gemini-3-flash-preview",
            "groq:qwen/qwen3-32b",
            "groq:openai/gpt-oss-120b",
            "groq:whisper-large-v3-turbo",
        ),
        (["GEMINI"], *["gemini:gemini-3-flash-preview"] * 3, ""),
        (["ANTHROPIC"], "anthropic:claude-sonnet-4-6", "anthropic:claude-haiku-4-5", "anthropic:claude-sonnet-4-6", ""),
    ],
)
def test_models_fit_the_keys(
    home: Path, variables: list[str], chat: str, summary: str, triage: str, transcription: str
) -> None:
    """R-LM-2: a key in the environment is enough; with those of Gemini and Groq the work is split as Aika split it."""
    config = read(home, env={f"{name}_API_KEY": "k" for name in variables})
    models = config.models
    assert config.agents["main"].model == models.chat == chat
    assert (models.summary, models.triage, models.solve) == (summary, triage, triage)
    assert models.transcription == transcription
    assert not config.warnings


def test_models_that_are_set_are_not_guessed(home: Path) -> None:
    """R-LM-2: what is written down wins, a server of one's own is asked for nothing else, and offline stays offline."""
    toml = '[providers.openai]\nbase_url = "http://127.0.0.1:1/v1"\n[agents.main]\nmodel = "openai:mine"\n'
    own = read(home, toml + '[models]\ntriage = "openai:other"', {"OPENAI_API_KEY": "k"}).models
    assert (own.chat, own.summary, own.triage, own.solve, own.transcription) == (
        "openai:mine",
        "openai:mine",
        "openai:other",
        "openai:mine",
        "",
    )
    (home / "lar.toml").unlink()
    offline = read(home, env={"OPENAI_API_KEY": "k", "LAR__AGENTS__MAIN__RUNTIME": "offline"})
    assert (offline.agents["main"].model, offline.models.triage) == ("", "")
    with pytest.raises(ConfigError, match="set GROQ_API_KEY"):
        read(home, "[models]\nsummary = 'groq:x'", {"OPENAI_API_KEY": "k"})
    with pytest.raises(ConfigError, match="written openrouter:vendor/model"):
        read(home, "[models]\nsummary = 'openrouter:gpt-5'", {"OPENROUTER_API_KEY": "k"})


def test_fallback_keys(home: Path) -> None:
    """R-LM-3: Aika's names of further keys are read, each key once, in order."""
    env = {"GEMINI_API_KEY": "a", "GEMINI_API_KEY_FALLBACK": "b", "GEMINI_API_KEY_FALLBACKS": "c, d,b"}
    config = read(home, env=env)
    assert config.providers["gemini"].keys == ("a", "b", "c", "d")
    assert {"a", "b", "c", "d"} <= config.secrets


def test_a_key_of_the_file_is_not_overruled_by_a_usual_name(home: Path) -> None:
    """OPENAI_API_KEY of the shell does not replace the keys somebody wrote down."""
    config = read(home, "[providers.openai]\napi_keys = ['mine']", {"OPENAI_API_KEY": "theirs"})
    assert config.providers["openai"].keys == ("mine",)


def test_empty_variables_are_unset(home: Path) -> None:
    """`TELEGRAM_BOT_TOKEN=` in a compose file does not switch Telegram on."""
    assert not read(home, env={"TELEGRAM_BOT_TOKEN": ""}).channels.telegram.bot_token.get_secret_value()


def test_what_is_not_a_table_is_not_one(home: Path) -> None:
    """A scalar in the place of a section is an error with its key, and usual names do not hide it."""
    assert "channels is text" in refusal(home, "channels = 'x'", {"TELEGRAM_BOT_TOKEN": BOT})
    assert "agents.main" in refusal(home, "[agents]\nmain = 1")
