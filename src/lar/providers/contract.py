"""The seam for providers: settings, and a lazily imported model factory."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from pydantic_ai.models import Model

Input = Literal["image", "audio", "document"]
"""What a model may be given besides text."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of a model's requests. What is None is not sent."""

    temperature: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who sends the bill: an id of the price list, empty where nobody of the list does; and the address asked."""

    id: str = ""
    url: str = ""


class ModelFactory(Protocol):
    """Makes the model object for a model's name. The provider's SDK is imported by the first call, not before."""

    @property
    def endings(self) -> tuple[str, ...]:
        """The last characters of each key, in order of preference; a provider without keys has one ending, ""."""
        ...

    @property
    def vendor(self) -> Vendor:
        """Who sends the bill."""
        ...

    def __call__(self, model: str, parameters: Parameters, /, key: int = 0) -> "Model":
        """The model of this name, asked with the key of this number (from 0).

        It blocks while the SDK is imported, so call it in a thread.

        Raises:
            ConfigError: a setting is missing or cannot be used.
            MissingComponent: the SDK is not installed; the message names the command that installs it.

        """
        ...

    def takes(self, model: str, /) -> frozenset[Input]:
        """What a model of this name may be given besides text, as far as is known without asking."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
