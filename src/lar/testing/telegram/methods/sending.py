"""Sending what needs no file: text, drafts, rich messages, places, contacts, dice, polls, chat actions."""

from typing import Any

from lar.testing.telegram.methods.call import Call, Handler
from lar.testing.telegram.methods.content import MAX_TEXT, formatted, rich_content, text_content
from lar.testing.telegram.wire import Json, bad

_CHAT_ACTIONS = {
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
    "record_audio",
    "upload_audio",
    "cancel",
}


def send_message(call: Call) -> Json:
    """A text."""
    return call.post(text_content(call.params))


def send_message_draft(call: Call) -> bool:
    """The beginning of a text that is being written; shown, not kept."""
    chat, params = call.target(), call.params
    if not chat.is_private:
        raise bad("TEXTDRAFT_PEER_INVALID")
    if not params.number("draft_id"):
        raise bad("RANDOM_ID_INVALID")
    mode, given = params.text("parse_mode"), params.parsed("entities")
    text, entities = formatted(params.text("text"), mode, given, MAX_TEXT, "message is too long")
    call.world.record(chat, "draft", {"text": text, "entities": entities}, draft_id=params.number("draft_id"))
    return True


def send_rich_message(call: Call) -> Json:
    """A rich message: the user's side sees its source as `text`, the bot gets it back without."""
    call.target()
    sent = call.post(rich_content(call.params))
    return {key: value for key, value in sent.items() if key != "text"}


def send_rich_message_draft(call: Call) -> bool:
    """The beginning of a rich message that is being written."""
    chat = call.target()
    content = rich_content(call.params)
    draft_id = call.params.number("draft_id")
    call.world.record(chat, "draft", {"text": content["text"]}, draft_id=draft_id, rich=content["_rich"])
    return True


def send_chat_action(call: Call) -> bool:
    """What the bot is seen doing, such as typing."""
    chat, action = call.target(), call.params.text("action")
    if action.lower() not in _CHAT_ACTIONS:
        raise bad("wrong parameter action in request")
    call.world.record(chat, "action", {"text": action})
    return True


def send_location(call: Call) -> Json:
    """A place."""
    if not call.params.text("latitude") or not call.params.text("longitude"):
        raise bad("latitude is empty")
    return call.post({"location": _place(call)})


def send_venue(call: Call) -> Json:
    """A place with a name."""
    place = _place(call)
    venue = {"location": place, "title": call.params.text("title"), "address": call.params.text("address")}
    return call.post({"venue": venue, "location": place})


def _place(call: Call) -> Json:
    return {name: float(call.params.text(name) or 0) for name in ("latitude", "longitude")}


def send_contact(call: Call) -> Json:
    """A person's number and name."""
    return call.post({"contact": {name: call.params.text(name) for name in ("phone_number", "first_name")}})


def send_dice(call: Call) -> Json:
    """A die, which always shows 4."""
    return call.post({"dice": {"emoji": call.params.text("emoji") or "🎲", "value": 4}})


def send_poll(call: Call) -> Json:
    """A poll nobody votes in."""
    params = call.params
    given: list[Any] = params.parsed("options") or []
    options = [option if isinstance(option, str) else option.get("text", "") for option in given]
    if not params.text("question"):
        raise bad("poll question must be non-empty")
    if not 1 <= len(options) <= 12:
        raise bad("poll must have at least 2 option")
    poll: Json = {
        "id": str(5_000_000_000 + next(call.world.unique)),
        "question": params.text("question"),
        "total_voter_count": 0,
        "options": [{"text": o, "voter_count": 0, "persistent_id": str(i)} for i, o in enumerate(options)],
        "is_closed": False,
        "is_anonymous": params.text("is_anonymous").lower() != "false",
        "type": params.text("type") or "regular",
        "allows_multiple_answers": params.flag("allows_multiple_answers"),
        "allows_revoting": False,
        "members_only": False,
    }
    return call.post({"poll": poll})


METHODS: dict[str, Handler] = {
    "sendmessage": send_message,
    "sendmessagedraft": send_message_draft,
    "sendrichmessage": send_rich_message,
    "sendrichmessagedraft": send_rich_message_draft,
    "sendchataction": send_chat_action,
    "sendlocation": send_location,
    "sendvenue": send_venue,
    "sendcontact": send_contact,
    "senddice": send_dice,
    "sendpoll": send_poll,
}
