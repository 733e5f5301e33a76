"""The providers' errors: one status word, each API's shape."""

from dataclasses import dataclass, replace

from lar.testing.models.dialect import Refusal


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP status, what the APIs call it, and the sentence that comes with it."""

    http: int
    openai_type: str
    openai_code: str | None
    anthropic_type: str
    gemini_status: str
    text: str


_REQUEST = "invalid_request_error"
_CONTEXT = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 999999 tokens. "
    "Please reduce the length of the messages."
)
_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. "
    "Please go to Plans & Billing to upgrade or purchase credits."
)
_GEMINI_CONTEXT = "The input token count (1048999) exceeds the maximum number of tokens allowed (1048576)."
_BROKEN = "The server had an error while processing your request."
_WRONG_KEY = "Incorrect API key provided."
_NO_MODEL = "The model does not exist."

FAILURES = {
    "400": Failure(400, _REQUEST, None, _REQUEST, "INVALID_ARGUMENT", "Invalid request."),
    "context": Failure(400, _REQUEST, "context_length_exceeded", _REQUEST, "INVALID_ARGUMENT", _CONTEXT),
    "401": Failure(401, _REQUEST, "invalid_api_key", "authentication_error", "UNAUTHENTICATED", _WRONG_KEY),
    "403": Failure(403, _REQUEST, "permission_denied", "permission_error", "PERMISSION_DENIED", "Permission denied."),
    "404": Failure(404, _REQUEST, "model_not_found", "not_found_error", "NOT_FOUND", _NO_MODEL),
    "429": Failure(
        429, "tokens", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED", "Rate limit reached."
    ),
    "quota": Failure(429, "insufficient_quota", "insufficient_quota", "rate_limit_error", "RESOURCE_EXHAUSTED", _QUOTA),
    "500": Failure(500, "server_error", None, "api_error", "INTERNAL", _BROKEN),
    "503": Failure(503, "server_error", None, "api_error", "UNAVAILABLE", "The engine is currently overloaded."),
    "529": Failure(529, "server_error", None, "overloaded_error", "UNAVAILABLE", "Overloaded"),
}


def failure(status: str, message: str = "") -> Failure:
    """The failure a status word names; an unknown number is a server error with that number."""
    found = FAILURES.get(status)
    if found is None:
        found = replace(FAILURES["500"], http=int(status) if status.isdigit() else 500)
    return replace(found, text=message or found.text)


def _headers(status: str) -> dict[str, str]:
    return {"x-request-id": "req_sim", **({"retry-after": "1"} if status == "429" else {})}


def openai(status: str, message: str = "") -> Refusal:
    """An error of OpenAI's Chat Completions, Responses, embeddings and audio."""
    it = failure(status, message)
    error = {"message": it.text, "type": it.openai_type, "param": None, "code": it.openai_code}
    return Refusal(it.http, {"error": error}, _headers(status))


def anthropic(status: str, message: str = "") -> Refusal:
    """An error of Anthropic's Messages; there, an empty account is a bad request."""
    it = failure(status, message)
    if status == "quota":
        it = replace(it, http=400, anthropic_type=_REQUEST, text=message or _CREDIT)
    elif status == "context":
        it = replace(it, text=message or "prompt is too long: 999999 tokens > 200000 maximum")
    error = {"type": it.anthropic_type, "message": it.text}
    return Refusal(it.http, {"type": "error", "error": error, "request_id": "req_sim"}, _headers(status))


def gemini(status: str, message: str = "") -> Refusal:
    """An error of the Gemini API. Only the details of a 429 tell a used-up day from a busy minute."""
    it = failure(status, message)
    if status == "context":
        it = replace(it, text=message or _GEMINI_CONTEXT)
    period, wait = ("PerDay", "31s") if status == "quota" else ("PerMinute", "1s")
    quota = {"quotaId": f"GenerateRequests{period}PerProjectPerModel-FreeTier"}
    told = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [quota]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait},
    ]
    details = {"details": told} if it.http == FAILURES["429"].http else {}
    error = {"code": it.http, "message": it.text, "status": it.gemini_status, **details}
    return Refusal(it.http, {"error": error}, _headers(status))


def ollama(status: str, message: str = "") -> Refusal:
    """An error of Ollama: a bare sentence."""
    it = failure(status, message)
    return Refusal(it.http, {"error": it.text}, _headers(status))
