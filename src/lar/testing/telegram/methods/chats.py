"""Chats, their members and topics."""

from lar.testing.telegram.methods.call import Call, Handler
from lar.testing.telegram.wire import Json, bad
from lar.testing.telegram.world import public

_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
_RIGHTS = (
    "can_be_edited",
    "is_anonymous",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_pin_messages",
    "can_manage_topics",
)


def get_chat(call: Call) -> Json:
    """All about a chat."""
    chat = call.target()
    info: Json = {
        **chat.info,
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(_GIFTS, False),
    }
    if chat.pinned and chat.pinned[-1] in chat.messages:
        info["pinned_message"] = public(chat.messages[chat.pinned[-1]])
    return info


def get_chat_member(call: Call) -> Json:
    """A member: the bot is an administrator, everyone else a plain member."""
    call.target()
    user_id = call.params.number("user_id")
    if user_id == call.bot.user["id"]:
        return _bot_as_member(call)
    return {"user": {"id": user_id, "is_bot": False, "first_name": f"User{user_id}"}, "status": "member"}


def _bot_as_member(call: Call) -> Json:
    return {"user": call.bot.user, "status": "administrator", **dict.fromkeys(_RIGHTS, True)}


def get_chat_administrators(call: Call) -> list[Json]:
    """The bot, in a group."""
    if call.target().is_private:
        raise bad("there are no administrators in the private chat")
    return [_bot_as_member(call)]


def get_chat_member_count(call: Call) -> int:
    """How many there are."""
    return 2 if call.target().is_private else 3


def create_forum_topic(call: Call) -> Json:
    """A new topic in a forum."""
    chat, params = call.target(), call.params
    if not chat.info.get("is_forum") and not (call.world.options["private_topics"] and chat.is_private):
        raise bad("the chat is not a forum")
    if not params.text("name"):
        raise bad("TOPIC_NAME_EMPTY")
    topic: Json = {
        "message_thread_id": chat.next_id,
        "name": params.text("name"),
        "icon_color": params.number("icon_color", 7322096),
    }
    chat.topics[chat.next_id] = topic
    chat.next_id += 1
    return topic


METHODS: dict[str, Handler] = {
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "getchatadministrators": get_chat_administrators,
    "getchatmembercount": get_chat_member_count,
    "createforumtopic": create_forum_topic,
    "getforumtopiciconstickers": lambda _: [],
    "getuserprofilephotos": lambda _: {"total_count": 0, "photos": []},
    "getchatmenubutton": lambda _: {"type": "commands"},
}
