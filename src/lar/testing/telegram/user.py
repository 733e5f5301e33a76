"""The user's side: writing, sending files, pressing buttons, reacting, and waiting for what the bot does."""

import asyncio
import base64
import re
from typing import Any, TypedDict, Unpack

from lar.testing.telegram.faults import Fault
from lar.testing.telegram.files import MEDIA
from lar.testing.telegram.markup.entities import detect_entities
from lar.testing.telegram.wire import Json, Upload
from lar.testing.telegram.world import Bot, Chat, World, public, quoted

DEFAULT_USER = 1001
REPLIES = ("send", "edit")


class Circumstances(TypedDict, total=False):
    """Where and how a message arrives."""

    caption: str | None  # of a medium
    user: int | Json | None  # who writes: an id, or fields of the User; the chat's own user unless given
    chat_type: str | None
    title: str | None  # of a group
    is_forum: bool | None
    thread_id: int | None  # the topic
    reply_to: int | None  # message_id
    edit: int | None  # message_id this is an edit of
    media_group_id: str | int | None  # messages of one album share it
    extra: Json | None  # any other fields of the message
    token: str | None  # of the bot that gets it, when there are several


class Incoming(Circumstances, total=False):
    """A user's message."""

    text: str | None
    media: dict[str, Json] | None  # kind -> {data (bytes) | b64, filename, mime, duration}


def _check_names(given: Any, known: type) -> None:
    unknown = sorted(set(given) - known.__annotations__.keys())
    if unknown:
        raise TypeError(f"unexpected arguments {unknown}; there are {sorted(known.__annotations__)}")


class UserSide(World):
    """The world with the hands of its users."""

    def inject(self, chat_id: int = DEFAULT_USER, **incoming: Unpack[Incoming]) -> Json:
        """A user's message arrives: {"update_id" (None if the bot does not see it), "message_id", "seq", "t"}."""
        _check_names(incoming, Incoming)
        bot = self.bots[incoming.get("token") or self.token]
        about = {"type": incoming.get("chat_type"), "title": incoming.get("title")}
        chat = self.chat(chat_id, **about, is_forum=incoming.get("is_forum") or None)
        edit = incoming.get("edit")
        message = self._envelope(chat, incoming)
        for kind, given in (incoming.get("media") or {}).items():
            data = given["data"] if "data" in given else base64.b64decode(given.get("b64", ""))
            upload = Upload(data, given.get("filename") or "", given.get("mime") or MEDIA[kind])
            message.update(self.files.fields(kind, upload, given))
        for key, entities, text in (
            ("text", "entities", incoming.get("text")),
            ("caption", "caption_entities", incoming.get("caption")),
        ):
            if text is not None:
                message[key] = text
                message.update({entities: found} if (found := detect_entities(text)) else {})
        message.update(incoming.get("extra") or {})
        chat.messages[message["message_id"]] = message
        update_id = None
        if self._bot_sees(bot, chat, message):
            update_id = self.push_update("edited_message" if edit else "message", public(message), bot)
        event = self.record(chat, "user_edit" if edit else "user", message)
        return {
            "update_id": update_id,
            "message_id": message["message_id"],
            "seq": event["seq"],
            "t": event["t"],
        }

    def send_text(self, text: str, chat_id: int = DEFAULT_USER, **circumstances: Unpack[Circumstances]) -> Json:
        """The user writes; answers as `inject`."""
        return self.inject(chat_id, text=text, **circumstances)

    def send_media(
        self,
        kind: str,
        data: bytes,
        chat_id: int = DEFAULT_USER,
        *,
        filename: str = "",
        mime: str = "",
        duration: int = 1,
        **circumstances: Unpack[Circumstances],
    ) -> Json:
        """The user sends a photo, document, voice, audio, video, animation, video_note or sticker; as `inject`."""
        given: Json = {"data": data, "filename": filename, "mime": mime, "duration": duration}
        return self.inject(chat_id, media={kind: given}, **circumstances)

    def press(
        self,
        chat_id: int = DEFAULT_USER,
        *,
        text: str | None = None,
        data: str | None = None,
        message_id: int | None = None,
        user: int | None = None,
        token: str | None = None,
    ) -> Json:
        """Press an inline button of the newest bot message that has one matching `data` (exact) or `text` (regex).

        Raises:
            LookupError: No such button is there to be pressed.
        """
        bot, chat = self.bots[token or self.token], self.chat(chat_id)
        for message in sorted(chat.messages.values(), key=lambda m: -m["message_id"]):
            if message_id not in (None, message["message_id"]) or message["from"]["id"] != bot.user["id"]:
                continue
            for button in _buttons(message):
                if _matches(button, text, data):
                    presser = user or (chat_id if chat_id > 0 else DEFAULT_USER)
                    return self._press(bot, chat, message, button["callback_data"], presser)
        raise LookupError(f"no matching inline button in chat {chat_id}")

    def react(self, chat_id: int, message_id: int, emoji: str | None, token: str | None = None) -> int | None:
        """The user sets (None: removes) a reaction; only bots that asked for message_reaction get its update id."""
        reaction: Json = {
            "chat": dict(self.chat(chat_id).info),
            "message_id": message_id,
            "date": int(self.clock()),
            "user": {"id": chat_id, "is_bot": False, "first_name": f"User{chat_id}"},
            "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": emoji}] if emoji else [],
        }
        return self.push_update("message_reaction", reaction, self.bots[token or self.token])

    def block(self, chat_id: int = DEFAULT_USER, *, blocked: bool = True) -> None:
        """The user blocks (or unblocks) the bot: what it sends there is refused with 403."""
        self.chat(chat_id).blocked = blocked

    def fail(self, method: str = "*", count: int = 1, **fault: Unpack[Fault]) -> None:
        """The next `count` calls of `method` fail (`*`: any but getUpdates)."""
        _check_names(fault, Fault)
        self.faults.add(method, count, fault)

    def messages(self, chat_id: int = DEFAULT_USER) -> list[Json]:
        """What the user sees in the chat now, oldest first."""
        return [public(message) for _, message in sorted(self.chat(chat_id).messages.items())]

    def events(self, chat_id: int = DEFAULT_USER, after: int = 0) -> list[Json]:
        """Events of the chat with seq > after: user, user_edit, press, send, edit, delete, draft, action, reaction."""
        fresh: list[Json] = []
        for event in reversed(self.chat(chat_id).events):
            if event["seq"] <= after:
                break
            fresh.append(event)
        return fresh[::-1]

    async def wait_reply(
        self,
        chat_id: int = DEFAULT_USER,
        after: int = 0,
        *,
        match: str | None = None,
        timeout: float = 30,  # noqa: ASYNC109  # running out is an answer here, not an error
        settle: float = 0,
        kinds: tuple[str, ...] = REPLIES,
    ) -> Json | None:
        """First bot event in the chat with seq > after whose text matches the regex; None after `timeout` seconds.

        With `settle`, the newest such event once none has come for that many seconds.
        """
        chat, loop = self.chat(chat_id), asyncio.get_running_loop()
        deadline, quiet_since = loop.time() + timeout, 0.0
        found: Json | None = None
        while True:
            fresh = [
                event
                for event in self.events(chat_id, after)
                if event["kind"] in kinds and (match is None or re.search(match, event["text"] or "", re.DOTALL))
            ]
            if fresh and (found is None or fresh[-1]["seq"] != found["seq"]):
                found, quiet_since = fresh[-1] if settle else fresh[0], loop.time()
            if found and (not settle or loop.time() - quiet_since >= settle):
                return found
            left = (quiet_since + settle if found else deadline) - loop.time()
            if left <= 0 and not found:
                return None
            await _next_event(chat, max(left, 0.001))

    async def expect_reply(
        self,
        chat_id: int = DEFAULT_USER,
        after: int = 0,
        *,
        match: str | None = None,
        timeout: float = 30,  # noqa: ASYNC109  # handed on to wait_reply
        settle: float = 0,
    ) -> Json:
        """As `wait_reply`, where silence is an error.

        Raises:
            TimeoutError: Nothing matching came; it tells what did.
        """
        found = await self.wait_reply(chat_id, after, match=match, timeout=timeout, settle=settle)
        if found is None:
            seen = [(event["kind"], event["text"]) for event in self.events(chat_id, after)]
            raise TimeoutError(f"no reply in chat {chat_id} within {timeout} s, matching {match!r}; seen: {seen}")
        return found

    async def until_polling(self, timeout: float = 30) -> None:  # noqa: ASYNC109  # as the other waits
        """Until a long poll of the bot waits: from then on it hears at once.

        The poll of a bot that was killed waits until its time is over; `bot.end_poll("closed")` forgets it.

        Raises:
            TimeoutError: It does not come.
        """
        await asyncio.wait_for(self.bot.polling.wait(), timeout)

    async def ask(
        self,
        text: str,
        chat_id: int = DEFAULT_USER,
        *,
        timeout: float = 30,  # noqa: ASYNC109  # handed on to wait_reply
        settle: float = 0,
        match: str | None = None,
        **circumstances: Unpack[Circumstances],
    ) -> Json:
        """Write and wait for the reply; a TimeoutError when none comes."""
        sent = self.send_text(text, chat_id, **circumstances)
        return await self.expect_reply(chat_id, sent["seq"], timeout=timeout, settle=settle, match=match)

    def _envelope(self, chat: Chat, incoming: Incoming) -> Json:
        """The message without its content: id, sender, chat, dates, topic, reply, album."""
        user, edit, now = incoming.get("user"), incoming.get("edit"), int(self.clock())
        user_id = user if isinstance(user, int) else chat.id if chat.id > 0 else DEFAULT_USER
        sender = {**_user(user_id), **(user if isinstance(user, dict) else {})}
        message: Json = {
            "message_id": edit or chat.next_id,
            "from": sender,
            "chat": dict(chat.info),
            "date": now,
        }
        if edit:
            message.update(date=chat.messages.get(edit, message)["date"], edit_date=now)
        else:
            chat.next_id += 1
        thread_id = incoming.get("thread_id")
        if thread_id:
            message.update(message_thread_id=thread_id, is_topic_message=True)
            chat.topics.setdefault(thread_id, {"message_thread_id": thread_id, "name": f"Topic {thread_id}"})
            chat.next_id = max(chat.next_id, thread_id + 1)
        reply_to = incoming.get("reply_to")
        if reply_to and reply_to in chat.messages:
            message["reply_to_message"] = quoted(chat.messages[reply_to])
        album = incoming.get("media_group_id")
        return {**message, "media_group_id": str(album)} if album else message

    def _bot_sees(self, bot: Bot, chat: Chat, message: Json) -> bool:
        """Privacy mode: in groups only commands, mentions of the bot and replies to it."""
        if chat.is_private or not self.options["privacy_mode"]:
            return True
        text, mention = message.get("text") or message.get("caption") or "", f"@{bot.user['username']}"
        if text.startswith("/") and "@" not in text.split()[0]:
            return True
        answered = message.get("reply_to_message", {}).get("from", {}).get("id")
        return mention in text or answered == bot.user["id"]

    def _press(self, bot: Bot, chat: Chat, message: Json, data: str, user_id: int) -> Json:
        query_id = str(4_000_000_000_000 + next(self.unique))
        bot.callbacks.add(query_id)
        query: Json = {
            "id": query_id,
            "from": _user(user_id),
            "message": public(message),
            "chat_instance": str(chat.id),
            "data": data,
        }
        update_id = self.push_update("callback_query", query, bot)
        event = self.record(chat, "press", {**message, "text": data})
        return {
            "update_id": update_id,
            "callback_query_id": query_id,
            "data": data,
            "seq": event["seq"],
            "t": event["t"],
        }


def _user(user_id: int) -> Json:
    return {
        "id": user_id,
        "is_bot": False,
        "first_name": f"User{user_id}",
        "username": f"user{user_id}",
        "language_code": "en",
    }


def _buttons(message: Json) -> list[Json]:
    keyboard: Json = message.get("reply_markup") or {}
    rows: list[list[Json]] = keyboard.get("inline_keyboard", [])
    return [button for row in rows for button in row if "callback_data" in button]


def _matches(button: Json, text: str | None, data: str | None) -> bool:
    if data is not None and button["callback_data"] != data:
        return False
    return text is None or bool(re.search(text, button["text"]))


async def _next_event(chat: Chat, within: float) -> None:
    """Until something happens in the chat, at most `within` seconds."""
    waiter = asyncio.get_running_loop().create_future()
    chat.waiters.add(waiter)
    try:
        await asyncio.wait((waiter,), timeout=within)
    finally:
        chat.waiters.discard(waiter)
