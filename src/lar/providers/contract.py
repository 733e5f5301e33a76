"""The seam for providers: settings, and a lazily imported model factory."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pydantic_ai.models import Model


class ModelFactory(Protocol):
    """Makes the model object for a model's name. The provider's SDK is imported by the first call, not before."""

    def __call__(self, model: str, /) -> "Model":
        """The model of this name."""
        ...
