"""While every model is away, what can be done without one is done without one."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import structlog

from lar.domain.values import JsonObject
from lar.errors import ThinkingError
from lar.runtimes.contract import Finished, Runtime, RuntimeEvent, ToolStarted, TurnRequest

log = structlog.get_logger(__name__)

AWAY = frozenset({"quota", "rate", "auth", "overloaded", "network", "timeout", "budget"})
"""Kinds of failure that mean: no model is to be had now, and one is later."""

_STEP = "away"
_MOST_TOLD = 10_000


class StandIn(Protocol):
    """What thinks without a model."""

    def understands(self, prompt: str, /) -> bool:
        """Whether it can do what is asked."""
        ...

    def run(self, request: TurnRequest, *, away: bool = False) -> AsyncGenerator[RuntimeEvent, None]:
        """Do it; see `Runtime`. `away`: say first that the models are away."""
        ...


class StandingIn:
    """A runtime with a model, and what stands in for it. A `Runtime`.

    That the models are away is said once in each conversation, until one answers there again. Once a tool has run in a
    turn nobody stands in: the turn ends with an explanation.
    """

    def __init__(self, runtime: Runtime, stand_in: StandIn) -> None:
        self._runtime = runtime
        self._stand_in = stand_in
        self._told: dict[int, None] = {}

    async def run(self, request: TurnRequest) -> AsyncGenerator[RuntimeEvent, None]:
        """Think with a model, or without one where that must and can be.

        Raises:
            ThinkingError: it cannot go on.

        """
        if request.journal.output(_STEP) is None:
            acted = False
            try:
                async with aclosing(self._runtime.run(request)) as events:
                    async for event in events:
                        acted = acted or isinstance(event, ToolStarted)
                        if isinstance(event, Finished):
                            self._told.pop(request.payer.conversation_id, None)
                        yield event
            except ThinkingError as error:
                if acted or error.kind not in AWAY or not self._stand_in.understands(request.prompt):
                    raise
                log.info("no model answers; done without one", kind=error.kind)
            else:
                return
        decided = await request.journal.step(_STEP, "away", {}, lambda: self._decide(request), repeatable=True)
        async with aclosing(self._stand_in.run(request, away=bool(decided["say"]))) as events:
            async for event in events:
                yield event

    async def _decide(self, request: TurnRequest) -> JsonObject:
        """Whether it is to be said that the models are away."""
        here = request.payer.conversation_id
        say = here not in self._told
        self._told[here] = None
        if len(self._told) > _MOST_TOLD:
            self._told.pop(next(iter(self._told)))
        return {"say": say}
