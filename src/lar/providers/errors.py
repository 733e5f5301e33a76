"""What went wrong with a model, in the words of `ThinkingError`. Imports pydantic-ai: for use after a first call."""

from dataclasses import dataclass

import httpx2
from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
    UnexpectedModelBehavior,
)

from lar.errors import ThinkingKind


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed model call: what to tell the person, and whether asking again can help. `retry_after` is in seconds."""

    kind: ThinkingKind
    message: str
    transient: bool
    retry_after: float | None = None


# The first class that matches decides, so the narrower come first.
_BY_CLASS: tuple[tuple[type[Exception], ThinkingKind, bool, str], ...] = (
    (ModelQuotaExceededError, "quota", False, "The model's provider says that the quota or the credit is used up."),
    (ModelRateLimitError, "rate", True, "The model's provider is limiting requests right now."),
    (
        ModelContextWindowExceededError,
        "context",
        False,
        "This conversation is too long for the model. /new starts afresh.",
    ),
    (ModelAuthenticationError, "auth", False, "The model's provider refused the API key."),
    (ModelNotFoundError, "invalid", False, "The model's provider does not know this model."),
    (ModelRequestRejectedError, "invalid", False, "The model's provider refused the request."),
    (ModelUnavailableError, "overloaded", True, "The model is overloaded right now."),
    (ModelServerError, "overloaded", True, "The model's provider has trouble right now."),
    (ModelTimeoutError, "timeout", True, "The model did not answer in time."),
    (ModelRequestTimeout, "timeout", True, "The model did not answer in time."),
    (ModelConnectionError, "network", True, "The connection to the model's provider failed."),
    (ContentFilterError, "refused", False, "The model's provider filtered this conversation."),
    (UnexpectedModelBehavior, "network", True, "The model's answer could not be read."),
    (httpx2.TimeoutException, "timeout", True, "The model did not answer in time."),
    (httpx2.TransportError, "network", True, "The connection to the model's provider failed."),
)

_TIMEOUT_STATUS = 408
_TOO_LARGE_STATUS = 413


def explain(error: Exception) -> Failure | None:
    """The failure this exception stands for, or None if it is not one of a model call but a fault of our own."""
    retry_after = error.retry_after if isinstance(error, ModelAPIError) else None
    for kind_of, kind, transient, message in _BY_CLASS:
        if isinstance(error, kind_of):
            return Failure(kind, message, transient, retry_after)
    if isinstance(error, ModelHTTPError):
        if error.status_code == _TOO_LARGE_STATUS:
            return Failure(
                "context", "This conversation is too long for the model. /new starts afresh.", transient=False
            )
        transient = error.status_code == _TIMEOUT_STATUS
        return Failure("timeout" if transient else "invalid", "The model's provider refused the request.", transient)
    if isinstance(error, ModelAPIError):
        return Failure("network", "The model's provider gave an answer that could not be read.", transient=True)
    return None
