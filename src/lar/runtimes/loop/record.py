"""What the journal keeps of a model call, and what it is read back to. Imports pydantic-ai."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter
from pydantic_ai.messages import ModelMessage, ModelResponse

from lar.domain.turn import Usage
from lar.domain.values import JsonObject
from lar.providers.health import Way

_response = TypeAdapter(ModelResponse)


@dataclass(slots=True)
class Transcript:
    """The messages of a turn, and for each a short digest of what it says, so that a replay finds the first change."""

    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    digests: list[str] = field(default_factory=list[str])

    def add(self, message: ModelMessage, role: str, said: object) -> None:
        """Append a message. `said` is its content as JSON has it."""
        self.messages.append(message)
        self.digests.append(f"{role}:{digest(said)}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished model call."""

    response: ModelResponse
    usage: Usage


def digest(value: object) -> str:
    """Twelve hexadecimal digits of a JSON value."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def write_answer(response: ModelResponse, usage: Usage, way: Way) -> JsonObject:
    """The output of the step. `way` is who answered: the model, and the number of the key, counted from 1."""
    return {
        "response": _response.dump_python(response, mode="json", exclude_none=True),
        "usage": asdict(usage),
        "way": {"model": way.reference, "key": way.key + 1},
    }


def read_answer(output: JsonObject) -> Answer:
    """Read what `write_answer` wrote, now or when it named no way yet."""
    return Answer(_response.validate_python(output["response"]), Usage(**output["usage"]))
