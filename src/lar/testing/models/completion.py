"""Answering one model request: keys, strictness, the brain, then the answer whole or streamed at the set speed."""

import asyncio
import time

from aiohttp import web

from lar.testing.models import anthropic, gemini, ollama, openai_chat, openai_responses
from lar.testing.models.ask import Ask
from lar.testing.models.brain import Brain
from lar.testing.models.dialect import Dialect
from lar.testing.models.exchange import BROKEN, Exchange
from lar.testing.models.reply import Reply
from lar.testing.models.strictness import protocol_error
from lar.testing.models.wire import Chunk, Wire

_DIALECTS: dict[str, Dialect] = {
    module.DIALECT.name: module.DIALECT for module in (openai_chat, openai_responses, anthropic, gemini, ollama)
}
_SMALL, _LARGE = 4, 24  # characters to a streamed piece, with and without a set speed


class Completions:
    """The part of the simulator that thinks. `stored` keeps what the Responses API remembers: id → items so far."""

    def __init__(self, options: Wire) -> None:
        self.options = options
        self.brain = Brain()
        self.stored: dict[str, list[Wire]] = {}

    def key_error(self, key: str) -> str:
        """The status word that this API key draws, "" where it is good."""
        for suffix, status in self.options["fail_keys"].items():
            if key.endswith(suffix):
                return str(status)
        valid = self.options["valid_keys"]
        return "401" if valid and not any(key.endswith(suffix) for suffix in valid) else ""

    async def answer(self, exchange: Exchange, ask: Ask) -> web.StreamResponse:
        """Answer one request in its own dialect."""
        dialect = _DIALECTS[ask.dialect]
        ask.key, ask.not_user = exchange.key, self.options["not_user"]
        _note_ask(exchange.entry, ask)
        refused = self.key_error(exchange.key)
        problem = protocol_error(ask) if self.options["strict"] else ""
        if refused or problem:
            return exchange.refuse(dialect.refuse(refused or "400", "" if refused else problem))
        reply = self.brain.think(ask)
        exchange.entry["tokens"] = {"input": ask.prompt_tokens, "output": reply.tokens}
        _note_reply(exchange.entry, reply)
        await asyncio.sleep(reply.sleep)
        if reply.status:
            return exchange.refuse(dialect.refuse(reply.status, reply.message))
        if self.options["ttft"]:
            await asyncio.sleep(float(self.options["ttft"]))
        if ask.dialect == "openai-responses" and ask.body.get("store", True):
            said = openai_responses.output_items(reply, exchange.rid)
            self.stored[f"resp_{exchange.rid}"] = openai_responses.input_items(ask.body) + said
        if ask.stream:
            return await self._streamed(exchange, ask, reply, dialect)
        return await self._whole(exchange, ask, reply, dialect)

    async def _whole(self, exchange: Exchange, ask: Ask, reply: Reply, dialect: Dialect) -> web.StreamResponse:
        if self.options["tps"]:
            await asyncio.sleep(reply.tokens / float(self.options["tps"]))
        if reply.stream_break:
            exchange.done(BROKEN)
            _hang_up(exchange.request)
            return web.Response()
        return exchange.json(dialect.whole(ask, reply, exchange.rid), headers={"x-request-id": f"req_{exchange.rid}"})

    async def _streamed(self, exchange: Exchange, ask: Ask, reply: Reply, dialect: Dialect) -> web.StreamResponse:
        chunks = list(dialect.stream(ask, reply, exchange.rid, _SMALL if self.options["tps"] else _LARGE))
        mime = "application/json" if ask.body.get(gemini.NOT_SSE) else dialect.mime
        response = web.StreamResponse(
            headers={
                "Content-Type": f"{mime}; charset=utf-8",
                "Cache-Control": "no-cache",
                "x-request-id": f"req_{exchange.rid}",
            }
        )
        await response.prepare(exchange.request)
        if reply.stream_break:
            await self._write(exchange, response, chunks[: len(chunks) // 2])
            exchange.done(BROKEN)
            await asyncio.sleep(0.05)  # so that the first half is on the wire
            _hang_up(exchange.request)
            return response
        await self._write(exchange, response, chunks[:-1])
        exchange.done(200)
        await response.write(chunks[-1][0])
        await response.write_eof()
        return response

    async def _write(self, exchange: Exchange, response: web.StreamResponse, chunks: list[Chunk]) -> None:
        tps = float(self.options["tps"])
        for data, characters in chunks:
            if characters:
                exchange.entry["t_first"] = exchange.entry["t_first"] or time.time()
                if tps:
                    await asyncio.sleep(characters / 4 / tps)
            await response.write(data)


def _hang_up(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


def _note_ask(entry: Wire, ask: Ask) -> None:
    entry.update(
        dialect=ask.dialect,
        model=ask.model,
        stream=ask.stream,
        user_text=ask.user.text,
        messages=len(ask.messages),
        roles=[message.role for message in ask.messages],
        tools=len(ask.tools),
        system_chars=len(ask.system),
    )


def _note_reply(entry: Wire, reply: Reply) -> None:
    calls = [[call.name, call.arguments[:2000]] for call in reply.calls]
    entry["reply"] = {"text": reply.text[:2000], "calls": calls}
    if reply.status:
        entry["reply"]["status"] = reply.status
