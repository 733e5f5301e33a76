"""OpenAI Chat Completions: reading requests, writing answers."""

import time
from collections.abc import Iterator

from lar.testing.models import failures
from lar.testing.models.ask import Ask, Message, PastCall, PastResult
from lar.testing.models.content import add_content, forced_tool, plain, tool_schemas, tool_table
from lar.testing.models.dialect import Dialect
from lar.testing.models.reply import Call, Reply
from lar.testing.models.wire import Chunk, Wire, obj, objs, parsed_arguments, pieces, sse, string


def parse(body: Wire) -> Ask:
    """A request to /chat/completions."""
    ask = Ask("openai-chat", body, string(body.get("model")) or "sim-1", bool(body.get("stream")))
    ask.tools = tool_table(body.get("tools")) | {string(f.get("name")): "function" for f in objs(body.get("functions"))}
    ask.schemas = tool_schemas(body.get("tools"))
    ask.forced = forced_tool(body.get("tool_choice"))
    ask.output_schema = output_schema(obj(body.get("response_format")))
    names: dict[str, str] = {}
    for given in objs(body.get("messages")):
        if given.get("role") in ("system", "developer"):
            ask.add_system(plain(given.get("content")))
        else:
            ask.messages.append(_message(given, names))
    return ask


def output_schema(wanted: Wire) -> Wire | None:
    """The shape that a `response_format` (or Responses' `text.format`) demands, None where text will do."""
    if wanted.get("type") not in ("json_object", "json_schema"):
        return None
    return obj(wanted.get("schema") or obj(wanted.get("json_schema")).get("schema"))


def _message(given: Wire, names: dict[str, str]) -> Message:
    message = Message(string(given.get("role")))
    if message.role in ("tool", "function"):
        call_id = string(given.get("tool_call_id"))
        name = names.get(call_id, string(given.get("name")) or "?")
        message.results.append(PastResult(call_id, name, plain(given.get("content"))))
        return message
    add_content(message, given.get("content"))
    for call in objs(given.get("tool_calls")):
        call_id, name = string(call.get("id")), string(obj(call.get("function") or call.get("custom")).get("name"))
        names[call_id] = name
        message.calls.append(PastCall(call_id, name))
    return message


def _usage(ask: Ask, reply: Reply) -> Wire:
    return {
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": reply.tokens,
        "total_tokens": ask.prompt_tokens + reply.tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": len(reply.thinking) // 4,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _call(call: Call) -> Wire:
    if call.custom:
        custom_input = parsed_arguments(call.arguments).get("input", call.arguments)
        return {"id": call.call_id, "type": "custom", "custom": {"name": call.name, "input": custom_input}}
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function}


def _finish(reply: Reply) -> str:
    return reply.finish or ("tool_calls" if reply.calls else "stop")


def _whole(ask: Ask, reply: Reply, rid: str) -> Wire:
    message: Wire = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
    if reply.thinking:
        message["reasoning_content"] = reply.thinking
    if reply.calls:
        message["tool_calls"] = [_call(call) for call in reply.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
    return {
        **_envelope(ask, rid, "chat.completion"),
        "choices": [choice],
        "usage": _usage(ask, reply),
    }


def _envelope(ask: Ask, rid: str, kind: str) -> Wire:
    return {
        "id": f"chatcmpl-{rid}",
        "object": kind,
        "created": int(time.time()),
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_sim",
        "provider": "Sim",  # OpenRouter says who answered; others do not mind
    }


def _stream(ask: Ask, reply: Reply, rid: str, size: int) -> Iterator[Chunk]:
    base = _envelope(ask, rid, "chat.completion.chunk")
    usage = bool(obj(ask.body.get("stream_options")).get("include_usage"))

    def chunk(delta: Wire, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse({**base, "choices": [choice], **({"usage": None} if usage else {})})

    yield chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None}), 0
    for piece in pieces(reply.thinking, size):
        yield chunk({"reasoning_content": piece}), len(piece)
    for piece in pieces(reply.text, size):
        yield chunk({"content": piece}), len(piece)
    for at, call in enumerate(reply.calls):
        for delta, characters in _call_deltas(call, at, size):
            yield chunk({"tool_calls": [delta]}), characters
    yield chunk({}, _finish(reply)), 0
    if usage:
        yield sse({**base, "choices": [], "usage": _usage(ask, reply)}), 0
    yield sse("[DONE]"), 0


def _call_deltas(call: Call, at: int, size: int) -> Iterator[tuple[Wire, int]]:
    whole = _call(call)
    kind, argument = ("custom", "input") if call.custom else ("function", "arguments")
    yield {"index": at, **whole, kind: {"name": call.name, argument: ""}}, 0
    for piece in pieces(string(obj(whole[kind])[argument]), size):
        yield {"index": at, kind: {argument: piece}}, len(piece)


DIALECT = Dialect("openai-chat", _whole, _stream, failures.openai)
