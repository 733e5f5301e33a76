"""A question that is asked in one piece and answered in one piece. Imports pydantic-ai."""

from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelRequest, ModelResponse
from pydantic_ai.models import Model

from lar.providers.health import Way
from lar.providers.prices import tokens_of_text


class PlainQuestion:
    """A `Question` without tools or history."""

    def __init__(self, system: str, prompt: str) -> None:
        self._request = ModelRequest.user_text_prompt(prompt, instructions=system)
        self._size = tokens_of_text(system) + tokens_of_text(prompt)

    async def ask(self, _way: Way, model: Model, /) -> ModelResponse:
        """Ask this model."""
        return await model_request(model, [self._request])

    def size(self) -> int:
        """How many tokens the question is at most."""
        return self._size

    def shown(self) -> int:
        """Nothing is shown before it is whole."""
        return 0

    def withdraw(self) -> None:
        """Nothing was shown."""

    async def shorten(self) -> bool:
        """Whoever asks decides how much is asked."""
        return False
