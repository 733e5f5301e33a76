"""A raw Telegram update becomes an `Inbound`. Pure, on plain JSON; never raises."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from lar.channels.telegram.manifest import NAME
from lar.channels.telegram.rich import units
from lar.domain.conversation import Address, Place
from lar.domain.inbound import Attachment, AttachmentKind, ChatStatus, Inbound, Press, Sender, Text

UPDATE_KINDS = ("message", "edited_message", "callback_query", "my_chat_member")
"""What the bot asks Telegram for."""

_PASTE_UNITS = 4000
_COMMAND = re.compile(r"/\w+(?:@(\w+))?")
_GONE = frozenset({"kicked", "left"})
_Json = Mapping[str, Any]
_FILES: tuple[tuple[str, AttachmentKind, str, str], ...] = (
    ("document", AttachmentKind.DOCUMENT, "", "application/octet-stream"),
    ("voice", AttachmentKind.VOICE, "oga", "audio/ogg"),
    ("audio", AttachmentKind.AUDIO, "mp3", "audio/mpeg"),
    ("video", AttachmentKind.VIDEO, "mp4", "video/mp4"),
    ("video_note", AttachmentKind.VIDEO, "mp4", "video/mp4"),
    ("animation", AttachmentKind.VIDEO, "mp4", "video/mp4"),
    ("sticker", AttachmentKind.STICKER, "webp", "image/webp"),
)


@dataclass(frozen=True, slots=True)
class Self:
    """Who this bot is, and in groups, what it listens to."""

    id: int
    username: str
    account: str = "main"
    trigger: Literal["mention", "all"] = "mention"


def parse(update: object, me: Self) -> Inbound:
    """Read one update. One that cannot be understood comes back with a `problem`, and with its sender if possible."""
    if not isinstance(update, dict):
        return Inbound(NAME, me.account, "", problem=f"not a JSON object but {type(update).__name__}")
    raw = cast("dict[str, Any]", update)
    plain = Inbound(NAME, me.account, str(raw.get("update_id", "")))
    try:
        raw = _storable(raw)
        plain = replace(plain, raw=raw)
        return _read(raw, plain, me) or plain
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return replace(plain, sender=_whoever(raw), problem=f"{type(error).__name__}: {error}")


def _whoever(raw: _Json) -> Sender | None:
    """Who sent an update, if that much of it can be understood."""
    for content in raw.values():
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            return _person(content["from"])
    return None


def _storable(raw: dict[str, Any]) -> dict[str, Any]:
    """Without NUL and lone surrogates, which no database takes."""
    text = json.dumps(raw)
    if "\\u0000" not in text and "\\ud" not in text:
        return raw
    return cast("dict[str, Any]", _cleaned(raw))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {_cleaned(name): _cleaned(item) for name, item in items}
    if isinstance(value, list):
        return [_cleaned(item) for item in cast("list[Any]", value)]
    return value


def _read(raw: _Json, plain: Inbound, me: Self) -> Inbound | None:
    if message := raw.get("message") or raw.get("edited_message"):
        return _message(message, plain, me, edited="message" not in raw)
    if query := raw.get("callback_query"):
        return _press(query, plain)
    if change := raw.get("my_chat_member"):
        return _status(change, plain)
    return None


def _message(message: _Json, plain: Inbound, me: Self, *, edited: bool) -> Inbound | None:
    sender = _sender(message)
    files = tuple(_attachments(message))
    text = message.get("text") or message.get("caption") or _described(message)
    if sender is None or message["chat"]["type"] == "channel" or not (text or files):
        return None
    said, mentioned = _without_mention(text, message, me)
    private = message["chat"]["type"] == "private"
    content = Text(
        text=said,
        vendor_id=str(message["message_id"]),
        attachments=files,
        addressed=private or _is_meant(said, text, message, me, mentioned=mentioned),
        group_key=str(message.get("media_group_id", "")),
        more_expected=units(text) >= _PASTE_UNITS,
        edited=edited,
        reply_to_text=_quoted(message),
        source=_handed_on(message, sender),
    )
    return _placed(plain, message, sender, content)


def _placed(plain: Inbound, message: _Json, sender: Sender, content: Text | Press | ChatStatus) -> Inbound:
    """The inbound with where it happened, which `message` knows."""
    chat = message["chat"]
    thread = str(message.get("message_thread_id", "")) if message.get("is_topic_message") else ""
    return replace(
        plain,
        sender=sender,
        address=Address(NAME, plain.account, str(chat["id"]), thread),
        place=Place.PRIVATE if chat["type"] == "private" else Place.GROUP,
        title=str(chat.get("title") or _full_name(chat)),
        content=content,
    )


def _press(query: _Json, plain: Inbound) -> Inbound | None:
    message = query.get("message")
    if not message or "data" not in query:
        return None
    content = Press(str(query["data"]), str(message["message_id"]), str(query["id"]))
    return _placed(plain, message, _person(query["from"]), content)


def _status(change: _Json, plain: Inbound) -> Inbound | None:
    if change["chat"]["type"] == "channel":
        return None
    member = change["new_chat_member"]
    out = member["status"] in _GONE or member.get("is_member") is False
    return _placed(plain, change, _person(change["from"]), ChatStatus(reachable=not out))


def _sender(message: _Json) -> Sender | None:
    """Who wrote; for a group's anonymous administrator or a channel, that chat."""
    if chat := message.get("sender_chat"):
        return Sender(str(chat["id"]), str(chat.get("title", "")), str(chat.get("username", "")))
    return _person(message["from"]) if message.get("from") else None


def _person(user: _Json) -> Sender:
    return Sender(
        user=str(user["id"]),
        name=_full_name(user),
        username=str(user.get("username", "")),
        language=str(user.get("language_code", "")),
    )


def _full_name(user: _Json) -> str:
    return f"{user.get('first_name', '')} {user.get('last_name', '')}".strip()


def _without_mention(text: str, message: _Json, me: Self) -> tuple[str, bool]:
    """The text without `@bot`, and whether it, or a link to the bot's profile, was there."""
    entities = message.get("entities") or message.get("caption_entities") or ()
    linked = any(entity.get("user", {}).get("id") == me.id for entity in entities)
    if not me.username or "@" not in text:
        return text, linked
    command = re.sub(rf"^(/\w+)@{re.escape(me.username)}\b", r"\1", text, count=1, flags=re.IGNORECASE)
    said, count = re.subn(rf"(?<![\w@/])@{re.escape(me.username)}\b[,:]? ?", "", command, flags=re.IGNORECASE)
    return (said.strip() if count else command), linked or command != text or count > 0


def _is_meant(said: str, text: str, message: _Json, me: Self, *, mentioned: bool) -> bool:
    """Whether a message in a group is for this bot. A command is, unless it names another one."""
    command = _COMMAND.match(text)
    if command and command[1] and not mentioned:
        return False
    return mentioned or me.trigger == "all" or bool(_COMMAND.match(said)) or _answers_us(message, me)


def _answers_us(message: _Json, me: Self) -> bool:
    """A reply to the bot; in a topic every message seems to reply to the one that opened it."""
    answered = message.get("reply_to_message")
    if not answered or "forum_topic_created" in answered:
        return False
    return answered.get("from", {}).get("id") == me.id


def _quoted(message: _Json) -> str:
    if quote := message.get("quote"):
        return str(quote.get("text", ""))
    answered: _Json = message.get("reply_to_message") or {}
    return str(answered.get("text") or answered.get("caption") or "")


def _handed_on(message: _Json, sender: Sender) -> str:
    """Where a forwarded message comes from; nothing for what the sender wrote themselves."""
    origin: _Json = message.get("forward_origin") or {}
    who: _Json = origin.get("sender_user") or {}
    if not origin or str(who.get("id", "")) == sender.user:
        return ""
    chat: _Json = origin.get("sender_chat") or origin.get("chat") or {}
    name = _full_name(who) or origin.get("sender_user_name") or chat.get("title") or "somebody"
    return f"forwarded from {name}"


def _attachments(message: _Json) -> Iterator[Attachment]:
    number = message["message_id"]
    if sizes := message.get("photo"):
        largest = max(sizes, key=lambda size: size.get("width", 0) * size.get("height", 0))
        yield _attachment(AttachmentKind.PHOTO, largest, f"photo-{number}.jpg", "image/jpeg")
    for key, kind, ending, mime in _FILES:
        if key == "document" and "animation" in message:
            continue  # an animation comes twice
        if found := message.get(key):
            yield _attachment(kind, found, f"{kind}-{number}" + (f".{ending}" if ending else ""), mime)


def _attachment(kind: AttachmentKind, file: _Json, name: str, mime: str) -> Attachment:
    """The file as Telegram describes it; `name` and `mime` where it does not."""
    own_name = str(file.get("file_name") or "").replace("\\", "/").rpartition("/")[2]
    size = int(file.get("file_size") or 0)
    return Attachment(kind, str(file["file_id"]), own_name or name, str(file.get("mime_type") or mime), size)


def _described(message: _Json) -> str:
    """In words what a person sent that is neither text nor file."""
    if venue := message.get("venue"):
        return f"[place: {venue.get('title', '')}, {venue.get('address', '')}]"
    if place := message.get("location"):
        return f"[location: {place['latitude']}, {place['longitude']}]"
    if contact := message.get("contact"):
        return f"[contact: {_full_name(contact)}, {contact.get('phone_number', '')}]"
    if poll := message.get("poll"):
        options = ", ".join(str(option.get("text", "")) for option in poll.get("options", ()))
        return f"[poll: {poll.get('question', '')} {options}]"
    if dice := message.get("dice"):
        return f"[dice: {dice.get('emoji', '')} {dice.get('value', '')}]"
    return ""
