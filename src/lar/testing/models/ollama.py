"""Ollama's chat and generate: reading requests, writing answers."""

import json
import time
from collections.abc import Iterator

from lar.testing.models import failures
from lar.testing.models.ask import Ask, Medium, Message, PastCall, PastResult
from lar.testing.models.content import decoded_size, tool_schemas, tool_table
from lar.testing.models.dialect import Dialect
from lar.testing.models.reply import Reply
from lar.testing.models.wire import Chunk, Wire, array, obj, objs, parsed_arguments, pieces, string


def parse(body: Wire) -> Ask:
    """A request to /api/chat or /api/generate."""
    ask = Ask("ollama", body, string(body.get("model")) or "sim-1", bool(body.get("stream", True)))
    ask.tools = tool_table(body.get("tools"))
    ask.schemas = tool_schemas(body.get("tools"))
    ask.system = string(body.get("system"))
    ask.output_schema = obj(body["format"]) if body.get("format") else None
    messages = objs(body.get("messages"))
    if "messages" not in body:
        messages = [{"role": "user", "content": body.get("prompt", ""), "images": body.get("images")}]
    unnamed: list[str] = []
    for given in messages:
        if given.get("role") == "system":
            ask.add_system(string(given.get("content")))
        else:
            ask.messages.append(_message(given, unnamed))
    return ask


def _message(given: Wire, unnamed: list[str]) -> Message:
    content = string(given.get("content"))
    message = Message(string(given.get("role")) or "user")
    message.media = [Medium("image", "image/*", decoded_size(string(image))) for image in array(given.get("images"))]
    if message.role == "tool":
        name = string(given.get("tool_name")) or string(given.get("name")) or (unnamed.pop(0) if unnamed else "?")
        message.results.append(PastResult(string(given.get("tool_call_id")), name, content))
    elif content:
        message.parts.append(content)
    for call in objs(given.get("tool_calls")):
        name = string(obj(call.get("function")).get("name"))
        unnamed.append(name)
        message.calls.append(PastCall(string(call.get("id")), name))
    return message


def line(ask: Ask, text: str, *, reply: Reply | None = None, thinking: str = "") -> Wire:
    """One line of an answer; with `reply`, its tool calls are in it."""
    created = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    head: Wire = {"model": ask.model, "created_at": created}
    if "messages" not in ask.body:
        return {**head, "response": text, "done": False}
    message: Wire = {"role": "assistant", "content": text}
    if thinking:
        message["thinking"] = thinking
    if reply and reply.calls:
        functions = [(c.call_id, {"name": c.name, "arguments": parsed_arguments(c.arguments)}) for c in reply.calls]
        message["tool_calls"] = [{"id": call_id, "function": function} for call_id, function in functions]
    return {**head, "message": message, "done": False}


def _done(ask: Ask, reply: Reply) -> Wire:
    return {
        "done": True,
        "done_reason": reply.finish or "stop",
        "total_duration": 1_000_000,
        "load_duration": 1000,
        "prompt_eval_count": ask.prompt_tokens,
        "prompt_eval_duration": 1000,
        "eval_count": reply.tokens,
        "eval_duration": 1000,
    }


def _whole(ask: Ask, reply: Reply, _rid: str) -> Wire:
    return {**line(ask, reply.text, reply=reply, thinking=reply.thinking), **_done(ask, reply)}


def _encoded(given: Wire) -> bytes:
    return (json.dumps(given) + "\n").encode()


def _stream(ask: Ask, reply: Reply, _rid: str, size: int) -> Iterator[Chunk]:
    for piece in pieces(reply.thinking, size):
        yield _encoded(line(ask, "", thinking=piece)), len(piece)
    for piece in pieces(reply.text, size):
        yield _encoded(line(ask, piece)), len(piece)
    if reply.calls:
        yield _encoded(line(ask, "", reply=reply)), 1
    yield _encoded({**line(ask, ""), **_done(ask, reply)}), 0


DIALECT = Dialect("ollama", _whole, _stream, failures.ollama, mime="application/x-ndjson")
