"""One call of a method: who calls, with what, and the chat it is about."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from lar.testing.telegram.wire import ApiError, Json, Params, bad
from lar.testing.telegram.world import Bot, Chat, World, public, quoted


@dataclass(frozen=True, slots=True)
class Call:
    """A call that passed the door: the bot is known, the parameters are read."""

    world: World
    bot: Bot
    params: Params

    def target(self, name: str = "chat_id") -> Chat:
        """The chat a parameter names.

        Raises:
            ApiError: It is missing, unknown, or has blocked the bot.
        """
        given = self.params.text(name).strip()
        if not given:
            raise bad("chat_id is empty")
        if given.startswith("@"):
            for chat in self.world.chats.values():
                if "@" + chat.info.get("username", "") == given and not chat.is_private:
                    return chat
            raise bad("chat not found")
        if not re.fullmatch(r"-?\d+", given):
            raise bad("chat not found")
        chat_id = int(given)
        if chat_id not in self.world.chats and (chat_id <= 0 or self.world.options["strict_chats"]):
            raise bad("chat not found")
        chat = self.world.chat(chat_id)
        if chat.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return chat

    def throttle(self, chat: Chat) -> None:
        """Count one message against the limits, when the server has them."""
        if self.world.options["rate_limits"]:
            self.world.limiter.check(self.bot.token, chat.id, self.world.clock(), group=not chat.is_private)

    def keyboard(self) -> Json | None:
        """The checked `reply_markup`; None when there is none."""
        if self.params.parsed("reply_markup") is None:
            return None
        markup = self.params.mapping("reply_markup")
        for name in ("inline_keyboard", "keyboard"):
            rows = markup.get(name)
            if rows is None:
                continue
            if not isinstance(rows, list) or not all(isinstance(row, list) for row in markup[name]):
                where = " of the InlineKeyboardMarkup" if name == "inline_keyboard" else ""
                raise bad(f'field "{name}"{where} must be an Array of Arrays')
            for row in markup[name]:
                for button in row:
                    _check_button(button, inline=name == "inline_keyboard")
        return markup

    def post(self, content: Json, **extra: Any) -> Json:
        """The bot's message with this content appears in the chat; the message as the bot gets it back."""
        chat, world = self.target(), self.world
        keyboard = self.keyboard()
        thread = self._thread(chat)
        reply_to = self._reply_to(chat)
        self.throttle(chat)
        message: Json = {
            "message_id": chat.next_id,
            "from": dict(self.bot.user),
            "chat": dict(chat.info),
            "date": int(world.clock()),
            **content,
            **extra,
        }
        chat.next_id += 1
        if thread:
            message.update(message_thread_id=thread, is_topic_message=True)
        if reply_to:
            message["reply_to_message"] = quoted(chat.messages[reply_to])
        if keyboard and keyboard.get("inline_keyboard"):
            message["reply_markup"] = {"inline_keyboard": keyboard["inline_keyboard"]}
        chat.messages[message["message_id"]] = message
        world.record(chat, "send", message, keyboard=keyboard)
        return public(message)

    def _thread(self, chat: Chat) -> int:
        """The topic to post in; 0: none, or the general one."""
        thread = self.params.number("message_thread_id")
        if thread in {0, 1}:
            return 0
        if thread in chat.topics or (self.world.options["private_topics"] and chat.is_private):
            return thread
        raise bad("message thread not found")

    def _reply_to(self, chat: Chat) -> int:
        """The message replied to; 0: none, or one that is gone and need not be there."""
        reply = self.params.mapping("reply_parameters")
        message_id = int(reply.get("message_id") or self.params.number("reply_to_message_id"))
        if not message_id or message_id in chat.messages:
            return message_id
        if reply.get("allow_sending_without_reply") or self.params.flag("allow_sending_without_reply"):
            return 0
        raise bad("message to be replied not found")


Handler = Callable[[Call], Any]  # the result as JSON, or an awaitable of it; ApiError to refuse

_BUTTON_ACTIONS = {
    "callback_data",
    "url",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "callback_game",
    "copy_text",
    "pay",
}


def _check_button(button: Any, *, inline: bool) -> None:
    prefix = "can't parse inline keyboard button:"
    if isinstance(button, str) and not inline:
        return
    if not isinstance(button, dict):
        raise bad(f"{prefix} InlineKeyboardButton must be an Object")
    fields = cast("Json", button)
    if "text" not in fields:
        raise bad(f'{prefix} field "text" must be of type String')
    if not fields["text"]:
        raise bad("BUTTON_TEXT_EMPTY")
    if not inline:
        return
    if "callback_data" in fields and not 1 <= len(str(fields["callback_data"]).encode()) <= 64:
        raise bad("BUTTON_DATA_INVALID")
    if not _BUTTON_ACTIONS & fields.keys():
        raise bad(f"{prefix} Text buttons are unallowed in the inline keyboard")
