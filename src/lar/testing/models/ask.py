"""What was asked: one request to a model, whichever API it came through."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from lar.testing.models.wire import Wire


class Medium(NamedTuple):
    """A picture, sound or file in a message; `size` in bytes, 0 where only a link was given."""

    kind: str
    mime: str
    size: int


class PastCall(NamedTuple):
    """A tool call in the history."""

    call_id: str
    name: str


class PastResult(NamedTuple):
    """A tool's result in the history; `name` is "?" where no call explains it."""

    call_id: str
    name: str
    output: str


@dataclass(slots=True)
class Message:
    """One message of the history. `role` is user, assistant or tool (or what the client called it)."""

    role: str
    parts: list[str] = field(default_factory=list[str])
    media: list[Medium] = field(default_factory=list[Medium])
    calls: list[PastCall] = field(default_factory=list[PastCall])
    results: list[PastResult] = field(default_factory=list[PastResult])

    @property
    def text(self) -> str:
        """All text parts, one below the other."""
        return "\n".join(self.parts)


@dataclass(slots=True)
class Ask:
    """One request. `tools` maps a name to function, custom or hosted; `schemas` to the JSON schema of its arguments.

    `forced` names the tool that must be called ("*": any). `output_schema`, when not None, demands an answer that is
    JSON of that shape. `not_user` is a regular expression for "user" messages that the gateway itself wrote.
    """

    dialect: str
    body: Wire
    model: str
    stream: bool
    system: str = ""
    messages: list[Message] = field(default_factory=list[Message])
    tools: dict[str, str] = field(default_factory=dict[str, str])
    schemas: dict[str, Wire] = field(default_factory=dict[str, Wire])
    forced: str = ""
    output_schema: Wire | None = None
    key: str = ""
    not_user: str = ""

    def add_system(self, text: str) -> None:
        """Append a system message to the system prompt."""
        self.system += ("\n" if self.system else "") + text

    def _is_user(self, message: Message) -> bool:
        if message.role != "user" or not (message.parts or message.media):
            return False
        return not (self.not_user and re.search(self.not_user, message.text))

    @property
    def last_user(self) -> int:
        """Index of the latest user message, -1 where there is none."""
        return next((i for i in range(len(self.messages) - 1, -1, -1) if self._is_user(self.messages[i])), -1)

    @property
    def user(self) -> Message:
        """The latest user message; an empty one where there is none."""
        return self.messages[self.last_user] if self.last_user >= 0 else Message("user")

    @property
    def since_user(self) -> list[Message]:
        """What the history holds after the latest user message."""
        return self.messages[self.last_user + 1 :]

    @property
    def prompt_tokens(self) -> int:
        """Four characters to the token."""
        said = sum(len(m.text) + sum(len(r.output) for r in m.results) for m in self.messages)
        return (len(self.system) + said) // 4 + 1
