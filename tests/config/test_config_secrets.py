from pathlib import Path

from lar.config import load
from lar.config.secret import MASK, masked

ENV = {
    "TELEGRAM_BOT_TOKEN": "123456:tele",
    "OPENAI_API_KEY": "sk-open",
    "LAR__PROVIDERS__OPENAI__API_KEYS": "sk-two,sk-three",
    "LAR__DATABASE__URL": "postgresql://lar:pg-pass@127.0.0.1/lar",
}
VALUES = {"123456:tele", "sk-two", "sk-three", "pg-pass"}


def test_every_secret_is_known_to_the_log(home: Path) -> None:
    """What the redactor must blank out: keys, tokens, passwords in addresses, and all of .env that looks secret."""
    (home / ".env").write_text("MY_SERVICE_TOKEN=hidden-one\nCOLOUR=blue\n")
    secrets = load(None, ENV, home).secrets
    assert secrets >= {*VALUES, "sk-open", "hidden-one"}
    assert not secrets & {"", "blue", "lar"}


def test_nothing_secret_is_shown(home: Path) -> None:
    """`lar config show` and an accidental print of the configuration show no secret."""
    config = load(None, ENV, home)
    shown = str(masked(config)) + repr(config.channels) + repr(config.providers)
    assert MASK in shown
    assert not [value for value in VALUES - {"pg-pass"} if value in shown]
    assert "pg-pass" not in str(masked(config.database))
