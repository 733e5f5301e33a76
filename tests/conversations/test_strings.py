"""Lar's own sentences: the same ones in every language."""

from string import Formatter

import pytest

from lar.conversations.commands import COMMANDS
from lar.conversations.strings import CATALOGUES, duration, say


def placeholders(sentence: str) -> set[str]:
    """The names between braces."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", CATALOGUES)
def test_catalogues_say_the_same(language: str) -> None:
    """R-CV-2: every sentence exists in every language, and takes the same values there."""
    english, other = CATALOGUES["en"], CATALOGUES[language]
    assert other.keys() == english.keys()
    assert {key: placeholders(text) for key, text in other.items()} == {
        key: placeholders(text) for key, text in english.items()
    }


def test_translations_are_translated() -> None:
    """A sentence that was copied into another language and forgotten there is noticed."""
    same = {key for key, text in CATALOGUES["es"].items() if text == CATALOGUES["en"][key]}
    assert same == {"seconds", "minutes", "hours", "days", "button_no"}


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_command_has_a_menu_text(language: str) -> None:
    """R-TG-11: Telegram refuses a menu with an entry that is empty or longer than 256 characters."""
    for name in COMMANDS:
        assert 1 <= len(say(language, f"command_{name}")) <= 256


@pytest.mark.parametrize("tag", ["es", "es-MX", "ES-ar"])
def test_regions_of_a_language_are_understood(tag: str) -> None:
    """A channel reports language tags with regions."""
    assert say(tag, "queue_empty") == CATALOGUES["es"]["queue_empty"]


@pytest.mark.parametrize("tag", ["", "xx", "de-AT"])
def test_english_where_a_language_is_not_spoken(tag: str) -> None:
    """Nobody gets a missing key instead of a sentence."""
    assert say(tag, "queue_empty") == CATALOGUES["en"]["queue_empty"]


def test_what_people_say_is_no_template() -> None:
    """Braces in what is told stay what they are."""
    assert (
        say("en", "unknown_command", command="/{version}{0}")
        == "I do not know /{version}{0}. /help lists the commands."
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (86400 * 3.5, "3 d")],
)
def test_durations_are_said_in_their_largest_unit(seconds: float, said: str) -> None:
    """A length of time is read at a glance."""
    assert duration("en", seconds) == said
