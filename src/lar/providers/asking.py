"""One question to a model outside of any turn: no tools, no history, a bounded answer."""

from collections.abc import Sequence
from typing import Literal, Protocol

from lar.domain.spend import NOBODY, Payer
from lar.providers.contract import Parameters
from lar.providers.loading import load
from lar.providers.models import Models
from lar.providers.patience import Patience
from lar.providers.settings import ModelSettings


class Ask(Protocol):
    """Asks a model."""

    async def __call__(self, system: str, prompt: str, /) -> str:
        """The answer; empty if the model said nothing.

        Raises:
            ThinkingError: there is none.

        """
        ...


Task = Literal["summary", "triage", "solve"]
"""What is asked outside of conversations; each has its model in `[models]`."""


class PaidAsk(Ask, Protocol):
    """An `Ask` that can also ask on somebody's account."""

    def paid_by(self, payer: Payer, /) -> Ask:
        """The same, on somebody's account instead of Lar's own."""
        ...


class Asker:
    """Asks one model, and where it cannot answer its `fallbacks`. A `PaidAsk`.

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

    def paid_by(self, payer: Payer, /) -> "Asker":
        """The same, on somebody's account; see `PaidAsk`."""
        first, *fallbacks = self._chain
        longest = self._parameters.max_output_tokens or 0
        return Asker(self._models, first, longest, fallbacks, self._patience, payer)


def asker(models: Models, settings: ModelSettings, task: Task, max_output_tokens: int) -> Asker | None:
    """What asks the model of a task, and where it cannot answer the one that talks; None: there is none.

    It is Lar that pays, under the task's name.
    """
    model = str(getattr(settings, task))
    if not model:
        return None
    fallbacks = [settings.chat] if settings.chat not in {"", model} else []
    return Asker(models, model, max_output_tokens, fallbacks, payer=Payer(agent=task))
