"""A runtime that thinks what a test wrote down."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from lar.runtimes.contract import Finished, RuntimeEvent, TurnRequest

Act = Callable[[TurnRequest], Awaitable[RuntimeEvent | None]]
"""Something done in the middle of thinking; an event it returns is yielded."""

Move = RuntimeEvent | BaseException | asyncio.Event | Act
"""An event is yielded, an exception raised, an `asyncio.Event` waited for, an act awaited."""


class ScriptedRuntime:
    """A `Runtime`. Each turn takes the next script; without one it answers "echo: " and the prompt.

    `requests` keeps what was asked, `log` who began and ended ("begin prompt", "end prompt", "cancelled prompt"),
    `most` how many turns ran at the same time.
    """

    def __init__(self) -> None:
        self._scripts: list[tuple[Move, ...]] = []
        self.requests: list[TurnRequest] = []
        self.log: list[str] = []
        self.running = 0
        self.most = 0

    def then(self, *moves: Move) -> None:
        """What happens in the next turn that has no script yet."""
        self._scripts.append(moves)

    @property
    def prompts(self) -> list[str]:
        """What was asked, oldest first."""
        return [request.prompt for request in self.requests]

    async def run(self, request: TurnRequest) -> AsyncGenerator[RuntimeEvent, None]:
        """Go through the script."""
        self.requests.append(request)
        self.log.append(f"begin {request.prompt}")
        self.running += 1
        self.most = max(self.most, self.running)
        moves = self._scripts.pop(0) if self._scripts else (Finished(f"echo: {request.prompt}"),)
        try:
            for move in moves:
                event = await _make(move, request)
                if event is not None:
                    yield event
        except asyncio.CancelledError:
            self.log.append(f"cancelled {request.prompt}")
            raise
        finally:
            self.running -= 1
        self.log.append(f"end {request.prompt}")


async def _make(move: Move, request: TurnRequest) -> RuntimeEvent | None:
    if isinstance(move, BaseException):
        raise move
    if isinstance(move, asyncio.Event):
        await move.wait()
        return None
    if callable(move):
        return await move(request)
    return move
