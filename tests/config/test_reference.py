import re
import tomllib
from pathlib import Path

from lar.config import Settings, load
from lar.config.reference import example, reference
from lar.config.shape import keys

ROOT = Path(__file__).parents[2]


def test_the_reference_is_up_to_date() -> None:
    """docs/configuration.md says what the code does: `lar config reference > docs/configuration.md` writes it."""
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == reference()


def test_the_example_is_up_to_date() -> None:
    """lar.example.toml holds every key with its default: `lar config reference --example` writes it."""
    assert (ROOT / "lar.example.toml").read_text(encoding="utf-8") == example()


def test_every_key_is_described() -> None:
    """No key enters without a sentence about what it does."""
    assert [key.path for key in keys(Settings) if not (key.field.description or "").endswith(".")] == []


def test_the_example_is_accepted(home: Path) -> None:
    """The example file as it is starts without a warning, and means the defaults."""
    config = load(ROOT / "lar.example.toml", {}, home)
    assert not config.warnings
    assert config.server == load(None, {}, home).server


def test_the_example_names_only_keys_that_exist(home: Path) -> None:
    """Each commented line, taken out of its comment, is TOML of a known key."""
    text = re.sub(r"^# (\w+ = |\[)", r"\1", example(), flags=re.MULTILINE)
    text = text.replace('command = ""', 'command = "needed"')
    text = text.replace('\nsecret = ""', '\nsecret = "sixteen letters or more"')
    tables = tomllib.loads(text)
    assert tables["server"]["port"] == 49152
    (home / "all.toml").write_text(
        re.sub(r"^(usd|max_\w+|temperature|reasoning_effort|runtime|deed) = .*$", "", text, flags=re.MULTILINE)
    )
    assert not load(home / "all.toml", {}, home).warnings
