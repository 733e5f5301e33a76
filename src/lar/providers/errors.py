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


_TOO_LONG = "This conversation is too long for the model. /new starts afresh."
_TOO_LATE = "The model did not answer in time."

# The first class that matches decides, so the narrower come first.
_BY_CLASS: tuple[tuple[type[Exception], ThinkingKind, bool, str], ...] = (
    (ModelQuotaExceededError, "quota", False, "The model's provider says that the quota or the credit is used up."),
    (ModelRateLimitError, "rate", True, "The model's provider is limiting requests right now."),
    (
        ModelContextWindowExceededError,
        "context",
        False,
        _TOO_LONG,
    ),
    (ModelAuthenticationError, "auth", False, "The model's provider refused the API key."),
    (ModelNotFoundError, "invalid", False, "The model's provider does not know this model."),
    (ModelRequestRejectedError, "invalid", False, "The model's provider refused the request."),
    (ModelUnavailableError, "overloaded", True, "The model is overloaded right now."),
    (ModelServerError, "overloaded", True, "The model's provider has trouble right now."),
    (ModelTimeoutError, "timeout", True, _TOO_LATE),
    (ModelRequestTimeout, "timeout", True, _TOO_LATE),
    (ModelConnectionError, "network", True, "The connection to the model's provider failed."),
    (ContentFilterError, "refused", False, "The model's provider filtered this conversation."),
    (UnexpectedModelBehavior, "network", True, "The model's answer could not be read."),
    (httpx2.TimeoutException, "timeout", True, _TOO_LATE),
    (httpx2.TransportError, "network", True, "The connection to the model's provider failed."),
)

MODEL_ERRORS = (ModelAPIError, UnexpectedModelBehavior, httpx2.TransportError)
"""What a model call may raise that is no fault of our own; `explain` knows all of them."""

_TIMEOUT_STATUS = 408
_TOO_LARGE_STATUS = 413


def explain(error: Exception) -> Failure:
    """The failure that one of `MODEL_ERRORS` stands for."""
    retry_after = error.retry_after if isinstance(error, ModelAPIError) else None
    for kind_of, kind, transient, message in _BY_CLASS:
        if isinstance(error, kind_of):
            return Failure(kind, message, transient, retry_after)
    status = error.status_code if isinstance(error, ModelHTTPError) else 0
    if status == _TOO_LARGE_STATUS:
        return Failure("context", _TOO_LONG, transient=False)
    if status == _TIMEOUT_STATUS:
        return Failure("timeout", _TOO_LATE, transient=True, retry_after=retry_after)
    if status:
        return Failure("invalid", "The model's provider refused the request.", transient=False)
    return Failure("network", "The model's provider gave an answer that could not be read.", transient=True)
