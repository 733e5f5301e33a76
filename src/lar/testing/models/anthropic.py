"""Anthropic Messages: reading requests, writing answers."""

import base64
from collections.abc import Iterator
from typing import Any

from lar.testing.models import failures
from lar.testing.models.ask import Ask, Message, PastCall, PastResult
from lar.testing.models.content import add_content, forced_tool, plain, tool_schemas, tool_table
from lar.testing.models.dialect import Dialect
from lar.testing.models.reply import Reply
from lar.testing.models.wire import Chunk, Wire, obj, objs, parsed_arguments, pieces, sse, string

_SIGNATURE = base64.b64encode(b"sim-signature").decode()
_EMPTY: dict[str, Wire] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def parse(body: Wire) -> Ask:
    """A request to /messages."""
    ask = Ask("anthropic", body, string(body.get("model")) or "sim-1", bool(body.get("stream")))
    ask.system = plain(body.get("system"))
    ask.tools = tool_table(body.get("tools"))
    ask.schemas = tool_schemas(body.get("tools"))
    ask.forced = forced_tool(body.get("tool_choice"))
    wanted = obj(obj(body.get("output_config")).get("format"))
    ask.output_schema = obj(wanted.get("schema")) if wanted else None
    names: dict[str, str] = {}
    ask.messages = [_message(given, names) for given in objs(body.get("messages"))]
    return ask


def _message(given: Wire, names: dict[str, str]) -> Message:
    message = Message(string(given.get("role")) or "user")
    add_content(message, given.get("content"))
    for block in objs(given.get("content")):
        if block.get("type") == "tool_use":
            call_id, name = string(block.get("id")), string(block.get("name"))
            names[call_id] = name
            message.calls.append(PastCall(call_id, name))
        elif block.get("type") == "tool_result":
            call_id = string(block.get("tool_use_id"))
            message.results.append(PastResult(call_id, names.get(call_id, "?"), plain(block.get("content"))))
    if message.results:  # text next to tool results is the gateway's own note, not a new user turn
        message.role = "tool"
    return message


def _blocks(reply: Reply) -> list[Wire]:
    blocks: list[Wire] = []
    if reply.thinking:
        blocks.append({"type": "thinking", "thinking": reply.thinking, "signature": _SIGNATURE})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    for call in reply.calls:
        ident, arguments = f"toolu_{call.call_id.removeprefix('call_')}", parsed_arguments(call.arguments)
        blocks.append({"type": "tool_use", "id": ident, "name": call.name, "input": arguments})
    return blocks


def _whole(ask: Ask, reply: Reply, rid: str) -> Wire:
    stop = "max_tokens" if reply.finish == "length" else "tool_use" if reply.calls else "end_turn"
    usage = {
        "input_tokens": ask.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": reply.tokens,
        "service_tier": "standard",
    }
    return {
        "id": f"msg_{rid}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": _blocks(reply),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _event(kind: str, characters: int = 0, **data: Any) -> Chunk:
    return sse({"type": kind, **data}, kind), characters


def _stream(ask: Ask, reply: Reply, rid: str, size: int) -> Iterator[Chunk]:
    whole = _whole(ask, reply, rid)
    begun: Wire = {"content": [], "stop_reason": None, "usage": {**obj(whole["usage"]), "output_tokens": 1}}
    yield _event("message_start", message={**whole, **begun})
    yield _event("ping")
    arguments = iter([call.arguments for call in reply.calls])
    for at, block in enumerate(_blocks(reply)):
        kind = string(block["type"])
        yield _event("content_block_start", index=at, content_block={**block, **_EMPTY[kind]})
        delta, field = {"tool_use": ("input_json_delta", "partial_json")}.get(kind, (f"{kind}_delta", kind))
        for piece in pieces(next(arguments) if kind == "tool_use" else string(block[kind]), size):
            yield _event("content_block_delta", len(piece), index=at, delta={"type": delta, field: piece})
        if kind == "thinking":
            signature = {"type": "signature_delta", "signature": _SIGNATURE}
            yield _event("content_block_delta", index=at, delta=signature)
        yield _event("content_block_stop", index=at)
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=end, usage={"output_tokens": reply.tokens})
    yield _event("message_stop")


DIALECT = Dialect("anthropic", _whole, _stream, failures.anthropic)
