"""What the brain answers, before any API gives it its shape."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Call:
    """One tool call; `arguments` is the text a model would write, valid JSON or not."""

    name: str
    arguments: str
    call_id: str = ""
    custom: bool = False


@dataclass(slots=True)
class Reply:
    """One answer. `status` ("429", "quota", ...) makes it a provider-shaped error instead; `sleep` is in seconds.

    `finish` is "length" for an answer cut off by the token limit; `stream_break` drops the connection half-way.
    """

    text: str = ""
    calls: list[Call] = field(default_factory=list[Call])
    thinking: str = ""
    status: str = ""
    message: str = ""
    sleep: float = 0.0
    stream_break: bool = False
    finish: str = ""

    @property
    def tokens(self) -> int:
        """Four characters to the token."""
        return (len(self.text) + len(self.thinking) + sum(len(c.arguments) for c in self.calls)) // 4 + 1
