"""One turn of the model loop, resumable at every step. Imports pydantic-ai.

model:1 → tool:1.1 → tool:1.2 → model:2 → ... → the answer. What is done is in the journal and is read from there.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from lar.domain.artifact import Artifact
from lar.domain.message import Author
from lar.domain.turn import Usage
from lar.domain.values import JsonObject
from lar.errors import LimitReached
from lar.providers.failover import Failover
from lar.providers.models import Models
from lar.runtimes.contract import (
    Finished,
    ModelCalled,
    TextReset,
    ToolEnded,
    ToolStarted,
    TurnRequest,
    read_said,
)
from lar.runtimes.loop.asking import Asking, Emit
from lar.runtimes.loop.record import Answer, Transcript, read_answer
from lar.runtimes.loop.settings import LoopSettings, Sleep
from lar.runtimes.loop.shortening import Shortening, leave_out
from lar.tools.contract import ToolCall, ToolOutcome, ToolStatus


class Thinking:
    """The loop of one turn."""

    def __init__(self, request: TurnRequest, models: Models, settings: LoopSettings, sleep: Sleep, emit: Emit) -> None:
        self._request = request
        self._emit = emit
        self._tools = {tool.name: tool for tool in request.toolbox.tools}
        self._transcript = Transcript()
        self._settings = settings
        model = request.model if models.knows(request.model) else settings.model
        chain = (model, settings.model, *settings.fallbacks)
        self._asking = Asking(
            Failover(models, chain, settings.parameters, settings.patience(sleep), request.payer),
            model,
            request.system,
            request.toolbox.tools,
            Shortening(settings.shorten or leave_out, len(request.history)),
            emit,
            models.takes,
        )
        self._usage = Usage()

    async def run(self) -> None:
        """Think until there is an answer; the last event emitted is `Finished`.

        Raises:
            ThinkingError: it cannot go on.

        """
        await self._open()
        number = 0
        while True:
            number += 1
            self._check_limits()
            await self._listen(number)
            answer = await self._ask(number)
            if not answer.response.tool_calls:
                self._emit(Finished(answer.response.text or ""))
                return
            if answer.response.text:
                self._emit(TextReset())
            if await self._act(number, answer.response.tool_calls):
                self._emit(Finished("", silent=True))
                return

    async def _open(self) -> None:
        """Begin with what was said before, and what is said now."""
        for exchange in self._request.history:
            said: ModelMessage = (
                ModelRequest([UserPromptPart(exchange.text)])
                if exchange.author is Author.USER
                else ModelResponse([TextPart(exchange.text)])
            )
            self._transcript.add(said, exchange.author, exchange.text)
        await self._say(self._request.prompt, self._request.media)

    async def _say(self, text: str, media: Sequence[Artifact]) -> None:
        """Add what a person says and shows."""
        content = [BinaryContent(data, media_type=each.mime) for each in media if (data := await self._bytes(each))]
        said = [text, *(each.path for each in media)] if media else text
        self._transcript.add(ModelRequest([UserPromptPart([text, *content] if content else text)]), "user", said)

    async def _bytes(self, artifact: Artifact) -> bytes:
        """A file's content; nothing where it is gone."""
        return await asyncio.to_thread(_read, self._settings.files / artifact.path)

    def _check_limits(self) -> None:
        """Whether one more model call is within the limits of the turn."""
        limits, used = self._request.limits, self._usage
        if used.model_calls >= limits.model_calls:
            raise LimitReached("model_calls", f"the turn reached its limit of {limits.model_calls} model calls")
        if limits.usd is not None and used.usd is not None and used.usd >= limits.usd:
            raise LimitReached("usd", f"the turn reached its limit of ${limits.usd:g}")

    async def _listen(self, number: int) -> None:
        """Let in what was said since."""
        steering = self._request.steering
        if steering is None:
            return

        async def act() -> JsonObject:
            return {"messages": [said.plain() for said in await steering.arrived()]}

        heard = await self._request.journal.step(f"steer:{number}", "steer", {}, act, repeatable=True)
        messages = [read_said(plain) for plain in heard["messages"]]
        steering.taken([said.id for said in messages])
        for said in messages:
            self._request.toolbox.saw(said.sources)
            await self._say(said.text, said.media)

    async def _ask(self, number: int) -> Answer:
        output = await self._request.journal.step(
            f"model:{number}",
            "model",
            self._asking.record(self._transcript),
            lambda: self._asking.ask(self._transcript.messages),
            repeatable=True,
        )
        answer = read_answer(output)
        self._usage += answer.usage
        self._transcript.add(answer.response, "assistant", output["response"])
        self._emit(ModelCalled(answer.usage, answer.response.model_name or ""))
        return answer

    async def _act(self, number: int, calls: list[ToolCallPart]) -> bool:
        """Run these calls one after the other. True: one of them asks for silence."""
        silent = False
        results: list[ToolReturnPart] = []
        said: list[object] = []
        for position, wanted in enumerate(calls, 1):
            if self._usage.tool_calls >= self._request.limits.tool_calls:
                raise LimitReached("tool_calls", f"the turn reached its limit of {self._usage.tool_calls} tool calls")
            self._usage += Usage(tool_calls=1)
            call = ToolCall(f"{number}.{position}", wanted.tool_name, wanted.args or {})
            self._emit(ToolStarted(call.name, call.key))
            outcome = await self._request.toolbox.execute(call)
            self._emit(ToolEnded(call.name, call.key, outcome.status, outcome.outgoing))
            content = await self._content(outcome)
            results.append(ToolReturnPart(wanted.tool_name, content, wanted.tool_call_id))
            seen = [artifact.path for artifact in outcome.shown]
            said.append([outcome.text, *seen] if seen else outcome.text)
            tool = self._tools.get(wanted.tool_name)
            silent |= tool is not None and tool.silences and outcome.status is ToolStatus.OK
        self._transcript.add(ModelRequest(results), "tool", said)
        return silent

    async def _content(self, outcome: ToolOutcome) -> "str | list[str | BinaryContent]":
        """What the model gets of an outcome: its text, and the images it is shown."""
        images = [
            BinaryContent(data, media_type=artifact.mime)
            for artifact in outcome.shown
            if artifact.mime.startswith("image/")
            and artifact.size <= self._settings.max_image
            and (data := await self._bytes(artifact))
        ]
        return [outcome.text, *images] if images else outcome.text


def _read(path: Path) -> bytes:
    """The file; nothing where it is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
