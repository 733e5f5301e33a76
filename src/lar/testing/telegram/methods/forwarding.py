"""Forwarding and copying messages."""

from lar.testing.telegram.methods.call import Call, Handler
from lar.testing.telegram.methods.content import caption_content
from lar.testing.telegram.wire import Json, bad

_NOT_CONTENT = {
    "message_id",
    "from",
    "chat",
    "date",
    "edit_date",
    "reply_to_message",
    "reply_markup",
    "media_group_id",
    "message_thread_id",
    "is_topic_message",
}


def _again(call: Call, message_id: int, *, keep_author: bool) -> Json:
    message = call.target("from_chat_id").messages.get(message_id)
    if message is None:
        raise bad(f"message to {'forward' if keep_author else 'copy'} not found")
    content = {key: value for key, value in message.items() if key not in _NOT_CONTENT and not key.startswith("_")}
    if keep_author:
        content["forward_origin"] = {"type": "user", "date": message["date"], "sender_user": message["from"]}
    else:
        content.update(caption_content(call.params))
    return call.post(content)


def _many(call: Call, *, keep_author: bool) -> list[Json]:
    ids: list[int] = call.params.parsed("message_ids") or []
    return [{"message_id": _again(call, number, keep_author=keep_author)["message_id"]} for number in ids]


def forward_message(call: Call) -> Json:
    """One message, with its author's name."""
    return _again(call, call.params.number("message_id"), keep_author=True)


def forward_messages(call: Call) -> list[Json]:
    """Several."""
    return _many(call, keep_author=True)


def copy_message(call: Call) -> Json:
    """One message as if it were the bot's own; only its id is returned."""
    return {"message_id": _again(call, call.params.number("message_id"), keep_author=False)["message_id"]}


def copy_messages(call: Call) -> list[Json]:
    """Several."""
    return _many(call, keep_author=False)


METHODS: dict[str, Handler] = {
    "forwardmessage": forward_message,
    "forwardmessages": forward_messages,
    "copymessage": copy_message,
    "copymessages": copy_messages,
}
