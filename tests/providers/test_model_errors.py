"""What goes wrong with a model, told by kind."""

import httpx2
import pytest
from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelAPIError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
)

from lar.providers.errors import explain


@pytest.mark.parametrize(
    ("error", "kind", "transient"),
    [
        (ModelHTTPError(413, "m"), "context", False),
        (ModelHTTPError(408, "m"), "timeout", True),
        (ModelHTTPError(418, "m"), "invalid", False),
        (ModelAPIError("m", "what?"), "network", True),
        (ModelTimeoutError("m", "slow"), "timeout", True),
        (ModelQuotaExceededError("m", "no money"), "quota", False),
        (ContentFilterError("filtered"), "refused", False),
        (UnexpectedModelBehavior("nonsense"), "network", True),
        (httpx2.ReadTimeout("slow"), "timeout", True),
        (httpx2.ReadError("gone"), "network", True),
    ],
)
def test_each_error_has_its_kind(error: Exception, kind: str, transient: bool) -> None:
    """The kind decides what the person is told, and `transient` whether asking again can help."""
    failure = explain(error)
    assert (failure.kind, failure.transient) == (kind, transient)


def test_the_providers_wait_is_kept() -> None:
    """When the provider says how long to wait, that is how long."""
    assert explain(ModelRateLimitError("m", "slow down", retry_after=7.5)).retry_after == 7.5
