"""Settings are read from every notation people use."""

from typing import Any

import pytest
from pydantic import ValidationError

from lar.channels.telegram.settings import TelegramSettings


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (7, {"7"}),
        ("7", {"7"}),
        ("7, -1008,9", {"7", "-1008", "9"}),
        ("[7, 8]", {"7", "8"}),
        ([7, "8"], {"7", "8"}),
        ("", set[str]()),
        (None, set[str]()),
    ],
)
def test_ids(given: Any, ids: set[str]) -> None:
    """R-TG-3: ids may be a number, a list, a JSON list, or text with commas."""
    assert TelegramSettings(allowed_user_ids=given).allowed_user_ids == ids


def test_wrong_id() -> None:
    """A name where an id belongs is refused: it would fail open or lock out."""
    with pytest.raises(ValidationError, match="@ana"):
        TelegramSettings.model_validate({"admin_user_ids": "@ana"})


@pytest.mark.parametrize("given", ["7:Ana;8:Ben", {7: "Ana", "8": "Ben"}, '{"7": "Ana", "8": "Ben"}'])
def test_aliases(given: Any) -> None:
    """R-TG-5: aliases may be a table, JSON, or text with semicolons."""
    assert TelegramSettings(user_aliases=given).user_aliases == {"7": "Ana", "8": "Ben"}


def test_sizes() -> None:
    """Sizes are bytes, or say their unit."""
    assert TelegramSettings.model_validate({"max_download_bytes": "5MB"}).max_download_bytes == 5_000_000
    assert TelegramSettings.model_validate({"max_download_bytes": 7}).max_download_bytes == 7


def test_webhook_secret() -> None:
    """A webhook always has a secret, the same in every process, and it is not the token."""
    settings = TelegramSettings.model_validate({"bot_token": "1:abc"})
    assert settings.secret == TelegramSettings.model_validate({"bot_token": "1:abc"}).secret
    assert "abc" not in settings.secret
    assert len(settings.secret) == 64
    assert TelegramSettings.model_validate({"webhook_secret": "own"}).secret == "own"  # noqa: S105  # an example


def test_token_is_not_shown() -> None:
    """R-PO-5: printing the settings does not print the token."""
    assert "s3cret" not in repr(TelegramSettings.model_validate({"bot_token": "1:s3cret"}))


def test_webhook_needs_an_address() -> None:
    """R-TG-1: a webhook without an address would silently receive nothing."""
    with pytest.raises(ValidationError, match="webhook_url"):
        TelegramSettings(mode="webhook")


def test_login_needs_a_password() -> None:
    """R-TG-4: a login that nobody can pass is refused."""
    with pytest.raises(ValidationError, match="password"):
        TelegramSettings.model_validate({"login": {"enabled": True}})
