"""A question that is asked in one piece and answered in one piece. Imports pydantic-ai."""

from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models import Model

from lar.providers.health import Way


class PlainQuestion:
    """A `Question` without tools or history."""

    def __init__(self, system: str, prompt: str) -> None:
        self._request = ModelRequest.user_text_prompt(prompt, instructions=system)

    async def ask(self, _way: Way, model: Model, /) -> str:
        """Ask this model; empty if it said nothing."""
        return (await model_request(model, [self._request])).text or ""

    def withdraw(self) -> None:
        """Nothing is shown before it is whole."""

    async def shorten(self) -> bool:
        """Whoever asks decides how much is asked."""
        return False
