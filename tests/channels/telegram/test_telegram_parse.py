"""A raw update becomes an inbound, whatever it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.channels.telegram.parse import Self, parse
from lar.domain.conversation import Address, Place
from lar.domain.inbound import AttachmentKind, ChatStatus, Inbound, Press, Sender, Text

ME = Self(id=42, username="sim_bot")
ANA = {"id": 7, "is_bot": False, "first_name": "Ana", "last_name": "Ruiz", "username": "ana", "language_code": "es"}
PRIVATE = {"id": 7, "type": "private", "first_name": "Ana"}
GROUP = {"id": -100, "type": "supergroup", "title": "Home"}


def message(**fields: Any) -> dict[str, Any]:
    """An update with a message of Ana's."""
    return {"update_id": 5, "message": {"message_id": 9, "from": ANA, "chat": PRIVATE, "date": 1, **fields}}


def text_of(update: object, me: Self = ME) -> Text:
    """The text that an update brought."""
    content = parse(update, me).content
    assert isinstance(content, Text)
    return content


def test_private_text() -> None:
    """A private message brings who, where and what, and is kept as it came."""
    update = message(text="hello")
    assert parse(update, ME) == Inbound(
        "telegram",
        "main",
        "5",
        raw=update,
        sender=Sender("7", "Ana Ruiz", "ana", "es"),
        address=Address("telegram", "main", "7"),
        title="Ana",
        content=Text("hello", "9"),
    )


def test_topic_is_its_own_address() -> None:
    """R-TG-6: each topic of a group is a conversation; a thread of replies is none."""
    topic = parse(message(chat=GROUP, text="x", message_thread_id=3, is_topic_message=True), ME)
    assert topic.address == Address("telegram", "main", "-100", "3")
    assert (topic.place, topic.title) == (Place.GROUP, "Home")
    replies = parse(message(chat=GROUP, text="x", message_thread_id=3), ME)
    assert replies.address == Address("telegram", "main", "-100")


@pytest.mark.parametrize(
    ("text", "addressed", "said"),
    [
        ("hello all", False, "hello all"),
        ("@sim_bot hello", True, "hello"),
        ("@Sim_Bot, hello", True, "hello"),
        ("hello @sim_bot", True, "hello"),
        ("hey @sim_bot what is it", True, "hey what is it"),
        ("me@sim_bot.org", False, "me@sim_bot.org"),
        ("@sim_bot_two hello", False, "@sim_bot_two hello"),
        ("/status", True, "/status"),
        ("/status@sim_bot now", True, "/status now"),
        ("/status@other_bot", False, "/status@other_bot"),
    ],
)
def test_groups_are_gated(text: str, addressed: bool, said: str) -> None:
    """R-TG-6: in a group the bot is meant when named, and its name is not part of what is said."""
    found = text_of(message(chat=GROUP, text=text))
    assert (found.addressed, found.text) == (addressed, said)


def test_replies_in_groups() -> None:
    """A reply to the bot is meant for it; the message that opened a topic is no such thing."""
    ours: dict[str, Any] = {"message_id": 2, "from": {"id": 42}, "text": "the answer"}
    assert text_of(message(chat=GROUP, text="why?", reply_to_message=ours)).addressed
    assert text_of(message(chat=GROUP, text="why?", reply_to_message=ours)).reply_to_text == "the answer"
    opened = {"message_id": 3, "from": {"id": 42}, "forum_topic_created": {"name": "x"}}
    assert not text_of(message(chat=GROUP, text="hi", reply_to_message=opened)).addressed
    quoted = message(text="this?", reply_to_message=ours, quote={"text": "answer"})
    assert text_of(quoted).reply_to_text == "answer"


def test_profile_link_is_a_mention() -> None:
    """A link to the bot's profile names it as well as its user name does."""
    entity = {"type": "text_mention", "offset": 0, "length": 3, "user": {"id": 42}}
    assert text_of(message(chat=GROUP, text="bot, hi", entities=[entity])).addressed


def test_all_means_all() -> None:
    """Where the bot listens to everything, only commands to other bots are not for it."""
    me = Self(42, "sim_bot", trigger="all")
    assert text_of(message(chat=GROUP, text="hello"), me).addressed
    assert not text_of(message(chat=GROUP, text="/x@other_bot"), me).addressed


def test_attachments() -> None:
    """R-TG-7: every kind of file is recognised, a photo in its largest size, an animation once."""
    sizes = [{"file_id": "s", "width": 90, "height": 90}, {"file_id": "L", "width": 900, "height": 900, "file_size": 5}]
    [photo] = text_of(message(photo=sizes, caption="look")).attachments
    assert (photo.kind, photo.ref, photo.name, photo.size) == (AttachmentKind.PHOTO, "L", "photo-9.jpg", 5)
    file = {"file_id": "f", "file_name": "../../etc/pass wd", "mime_type": "text/x", "file_size": 3}
    [document] = text_of(message(document=file)).attachments
    assert (document.kind, document.name, document.mime) == (AttachmentKind.DOCUMENT, "pass wd", "text/x")
    [voice] = text_of(message(voice={"file_id": "v"})).attachments
    assert (voice.kind, voice.name, voice.mime) == (AttachmentKind.VOICE, "voice-9.oga", "audio/ogg")
    [moving] = text_of(message(animation={"file_id": "a"}, document=file)).attachments
    assert moving.kind is AttachmentKind.VIDEO
    for kind in ("audio", "video", "video_note", "sticker"):
        assert len(text_of(message(**{kind: {"file_id": "x"}})).attachments) == 1


def test_album_paste_and_edit() -> None:
    """R-TG-7: parts of an album share a key, a paste Telegram split says so, an edit names what it replaces."""
    assert text_of(message(photo=[{"file_id": "x"}], media_group_id="g1")).group_key == "g1"
    assert text_of(message(text="x" * 4096)).more_expected
    assert text_of(message(text="😀" * 2048)).more_expected
    assert not text_of(message(text="x" * 3999)).more_expected
    update = message(text="new")
    edited = text_of({"update_id": 6, "edited_message": update["message"]})
    assert (edited.edited, edited.vendor_id) == (True, "9")


def test_press() -> None:
    """R-TG-13: a pressed button says who pressed, which message it was, and what it carries."""
    query = {"id": "q1", "from": ANA, "data": "ok:1", "message": {"message_id": 3, "chat": GROUP, "date": 0}}
    found = parse({"update_id": 8, "callback_query": query}, ME)
    assert found.content == Press("ok:1", "3", "q1")
    assert found.sender == Sender("7", "Ana Ruiz", "ana", "es")
    assert found.address == Address("telegram", "main", "-100")


@pytest.mark.parametrize(
    ("member", "reachable"),
    [
        ({"status": "kicked"}, False),
        ({"status": "left"}, False),
        ({"status": "restricted", "is_member": False}, False),
        ({"status": "member"}, True),
    ],
)
def test_chat_status(member: dict[str, Any], reachable: bool) -> None:
    """R-TG-12: being blocked, removed or welcomed again is noticed."""
    change = {"chat": PRIVATE, "from": ANA, "new_chat_member": member}
    assert parse({"update_id": 1, "my_chat_member": change}, ME).content == ChatStatus(reachable)


def test_other_content_is_told_in_words() -> None:
    """A place, a contact or a poll is not swallowed."""
    place = {"latitude": 1.5, "longitude": 2}
    assert text_of(message(location=place)).text == "[location: 1.5, 2]"
    assert "Lab" in text_of(message(location=place, venue={"title": "Lab", "address": "1 Road"})).text
    assert "+49" in text_of(message(contact={"first_name": "Ben", "phone_number": "+49"})).text
    assert "tea" in text_of(message(poll={"question": "drink?", "options": [{"text": "tea"}]})).text
    assert "4" in text_of(message(dice={"emoji": "🎲", "value": 4})).text


def test_anonymous_administrator() -> None:
    """Somebody who writes as the group is the group, not one shared user."""
    group = message(chat=GROUP, text="hi", sender_chat=GROUP)
    assert parse(group, ME).sender == Sender("-100", "Home")


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1},
        {"update_id": 1, "poll": {}},
        message(new_chat_members=[ANA]),
        message(migrate_to_chat_id=-5),
        message(chat={"id": -1, "type": "channel"}, text="news"),
        {"update_id": 1, "callback_query": {"id": "1", "from": ANA, "game_short_name": "x"}},
    ],
)
def test_of_no_interest(update: dict[str, Any]) -> None:
    """What is understood and of no interest has neither content nor problem."""
    found = parse(update, ME)
    assert (found.content, found.problem) == (None, "")


@pytest.mark.parametrize(
    "update", [None, 3, [], "x", message(text=5), {"update_id": 1, "message": {"message_id": 1, "from": ANA}}]
)
def test_poison(update: object) -> None:
    """R-TG-2: what cannot be understood is handed in with the reason, and never raises."""
    found = parse(update, ME)
    assert found.content is None
    assert found.problem


def test_storable() -> None:
    """NUL and lone surrogates, which no database takes, are replaced in the text and in the raw update."""
    found = parse(message(text="a\0b\ud800c😀"), ME)
    assert isinstance(found.content, Text)
    assert found.content.text == "a\ufffdb\ufffdc😀"
    assert found.raw["message"]["text"] == "a\ufffdb\ufffdc😀"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    *("message_id", "from", "chat", "text", "caption", "photo", "document", "voice", "entities", "reply_to_message"),
    *("quote", "media_group_id", "message_thread_id", "is_topic_message", "sender_chat", "location", "poll", "dice"),
)


@given(
    st.sampled_from(["message", "edited_message", "callback_query", "my_chat_member"]),
    st.dictionaries(st.sampled_from(FIELDS), json_values),
    st.booleans(),
)
def test_fuzzed(kind: str, fields: dict[str, Any], real: bool) -> None:
    """No JSON on earth makes parsing raise."""
    content: dict[str, Any] = {**message(text="x")["message"], **fields} if real else fields
    found = parse({"update_id": 1, kind: content}, ME)
    assert found.update_id == "1"
    if found.content is None:
        return
    assert found.sender
    assert found.address


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ({"type": "user", "sender_user": {"id": 8, "first_name": "Eve"}}, "forwarded from Eve"),
        ({"type": "hidden_user", "sender_user_name": "Somebody Else"}, "forwarded from Somebody Else"),
        ({"type": "channel", "chat": {"id": -3, "title": "News"}}, "forwarded from News"),
        ({"type": "chat", "sender_chat": {"id": -3}}, "forwarded from somebody"),
        ({"type": "user", "sender_user": ANA}, ""),
    ],
)
def test_forwarded(origin: dict[str, Any], source: str) -> None:
    """R-PO-3: what somebody else wrote is known as theirs; one's own words that are handed on stay one's own."""
    assert text_of(message(text="hello", forward_origin=origin)).source == source
