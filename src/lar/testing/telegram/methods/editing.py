"""Changing what is there: edits, deletions, reactions, pins, closed polls, answered buttons."""

from lar.testing.telegram.files import MEDIA
from lar.testing.telegram.methods.call import Call, Handler
from lar.testing.telegram.methods.content import caption_content, rich_content, text_content
from lar.testing.telegram.methods.uploads import input_file
from lar.testing.telegram.wire import Json, Params, bad
from lar.testing.telegram.world import Chat, public

_VARIANT = "\ufe0f"  # asks for the coloured form of a sign; clients send it or not
_ALLOWED = """
    👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕
    😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡
"""
_REACTIONS = {emoji.replace(_VARIANT, "") for emoji in _ALLOWED.split()}


def _editable(call: Call) -> tuple[Chat, Json]:
    chat, message_id = call.target(), call.params.number("message_id")
    if not message_id:
        raise bad("message identifier is not specified")
    message = chat.messages.get(message_id)
    if message is None:
        raise bad("message to edit not found")
    if message["from"]["id"] != call.bot.user["id"]:
        raise bad("message can't be edited")
    return chat, message


def _edit(call: Call, content: Json, replaced: tuple[str, ...]) -> Json:
    chat, message = _editable(call)
    keyboard = call.keyboard()
    new = {k: v for k, v in message.items() if k not in replaced and k not in {"reply_markup", "edit_date"}}
    new.update(content)
    if keyboard and keyboard.get("inline_keyboard"):
        new["reply_markup"] = {"inline_keyboard": keyboard["inline_keyboard"]}
    if new == {k: v for k, v in message.items() if k != "edit_date"}:
        same = "are exactly the same as a current content and reply markup of the message"
        raise bad(f"message is not modified: specified new message content and reply markup {same}")
    call.throttle(chat)
    new["edit_date"] = int(call.world.clock())
    chat.messages[message["message_id"]] = new
    call.world.record(chat, "edit", new)
    return public(new)


def edit_message_text(call: Call) -> Json:
    """Another text, or a rich message."""
    if call.params.mapping("rich_message"):
        return _edit(call, rich_content(call.params), ("text", "entities"))
    content = text_content(call.params, "MESSAGE_TOO_LONG")
    _, message = _editable(call)
    if "text" not in message:
        raise bad("there is no text in the message to edit")
    return _edit(call, content, ("text", "entities", "rich_message", "_rich"))


def edit_message_caption(call: Call) -> Json:
    """Another caption, or none."""
    return _edit(call, caption_content(call.params), ("caption", "caption_entities"))


def edit_message_reply_markup(call: Call) -> Json:
    """Other buttons, or none."""
    return _edit(call, {}, ())


async def edit_message_media(call: Call) -> Json:
    """Another file."""
    media = call.params.mapping("media")
    upload = await input_file(call, "", str(media.get("media", "")))
    fields = call.world.files.fields(media.get("type", "document"), upload, media)
    return _edit(call, {**fields, **caption_content(Params(media))}, (*MEDIA, "caption", "caption_entities"))


def _delete(call: Call, chat: Chat, message_id: int) -> bool:
    message = chat.messages.pop(message_id, None)
    if message:
        call.world.record(chat, "delete", message)
    return bool(message)


def delete_message(call: Call) -> bool:
    """Remove a message for everyone."""
    chat, message_id = call.target(), call.params.number("message_id")
    if not message_id:
        raise bad("message identifier is not specified")
    if not _delete(call, chat, message_id):
        raise bad("message to delete not found")
    return True


def delete_messages(call: Call) -> bool:
    """Remove several; those that are gone do not matter."""
    chat = call.target()
    ids: list[int] = call.params.parsed("message_ids") or []
    for message_id in ids:
        _delete(call, chat, int(message_id))
    return True


def stop_poll(call: Call) -> Json:
    """Close a poll."""
    _, message = _editable(call)
    if "poll" not in message:
        raise bad("message with poll to stop not found")
    message["poll"]["is_closed"] = True
    return message["poll"]


def set_message_reaction(call: Call) -> bool:
    """The bot's one reaction to a message, or none."""
    chat, message_id = call.target(), call.params.number("message_id")
    if message_id not in chat.messages:
        raise bad("message to react not found")
    reactions: list[Json] = call.params.parsed("reaction") or []
    emojis = [str(reaction.get("emoji", "")) for reaction in reactions]
    for reaction, emoji in zip(reactions, emojis, strict=True):
        if reaction.get("type") == "emoji" and emoji.replace(_VARIANT, "") not in _REACTIONS:
            raise bad("REACTION_INVALID")
    if len(reactions) > 1:
        raise bad("REACTIONS_TOO_MANY")
    call.world.record(chat, "reaction", {"message_id": message_id, "text": "".join(emojis)})
    return True


def answer_callback_query(call: Call) -> bool:
    """Tell the one who pressed a button that it was seen."""
    if call.params.text("callback_query_id") not in call.bot.callbacks:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    if len(call.params.text("text")) > 200:
        raise bad("MESSAGE_TOO_LONG")
    return True


def pin_chat_message(call: Call) -> bool:
    """Pin a message."""
    chat, message_id = call.target(), call.params.number("message_id")
    if message_id not in chat.messages:
        raise bad("message to pin not found")
    chat.pinned.append(message_id)
    return True


def unpin_chat_message(call: Call) -> bool:
    """Unpin a message; the newest when none is named."""
    chat, message_id = call.target(), call.params.number("message_id")
    if message_id in chat.pinned:
        chat.pinned.remove(message_id)
    elif chat.pinned:
        chat.pinned.pop()
    return True


def unpin_all_chat_messages(call: Call) -> bool:
    """Unpin everything."""
    call.target().pinned.clear()
    return True


METHODS: dict[str, Handler] = {
    "editmessagetext": edit_message_text,
    "editmessagecaption": edit_message_caption,
    "editmessagereplymarkup": edit_message_reply_markup,
    "editmessagemedia": edit_message_media,
    "deletemessage": delete_message,
    "deletemessages": delete_messages,
    "stoppoll": stop_poll,
    "setmessagereaction": set_message_reaction,
    "answercallbackquery": answer_callback_query,
    "pinchatmessage": pin_chat_message,
    "unpinchatmessage": unpin_chat_message,
    "unpinallchatmessages": unpin_all_chat_messages,
}
