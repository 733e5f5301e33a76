"""The seam for providers: settings, and a lazily imported model factory."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from pydantic_ai.models import Model


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of a model's requests. What is None is not sent."""

    temperature: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class ModelFactory(Protocol):
    """Makes the model object for a model's name. The provider's SDK is imported by the first call, not before."""

    def __call__(self, model: str, parameters: Parameters, /) -> "Model":
        """The model of this name; blocks while the SDK is imported, so call it in a thread.

        Raises:
            ConfigError: a setting is missing or cannot be used.

        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
