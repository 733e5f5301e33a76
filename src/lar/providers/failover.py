"""One question on its way through keys and models, until one of them answers. Imports pydantic-ai.

What is decided here, by the kind of failure:

- rate, quota, auth: this key rests (`health`), the next key is asked, then the next model of the chain.
- overloaded, timeout: the next model; without one, the same again after a pause.
- network, which is a connection that failed or a stream that broke: the same once more, then the next model.
- context: the question is shortened and asked again, once; then the next model.
- invalid: the next model. refused: nobody else; that is an answer.

Where all are out and the first to be back is back soon, it is waited for; else the person is told when.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model

from lar.domain.spend import NOBODY, Payer, Spent
from lar.errors import ThinkingError
from lar.policy.settings import BudgetSettings
from lar.providers.contract import Parameters
from lar.providers.errors import MODEL_ERRORS, Failure, explain
from lar.providers.health import Way
from lar.providers.models import Models
from lar.providers.patience import Patience
from lar.providers.prices import Prices

log = structlog.get_logger(__name__)


class Question(Protocol):
    """What is asked."""

    async def ask(self, way: Way, model: Model, /) -> ModelResponse:
        """Ask this model; raises one of `MODEL_ERRORS` where that fails."""
        ...

    def size(self) -> int:
        """How many tokens the question is at most."""
        ...

    def shown(self) -> int:
        """How many characters of an answer arrived since it was asked last."""
        ...

    def withdraw(self) -> None:
        """What was shown of an answer is void."""
        ...

    async def shorten(self) -> bool:
        """Make the question shorter; False: it cannot be."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, whose it is, how often somebody was asked for it, and what it cost in US dollars.

    The cost is None where nobody keeps count.
    """

    answer: ModelResponse
    way: Way
    attempts: int
    usd: float | None = None


class Failover:
    """Asks the models of a chain, each with all of its keys, on somebody's account."""

    def __init__(
        self, models: Models, chain: Sequence[str], parameters: Parameters, patience: Patience, payer: Payer = NOBODY
    ) -> None:
        self._models = models
        self._ways = [Way(model, key) for model in dict.fromkeys(chain) for key in range(len(models.endings(model)))]
        self._parameters = parameters
        self._patience = patience
        self._payer = payer
        self._prices = Prices(models.meter.settings if models.meter else BudgetSettings())

    async def ask(self, question: Question) -> Answered:
        """Ask until somebody answers.

        Raises:
            BudgetReached: no more may be spent.
            ThinkingError: nobody does; `retry_after` says when it makes sense to ask again, where that is known.

        """
        search = _Search(self._models, list(self._ways), self._patience)
        while True:
            way = await search.next()
            search.attempts += 1
            try:
                answer, usd = await self._ask(question, way)
            except MODEL_ERRORS as error:
                failure = explain(error)
                _log(way, failure, search.attempts, error)
                question.withdraw()
                if failure.kind == "context" and not search.shortened:
                    search.shortened = True
                    if await question.shorten():
                        continue
                await search.failed(way, failure)
            else:
                self._models.health.worked(way)
                return Answered(answer, way, search.attempts, usd)

    async def _ask(self, question: Question, way: Way) -> tuple[ModelResponse, float | None]:
        """Ask once: what it may cost is put aside before, what it cost is settled after."""
        models, meter, reference = self._models, self._models.meter, way.reference
        if meter is None:
            return await question.ask(way, await models.get(reference, self._parameters, way.key)), None
        prices, vendor = self._prices, models.vendor(reference)
        longest = self._parameters.max_output_tokens or meter.settings.max_output_tokens
        asked = question.size()
        most = Spent(asked, longest, prices.of(reference, vendor, Spent(asked, longest)))
        parameters = replace(self._parameters, max_output_tokens=longest) if most.usd else self._parameters
        model = await models.get(reference, parameters, way.key)
        hold = await meter.reserve(self._payer, reference, most)
        spent = most
        try:
            answer = await question.ask(way, model)
            spent = prices.paid(reference, vendor, answer, asked)
        except MODEL_ERRORS as error:
            began = question.shown() or not isinstance(error, ModelHTTPError)
            spent = prices.reckoned(reference, vendor, asked, question.shown() // 2) if began else Spent()
            raise
        except asyncio.CancelledError:
            spent = prices.reckoned(reference, vendor, asked, question.shown() // 2)
            raise
        finally:
            meter.settle(hold, spent)
        return answer, spent.usd


class _Search:
    """What one question has met so far. `_left` are the ways that are still worth asking."""

    def __init__(self, models: Models, ways: list[Way], patience: Patience) -> None:
        self._health = models.health
        self._left = ways
        self._patience = patience
        self._tries: Counter[Way] = Counter()
        self._waits = 0
        self._same: Way | None = None
        self._met: list[tuple[float, Failure]] = []
        self.attempts = 0
        self.shortened = False

    async def next(self) -> Way:
        """The way to ask now.

        Raises:
            ThinkingError: there is none.

        """
        same, self._same = self._same, None
        if same is not None:
            return same
        awake = [way for way in self._left if self._health.out(way) is None]
        if awake:
            return next((way for way in awake if not self._health.tired(way)), awake[0])
        rests = [(rest.until, number, rest) for number, way in enumerate(self._left) if (rest := self._health.out(way))]
        if not rests:
            raise self._given_up()
        until, number, rest = min(rests)
        wait = self._health.seconds_until(until)
        if wait > self._patience.longest_wait or self._waits >= self._patience.retries:
            if not self._met:
                raise ThinkingError(rest.kind, f"all keys rest after trouble ({rest.kind})", retry_after=wait)
            raise self._given_up()
        self._waits += 1
        await self._patience.sleep(wait)
        return self._left[number]

    async def failed(self, way: Way, failure: Failure) -> None:
        """Decide what a failure means for the rest of this search; it may take a pause.

        Raises:
            ThinkingError: nobody else is to be asked.

        """
        back = self._health.failed(way, failure.kind, failure.retry_after)
        self._met.append((math.inf if back is None else back, failure))
        self._tries[way] += 1
        match failure.kind:
            case "refused":
                raise self._given_up()
            case "rate" | "quota" | "auth":
                return  # it rests: `next` knows
            case "overloaded" | "network" | "timeout":
                await self._again_or_another(way, failure)
            case _:
                self._drop(way.reference)

    async def _again_or_another(self, way: Way, failure: Failure) -> None:
        other = any(each.reference != way.reference and not self._health.out(each) for each in self._left)
        tries = 1 if other and failure.kind == "network" else 0 if other else self._patience.retries
        if self._tries[way] > tries:
            self._drop(way.reference)
            return
        pause = 2.0 ** (self._tries[way] - 1) if failure.retry_after is None else failure.retry_after
        if pause > self._patience.longest_wait:
            self._drop(way.reference)
            return
        self._same = way
        await self._patience.sleep(pause)

    def _drop(self, reference: str) -> None:
        self._left = [way for way in self._left if way.reference != reference]

    def _given_up(self) -> ThinkingError:
        """The failure that is over first; of those nobody knows an end of, the last."""
        back, failure = min(reversed(self._met), key=lambda met: met[0])
        return ThinkingError(failure.kind, failure.message, retry_after=None if back == math.inf else back)


def _log(way: Way, failure: Failure, attempt: int, error: Exception) -> None:
    said = "" if failure.kind == "auth" else str(error)[:500]  # some servers repeat the key they refuse
    log.warning(
        "model call failed", kind=failure.kind, model=way.reference, key=way.key + 1, attempt=attempt, error=said
    )
