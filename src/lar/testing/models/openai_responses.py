"""OpenAI Responses: reading requests, writing answers."""

import base64
import itertools
import time
from collections.abc import Iterator
from typing import Any

from lar.testing.models import failures
from lar.testing.models.ask import Ask, Message, PastCall, PastResult
from lar.testing.models.content import add_content, forced_tool, plain, tool_schemas, tool_table
from lar.testing.models.dialect import Dialect
from lar.testing.models.openai_chat import output_schema
from lar.testing.models.reply import Reply
from lar.testing.models.wire import Chunk, Wire, obj, objs, parsed_arguments, pieces, sse, string


def input_items(body: Wire) -> list[Wire]:
    """The request's input as items; a bare string is one user message."""
    given = body.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else objs(given)


def parse(body: Wire) -> Ask:
    """A request to /responses."""
    ask = Ask("openai-responses", body, string(body.get("model")) or "sim-1", bool(body.get("stream")))
    ask.system = string(body.get("instructions"))
    ask.tools = tool_table(body.get("tools"))
    ask.schemas = tool_schemas(body.get("tools"))
    ask.forced = forced_tool(body.get("tool_choice"))
    ask.output_schema = output_schema(obj(obj(body.get("text")).get("format")))
    names: dict[str, str] = {}
    for item in input_items(body):
        _read(ask, item, names)
    return ask


def _read(ask: Ask, item: Wire, names: dict[str, str]) -> None:
    kind, call_id, name = item.get("type", "message"), string(item.get("call_id")), string(item.get("name"))
    if kind == "message" and item.get("role") in ("system", "developer"):
        ask.add_system(plain(item.get("content")))
    elif kind == "message":
        message = Message(string(item.get("role")) or "user")
        add_content(message, item.get("content"))
        ask.messages.append(message)
    elif kind in ("function_call", "custom_tool_call"):
        names[call_id] = name
        ask.messages.append(Message("assistant", calls=[PastCall(call_id, name)]))
    elif kind in ("function_call_output", "custom_tool_call_output"):
        result = PastResult(call_id, names.get(call_id, "?"), plain(item.get("output")))
        ask.messages.append(Message("tool", results=[result]))


def output_items(reply: Reply, rid: str) -> list[Wire]:
    """The items of the answer: reasoning, message, tool calls."""
    items: list[Wire] = []
    if reply.thinking:
        hidden = base64.b64encode(reply.thinking.encode()).decode()
        summary = [{"type": "summary_text", "text": reply.thinking}]
        items.append({"id": f"rs_{rid}", "type": "reasoning", "summary": summary, "encrypted_content": hidden})
    if reply.text:
        content: list[Wire] = [{"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text}]
        said = {"status": "completed", "role": "assistant", "content": content}
        items.append({"id": f"msg_{rid}", "type": "message", **said})
    for at, call in enumerate(reply.calls):
        head = {"status": "completed", "call_id": call.call_id, "name": call.name}
        if call.custom:
            custom_input = parsed_arguments(call.arguments).get("input", call.arguments)
            items.append({"id": f"ctc_{rid}{at}", "type": "custom_tool_call", **head, "input": custom_input})
        else:
            items.append({"id": f"fc_{rid}{at}", "type": "function_call", **head, "arguments": call.arguments})
    return items


def _usage(ask: Ask, reply: Reply) -> Wire:
    return {
        "input_tokens": ask.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.tokens,
        "output_tokens_details": {"reasoning_tokens": len(reply.thinking) // 4},
        "total_tokens": ask.prompt_tokens + reply.tokens,
    }


def _response(ask: Ask, reply: Reply, rid: str, status: str) -> Wire:
    body, done = ask.body, status != "in_progress"
    return {
        "id": f"resp_{rid}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": ask.model,
        "output": output_items(reply, rid) if done else [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
        "metadata": body.get("metadata") or {},
        "usage": _usage(ask, reply) if done else None,
    }


def _whole(ask: Ask, reply: Reply, rid: str) -> Wire:
    return _response(ask, reply, rid, "incomplete" if reply.finish == "length" else "completed")


class _Events:
    """Numbers and encodes the events of one stream."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._number = itertools.count()

    def one(self, kind: str, **data: Any) -> Chunk:
        return self._event(kind, 0, data)

    def deltas(self, kind: str, text: str, **data: Any) -> Iterator[Chunk]:
        for piece in pieces(text, self.size):
            yield self._event(kind, len(piece), {**data, "delta": piece})

    def _event(self, kind: str, characters: int, data: Wire) -> Chunk:
        return sse({"type": kind, "sequence_number": next(self._number), **data}, kind), characters


def _stream(ask: Ask, reply: Reply, rid: str, size: int) -> Iterator[Chunk]:
    events = _Events(size)
    started = _response(ask, reply, rid, "in_progress")
    yield events.one("response.created", response=started)
    yield events.one("response.in_progress", response=started)
    for at, item in enumerate(output_items(reply, rid)):
        place = {"item_id": item["id"], "output_index": at}
        if item["type"] == "reasoning":
            yield events.one("response.output_item.added", output_index=at, item={**item, "summary": []})
            yield from _reasoning(events, place, reply.thinking)
        elif item["type"] == "message":
            begun: Wire = {**item, "status": "in_progress", "content": []}
            yield events.one("response.output_item.added", output_index=at, item=begun)
            yield from _message(events, place, reply.text)
        else:
            yield from _tool_call(events, place, item)
        yield events.one("response.output_item.done", output_index=at, item=item)
    final = _whole(ask, reply, rid)
    yield events.one(f"response.{final['status']}", response=final)


def _reasoning(events: _Events, place: Wire, text: str) -> Iterator[Chunk]:
    name, place = "response.reasoning_summary", {**place, "summary_index": 0}
    yield events.one(f"{name}_part.added", **place, part={"type": "summary_text", "text": ""})
    yield from events.deltas(f"{name}_text.delta", text, **place)
    yield events.one(f"{name}_text.done", **place, text=text)
    yield events.one(f"{name}_part.done", **place, part={"type": "summary_text", "text": text})


def _message(events: _Events, place: Wire, text: str) -> Iterator[Chunk]:
    place = {**place, "content_index": 0}
    part: Wire = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    yield events.one("response.content_part.added", **place, part=part)
    yield from events.deltas("response.output_text.delta", text, **place, logprobs=[])
    yield events.one("response.output_text.done", **place, text=text, logprobs=[])
    yield events.one("response.content_part.done", **place, part={**part, "text": text})


def _tool_call(events: _Events, place: Wire, item: Wire) -> Iterator[Chunk]:
    custom = item["type"] == "custom_tool_call"
    argument = "input" if custom else "arguments"
    name = "response.custom_tool_call_input" if custom else "response.function_call_arguments"
    begun = {**item, "status": "in_progress", argument: ""}
    yield events.one("response.output_item.added", output_index=place["output_index"], item=begun)
    yield from events.deltas(f"{name}.delta", string(item[argument]), **place)
    yield events.one(
        f"{name}.done", **place, **{argument: item[argument]}, **({} if custom else {"name": item["name"]})
    )


DIALECT = Dialect("openai-responses", _whole, _stream, failures.openai)
