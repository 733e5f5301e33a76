"""Gemini's generateContent: reading requests, writing answers."""

import base64
import json
from collections.abc import Iterator

from lar.testing.models import failures
from lar.testing.models.ask import Ask, Medium, Message, PastCall, PastResult
from lar.testing.models.content import decoded_size, plain, tool_schemas
from lar.testing.models.dialect import Dialect
from lar.testing.models.reply import Reply
from lar.testing.models.wire import Chunk, Wire, array, either, obj, objs, parsed_arguments, pieces, sse, string

NOT_SSE = "_array"
"""Marks, in the body of a streamed request, that the answer is one JSON array instead of events."""

_SIGNATURE = base64.b64encode(b"sim-thought-signature").decode()


def parse(body: Wire, model: str, *, stream: bool) -> Ask:
    """A request to models/MODEL:generateContent or :streamGenerateContent."""
    ask = Ask("gemini", body, model, stream)
    system = either(body, "systemInstruction", "system_instruction")
    texts = [string(part.get("text")) for part in objs(obj(system).get("parts"))]
    ask.system = system if isinstance(system, str) else "\n".join(texts)
    for tool in objs(body.get("tools")):
        declared = either(tool, "functionDeclarations", "function_declarations")
        if declared is None:
            ask.tools.update(dict.fromkeys(tool, "hosted"))
        ask.tools.update({string(function.get("name")): "function" for function in objs(declared)})
        ask.schemas.update(tool_schemas(declared))
    _demands(ask)
    contents = body.get("contents")
    ask.messages = [
        _message(content) for content in ([obj(contents)] if isinstance(contents, dict) else objs(contents))
    ]
    return ask


def _demands(ask: Ask) -> None:
    settings = obj(either(ask.body, "generationConfig", "generation_config"))
    if settings.get("responseMimeType") == "application/json":
        ask.output_schema = obj(settings.get("responseJsonSchema") or settings.get("responseSchema"))
    calling = obj(obj(ask.body.get("toolConfig")).get("functionCallingConfig"))
    if calling.get("mode") == "ANY":
        ask.forced = string((array(calling.get("allowedFunctionNames")) or ["*"])[0])


def _message(content: Wire) -> Message:
    role = string(content.get("role")) or "user"
    message = Message("assistant" if role == "model" else role)
    for part in objs(content.get("parts")):
        _add_part(message, part)
    if message.results:
        message.role = "tool"
    return message


def _add_part(message: Message, part: Wire) -> None:
    call, result = (
        obj(either(part, "functionCall", "function_call")),
        either(part, "functionResponse", "function_response"),
    )
    blob, link = either(part, "inlineData", "inline_data"), either(part, "fileData", "file_data")
    if call:
        message.calls.append(PastCall(string(call.get("id")), string(call.get("name"))))
    elif result:
        message.results.append(_result(obj(result)))
    elif blob:
        mime = string(either(obj(blob), "mimeType", "mime_type"))
        message.media.append(Medium(mime.split("/")[0], mime, decoded_size(string(obj(blob).get("data")))))
    elif link:
        message.media.append(Medium("file", string(either(obj(link), "mimeType", "mime_type")) or "url", 0))
    elif part.get("text") and not part.get("thought"):
        message.parts.append(string(part["text"]))


def _result(given: Wire) -> PastResult:
    response = given.get("response", {})
    shown = either(obj(response), "result", "output", "return_value")
    output = plain(response if shown is None else shown)
    return PastResult(string(given.get("id")), string(given.get("name")) or "?", output)


def _chunk(ask: Ask, reply: Reply, rid: str, parts: list[Wire], finish: str = "") -> Wire:
    content = {"parts": parts, "role": "model"}
    candidate = {"content": content, "index": 0, **({"finishReason": finish} if finish else {})}
    usage = {
        "promptTokenCount": ask.prompt_tokens,
        "candidatesTokenCount": reply.tokens,
        "totalTokenCount": ask.prompt_tokens + reply.tokens,
    }
    return {"candidates": [candidate], "modelVersion": ask.model, "responseId": rid, "usageMetadata": usage}


def _calls(reply: Reply) -> list[Wire]:
    if _finish(reply) == "MALFORMED_FUNCTION_CALL":
        return []
    calls = [{"id": call.call_id, "name": call.name, "args": parsed_arguments(call.arguments)} for call in reply.calls]
    return [{"functionCall": call, "thoughtSignature": _SIGNATURE} for call in calls]


def _finish(reply: Reply) -> str:
    broken = any(
        call.arguments.strip() not in ("{}", "") and not parsed_arguments(call.arguments) for call in reply.calls
    )
    return "MAX_TOKENS" if reply.finish == "length" else "MALFORMED_FUNCTION_CALL" if broken else "STOP"


def _whole(ask: Ask, reply: Reply, rid: str) -> Wire:
    finish = _finish(reply)
    if finish == "MALFORMED_FUNCTION_CALL":
        return _chunk(ask, reply, rid, [], finish)
    parts: list[Wire] = [{"text": reply.thinking, "thought": True}] if reply.thinking else []
    parts += [{"text": reply.text}] if reply.text else []
    return _chunk(ask, reply, rid, parts + _calls(reply), finish)


def _stream(ask: Ask, reply: Reply, rid: str, size: int) -> Iterator[Chunk]:
    as_array = bool(ask.body.get(NOT_SSE))
    for at, (parts, finish, characters) in enumerate(_steps(reply, size)):
        chunk = _chunk(ask, reply, rid, parts, finish)
        framed = ("," if at else "[") + json.dumps(chunk) if as_array else ""
        yield (framed.encode() if as_array else sse(chunk)), characters
    if as_array:
        yield b"]", 0


def _steps(reply: Reply, size: int) -> Iterator[tuple[list[Wire], str, int]]:
    for piece in pieces(reply.thinking, size):
        yield [{"text": piece, "thought": True}], "", len(piece)
    for piece in pieces(reply.text, size):
        yield [{"text": piece}], "", len(piece)
    finish = _finish(reply)
    yield [] if finish == "MALFORMED_FUNCTION_CALL" else _calls(reply) or [{"text": ""}], finish, 0


DIALECT = Dialect("gemini", _whole, _stream, failures.gemini)
