"""What the real providers refuse with 400: dangling tool calls or results, bad tool names, empty requests."""

import re

from lar.testing.models.ask import Ask
from lar.testing.models.wire import obj, objs

_CHAT, _RESPONSES, _ANTHROPIC = "openai-chat", "openai-responses", "anthropic"
_MOST_TOOLS = 128
_NAME_LENGTH = {_CHAT: 64, _RESPONSES: 64, _ANTHROPIC: 128}

_UNEXPECTED_RESULT = {
    _CHAT: "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    _RESPONSES: "No tool call found for function call output with call_id {call_id}.",
    _ANTHROPIC: (
        "messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. Each "
        "`tool_result` block must have a corresponding `tool_use` block in the previous message."
    ),
}
_MISSING_RESULT = {
    _CHAT: (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        "The following tool_call_ids did not have response messages: {ids}"
    ),
    _RESPONSES: "No tool output found for function call {ids}.",
    _ANTHROPIC: (
        "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each "
        "`tool_use` block must have a corresponding `tool_result` block in the next message."
    ),
}


def protocol_error(ask: Ask) -> str:
    """The provider's complaint about this request, "" where it would take it."""
    return _empty(ask) or _tools(ask) or (_anthropic(ask) if ask.dialect == _ANTHROPIC else "") or _pairs(ask)


def _empty(ask: Ask) -> str:
    if ask.messages or (ask.dialect == _RESPONSES and ask.system):
        return ""
    if ask.dialect == _ANTHROPIC:
        return "messages: at least one message is required"
    return "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."


def _tools(ask: Ask) -> str:
    longest = _NAME_LENGTH.get(ask.dialect)
    for name, kind in ask.tools.items():
        if kind != "hosted" and longest and not re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{longest}}}", name):
            return f"Invalid tool name {name!r}: string does not match pattern '^[a-zA-Z0-9_-]+$'."
    if ask.dialect in (_CHAT, _RESPONSES) and len(ask.tools) > _MOST_TOOLS:
        most = f"Expected an array with maximum length {_MOST_TOOLS}, but got {len(ask.tools)} instead."
        return f"Invalid 'tools': array too long. {most}"
    return ""


def _anthropic(ask: Ask) -> str:
    if not isinstance(ask.body.get("max_tokens"), int):
        return "max_tokens: Field required"
    messages = objs(ask.body.get("messages"))
    if messages[0].get("role") != "user":
        return 'messages: first message must use the "user" role'
    for at, message in enumerate(messages):
        content = message.get("content")
        if any(obj(block).get("type") == "text" and not block.get("text") for block in objs(content)):
            return f"messages.{at}: text content blocks must be non-empty"
        if not content and at < len(messages) - 1:
            rule = "all messages must have non-empty content except for the optional final assistant message"
            return f"messages.{at}: {rule}"
    return ""


def _pairs(ask: Ask) -> str:
    """Every tool call has its result right after it, and every result its call."""
    if ask.dialect not in _UNEXPECTED_RESULT:
        return ""
    unanswered: dict[str, int] = {}
    for at, message in enumerate(ask.messages):
        for result in message.results:
            if unanswered.pop(result.call_id, None) is None:
                return _UNEXPECTED_RESULT[ask.dialect].format(at=at, call_id=result.call_id)
        if unanswered and not message.results and ask.dialect != _RESPONSES:
            break
        unanswered.update({call.call_id: at for call in message.calls})
    if unanswered:
        return _MISSING_RESULT[ask.dialect].format(at=max(unanswered.values()), ids=", ".join(unanswered))
    return ""
