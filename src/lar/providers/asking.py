"""One question to a model outside of any turn: no tools, no history, a bounded answer."""

from collections.abc import Sequence
from typing import Protocol

from lar.domain.spend import NOBODY, Payer
from lar.providers.contract import Parameters
from lar.providers.loading import load
from lar.providers.models import Models
from lar.providers.patience import Patience


class Ask(Protocol):
    """Asks a model."""

    async def __call__(self, system: str, prompt: str, /) -> str:
        """The answer; empty if the model said nothing.

        Raises:
            ThinkingError: there is none.

        """
        ...


class Asker:
    """Asks one model, and where it cannot answer its `fallbacks`. An `Ask`.

    `max_output_tokens` bounds what an answer costs.
    """

    def __init__(
        self,
        models: Models,
        reference: str,
        max_output_tokens: int,
        fallbacks: Sequence[str] = (),
        patience: Patience = Patience(),  # noqa: B008  # frozen
        payer: Payer = NOBODY,
    ) -> None:
        self._chain = (reference, *fallbacks)
        for model in self._chain:
            models.check(model)
        self._models = models
        self._parameters = Parameters(max_output_tokens=max_output_tokens)
        self._patience = patience
        self._payer = payer

    async def __call__(self, system: str, prompt: str, /) -> str:
        """The answer; see `Ask`."""
        await load("lar.providers.plain")
        from lar.providers.failover import Failover
        from lar.providers.plain import PlainQuestion

        failover = Failover(self._models, self._chain, self._parameters, self._patience, self._payer)
        return (await failover.ask(PlainQuestion(system, prompt))).answer.text or ""

    def paid_by(self, payer: Payer) -> "Asker":
        """The same, on somebody's account instead of Lar's own."""
        first, *fallbacks = self._chain
        longest = self._parameters.max_output_tokens or 0
        return Asker(self._models, first, longest, fallbacks, self._patience, payer)
