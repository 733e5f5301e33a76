"""What goes over the wire: JSON objects, the parameters of one call, errors as the Bot API words them."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, cast

Json = dict[str, Any]

MAX_UPLOAD = 50 << 20  # bytes a bot may send
MAX_DOWNLOAD = 20 << 20  # bytes a bot may fetch


class ApiError(Exception):
    """A call the server refuses: HTTP status, description, and the answer's `parameters` (such as retry_after)."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters: Json = parameters


def bad(text: str) -> ApiError:
    """A 400 in the server's wording."""
    return ApiError(400, f"Bad Request: {text}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it arrived: its bytes, and what its sender calls it."""

    data: bytes
    filename: str = "file"
    mime: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Params:
    """Arguments of one call, whatever encoding they came in."""

    values: Json
    uploads: dict[str, Upload] = field(default_factory=dict[str, Upload])

    def text(self, name: str) -> str:
        """The argument as text; "" when it is absent, JSON when it is structured."""
        value = self.values.get(name)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        return json.dumps(value)

    def number(self, name: str, default: int = 0) -> int:
        """The argument as an integer; `default` when it is absent or no number."""
        try:
            return int(self.text(name) or default)
        except ValueError:
            return default

    def flag(self, name: str) -> bool:
        """The argument as a boolean."""
        return self.text(name).lower() in {"true", "1", "yes", "t"}

    def parsed(self, name: str) -> Any:
        """The argument as JSON, whether sent as a value or as text; None when absent.

        Raises:
            ApiError: It is text, but not JSON.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return json.loads(value)
        except ValueError:
            what = "reply keyboard markup" if name == "reply_markup" else name
            raise bad(f"can't parse {what} JSON object") from None

    def mapping(self, name: str) -> Json:
        """The argument as a JSON object; empty when absent.

        Raises:
            ApiError: It is anything else.
        """
        value = self.parsed(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise bad(f"object expected as {name.replace('_', ' ')}")
        return cast("Json", value)

    def describe(self) -> Json:
        """The arguments for the log of calls; an uploaded file appears as name, MIME type, size and SHA-256."""
        files = {
            name: {
                "filename": upload.filename,
                "mime": upload.mime,
                "size": len(upload.data),
                "sha256": hashlib.sha256(upload.data).hexdigest(),
            }
            for name, upload in self.uploads.items()
        }
        return {**self.values, **files}
