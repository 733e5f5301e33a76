"""The Telegram simulator's methods, by the real client: what it does, and what it refuses in which words."""

from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
from telegram import (
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    Message,
    MessageEntity,
    ReactionTypeEmoji,
    ReplyParameters,
)
from telegram.error import BadRequest, EndPointNotFound, Forbidden, InvalidToken, TelegramError

from lar.testing.models.samples import mp3_bytes, ogg_opus_bytes, png_bytes
from lar.testing.telegram import Json, TelegramSim

FORUM = -1009876543210
USER = 7


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSim]:
    """The simulator, listening."""
    async with TelegramSim() as simulator:
        yield simulator


@pytest.fixture
async def bot(telegram: TelegramSim) -> AsyncIterator[Bot]:
    """The real client, pointed at it."""
    async with Bot(telegram.token, f"{telegram.url}/bot", f"{telegram.url}/file/bot") as client:
        yield client


@contextmanager
def refused(error: str, kind: type[TelegramError] = BadRequest) -> Generator[None]:
    """The client raises, with the server's words, whose first letter it may capitalize."""
    with pytest.raises(kind) as caught:
        yield
    assert error.lower() in caught.value.message.lower()


async def raw(telegram: TelegramSim, method: str, **arguments: Any) -> Json:
    """A call the client has no name for, or would not let through; the whole answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{telegram.url}/bot{telegram.token}/{method}", json=arguments) as answer,
    ):
        return await answer.json()


async def test_text_is_measured_and_parsed_as_by_the_server(bot: Bot) -> None:
    """Limits count code points after the markup is gone; entities come back in UTF-16 units."""
    assert bot.username == "sim_bot"
    assert len((await bot.send_message(USER, "😀" * 4096)).text or "") == 4096
    assert (await bot.send_message(USER, f"<b>{'x' * 4096}</b>", parse_mode="HTML")).text == "x" * 4096
    sent = await bot.send_message(USER, "😀 *bold* and https://lar\\.test/x", parse_mode="MarkdownV2")
    assert [(e.type, e.offset, e.length) for e in sent.entities] == [("bold", 3, 4), ("url", 12, 18)]


@pytest.mark.parametrize(
    ("text", "mode", "error"),
    [
        ("", None, "message text is empty"),
        ("  \n ", None, "text must be non-empty"),
        ("x" * 4097, None, "message is too long"),
        ("x" * 40000, None, "text is too long"),
        ("<p>x</p>", "HTML", 'can\'t parse entities: Unsupported start tag "p" at byte offset 0'),
        ("<b>x", "HTML", "can't parse entities: Can't find end tag corresponding to start tag"),
        ("a.b", "MarkdownV2", "can't parse entities: Character '.' is reserved and must be escaped"),
        ("é *a", "MarkdownV2", "can't parse entities: Can't find end of Bold entity at byte offset 3"),
        ("snake_case", "Markdown", "can't parse entities: Can't find end of the entity starting at byte offset 5"),
        ("x", "Word", "unsupported parse_mode"),
    ],
)
async def test_refuses_texts_in_the_servers_words(
    telegram: TelegramSim, text: str, mode: str | None, error: str
) -> None:
    """A gateway decides by these words whether to send plain text instead."""
    answer = await raw(telegram, "sendMessage", chat_id=USER, text=text, parse_mode=mode)
    assert answer["description"].startswith(f"Bad Request: {error}")


@pytest.mark.parametrize(
    ("offset", "length", "error"),
    [
        (1, 1, "entity begins in a middle of a UTF-16 symbol at byte offset 4"),
        (0, 1, "entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at byte offset 4"),
        (9, 1, "entity begins after the end of the text at UTF-16 offset 9"),
        (2, 9, "entity beginning at UTF-16 offset 2 ends after the end of the text at UTF-16 offset 11"),
        (-1, 1, "receive an entity with incorrect offset -1"),
    ],
)
async def test_refuses_entities_that_miss_the_text(telegram: TelegramSim, offset: int, length: int, error: str) -> None:
    """Offsets counted in characters instead of UTF-16 units must fail here, not first at Telegram."""
    bold = {"type": "bold", "offset": offset, "length": length}
    answer = await raw(telegram, "sendMessage", chat_id=USER, text="😀 ab", entities=[bold])
    assert answer["description"] == f"Bad Request: {error}"


async def test_entities_follow_their_text_through_cleaning(bot: Bot) -> None:
    """Carriage returns vanish and the ends are trimmed: what was bold stays bold."""
    sent = await bot.send_message(USER, " \r😀 ab ", entities=[MessageEntity("bold", 5, 2)])
    assert sent.text == "😀 ab"
    assert [(e.offset, e.length) for e in sent.entities] == [(3, 2)]


async def test_edits_must_change_something_that_is_there(telegram: TelegramSim, bot: Bot) -> None:
    """The server refuses edits of the missing, the foreign, the unchanged."""
    first = await bot.send_message(USER, "first")
    for text, message_id, error in (
        ("first", first.message_id, "message is not modified"),
        ("x", 9999, "message to edit not found"),
        ("x" * 5000, first.message_id, "MESSAGE_TOO_LONG"),
        ("x", telegram.send_text("mine", USER)["message_id"], "message can't be edited"),
    ):
        with refused(error):
            await bot.edit_message_text(text, USER, message_id)
    edited = await bot.edit_message_text("second", USER, first.message_id)
    assert isinstance(edited, Message)
    assert edited.edit_date
    assert await bot.delete_message(USER, first.message_id)
    with refused("message to delete not found"):
        await bot.delete_message(USER, first.message_id)
    assert [event["kind"] for event in telegram.events(USER)] == ["send", "user", "edit", "delete"]


async def test_captions_buttons_and_media_change_apart(telegram: TelegramSim, bot: Bot) -> None:
    """Each kind of edit replaces its own part, and drops the buttons unless they are sent again."""
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data="go")]])
    photo = await bot.send_photo(USER, png_bytes(), caption="old", reply_markup=keyboard)
    await bot.edit_message_caption(USER, photo.message_id, caption="new", reply_markup=keyboard)
    media = InputMediaPhoto(png_bytes(9, 9), "newest")
    await bot.edit_message_media(media, USER, photo.message_id, reply_markup=keyboard)
    await bot.edit_message_reply_markup(USER, photo.message_id)
    seen = telegram.messages(USER)[-1]
    assert (seen["caption"], seen["photo"][-1]["width"], "reply_markup" in seen) == ("newest", 9, False)
    with refused("there is no text in the message to edit"):
        await bot.edit_message_text("x", USER, photo.message_id)
    with pytest.raises(LookupError, match="no matching inline button"):
        telegram.press(USER, data="go")
    assert await bot.delete_messages(USER, [photo.message_id, 9999])
    assert telegram.messages(USER) == []


async def test_groups_have_members_and_topics(telegram: TelegramSim, bot: Bot) -> None:
    """The bot administers every group it is in; a private chat has no administrators."""
    telegram.chat(FORUM, title="F")
    assert [member.user.id for member in await bot.get_chat_administrators(FORUM)] == [bot.id]
    assert (await bot.get_chat_member(FORUM, bot.id)).status == "administrator"
    assert await bot.get_chat_member_count(FORUM) == 3
    with refused("there are no administrators in the private chat"):
        await bot.get_chat_administrators(USER)
    sent = await bot.send_message(FORUM, "x")
    await bot.forward_messages(USER, FORUM, [sent.message_id])
    await bot.copy_messages(USER, FORUM, [sent.message_id])
    assert [message["text"] for message in telegram.messages(USER)] == ["x", "x"]
    with refused("message to copy not found"):
        await bot.copy_message(USER, FORUM, 9999)


async def test_where_a_message_goes_is_checked(telegram: TelegramSim, bot: Bot) -> None:
    """Unknown chats, gone messages, missing topics and blocks are told apart."""
    gone = ReplyParameters(9999)
    lenient = ReplyParameters(9999, allow_sending_without_reply=True)
    telegram.chat(FORUM, is_forum=True)
    with refused("chat not found"):
        await bot.send_message(-5, "x")
    with refused("message to be replied not found"):
        await bot.send_message(USER, "x", reply_parameters=gone)
    assert (await bot.send_message(USER, "x", reply_parameters=lenient)).reply_to_message is None
    with refused("message thread not found"):
        await bot.send_message(FORUM, "x", message_thread_id=777)
    topic = await bot.create_forum_topic(FORUM, "News")
    assert (await bot.send_message(FORUM, "x", message_thread_id=topic.message_thread_id)).is_topic_message
    with refused("the chat is not a forum"):
        await bot.create_forum_topic(USER, "x")
    telegram.block(8)
    with refused("bot was blocked by the user", Forbidden):
        await bot.send_message(8, "x")
    telegram.block(8, blocked=False)
    assert await bot.send_message(8, "x")


@pytest.mark.parametrize(
    ("keyboard", "error"),
    [
        ({"inline_keyboard": [{"text": "x"}]}, "must be an Array of Arrays"),
        ({"inline_keyboard": [[{"text": "x"}]]}, "Text buttons are unallowed in the inline keyboard"),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "ä" * 33}]]}, "BUTTON_DATA_INVALID"),
        ({"inline_keyboard": [[{"text": "", "callback_data": "x"}]]}, "BUTTON_TEXT_EMPTY"),
        ("{", "can't parse reply keyboard markup JSON object"),
        ([], "object expected as reply markup"),
    ],
)
async def test_refuses_wrong_keyboards(telegram: TelegramSim, keyboard: Any, error: str) -> None:
    """Callback data is measured in bytes; a button does something."""
    answer = await raw(telegram, "sendMessage", chat_id=USER, text="x", reply_markup=keyboard)
    assert answer["error_code"] == 400
    assert error in answer["description"]


async def test_files_go_up_and_come_down(telegram: TelegramSim, bot: Bot) -> None:
    """Every kind of medium is described as the server describes it, and can be fetched again."""
    photo = await bot.send_photo(USER, png_bytes(90, 30), caption="*c*", parse_mode="MarkdownV2")
    assert (photo.photo[-1].width, photo.photo[-1].height, photo.caption) == (90, 30, "c")
    assert photo.caption_entities[0].type == "bold"
    assert (await bot.send_photo(USER, photo.photo[-1].file_id)).photo
    sent = await bot.send_document(USER, b"hello", filename="h.txt")
    assert sent.document
    assert sent.document.file_name == "h.txt"
    fetched = await bot.get_file(sent.document.file_id)
    assert fetched.file_unique_id == sent.document.file_unique_id
    assert bytes(await fetched.download_as_bytearray()) == b"hello"
    voice = (await bot.send_voice(USER, ogg_opus_bytes())).voice
    audio = (await bot.send_audio(USER, mp3_bytes(), title="T")).audio
    assert voice
    assert audio
    assert (voice.mime_type, audio.title) == ("audio/ogg", "T")
    assert (await bot.send_video(USER, b"\0" * 10)).video
    animation = await bot.send_animation(USER, b"\0" * 10)
    assert animation.animation
    assert animation.document
    assert len(telegram.messages(USER)) == 7


async def test_refuses_files_it_cannot_use(bot: Bot) -> None:
    """No image, no such id, nothing fetched, a caption too long."""
    photo = await bot.send_photo(USER, png_bytes())
    files: list[tuple[bytes | str, str]] = [
        (b"not an image", "IMAGE_PROCESS_FAILED"),
        ("nonsense", "wrong file identifier/HTTP URL specified"),
        ("http://127.0.0.1:9/x.png", "failed to get HTTP URL content"),
        (b"", "file must be non-empty"),
    ]
    for file, error in files:
        with refused(error):
            await bot.send_photo(USER, file)
    with refused("message caption is too long"):
        await bot.send_photo(USER, photo.photo[-1].file_id, caption="c" * 1025)
    with refused("wrong file_id or the file is temporarily unavailable"):
        await bot.get_file("nonsense")


async def test_an_album_is_all_or_nothing(telegram: TelegramSim, bot: Bot) -> None:
    """Its messages share an id; one bad medium and none appears."""
    album = await bot.send_media_group(USER, [InputMediaPhoto(png_bytes(), "one"), InputMediaPhoto(png_bytes())])
    assert [message.caption for message in album] == ["one", None]
    assert len({message.media_group_id for message in album}) == 1
    with refused("wrong file identifier"):
        await bot.send_media_group(USER, [InputMediaPhoto(png_bytes()), InputMediaPhoto("nonsense")])
    mixed = [{"type": "photo", "media": "x"}, {"type": "audio", "media": "y"}]
    for media, error in ((mixed, "Can't use the media"), ([], "no messages to send"), (mixed * 6, "too many messages")):
        assert error in (await raw(telegram, "sendMediaGroup", chat_id=USER, media=media))["description"]
    assert len(telegram.messages(USER)) == 2


async def test_reactions_pins_copies_polls_and_the_rest(telegram: TelegramSim, bot: Bot) -> None:
    """What a gateway does beside writing has its effect, and its own refusals."""
    first = await bot.send_message(USER, "first")
    number = first.message_id
    assert await bot.set_message_reaction(USER, number, "👀")
    assert telegram.events(USER)[-1] | {"seq": 0, "t": 0, "message": {}} == {
        "seq": 0,
        "t": 0,
        "kind": "reaction",
        "chat_id": USER,
        "message_id": number,
        "text": "👀",
        "message": {},
    }
    with refused("REACTION_INVALID"):
        await bot.set_message_reaction(USER, number, ReactionTypeEmoji("🥑"))
    assert await bot.pin_chat_message(USER, number)
    pinned = (await bot.get_chat(USER)).pinned_message
    assert pinned
    assert pinned.text == "first"
    assert await bot.unpin_chat_message(USER)
    assert (await bot.copy_message(USER, USER, number)).message_id == number + 1
    assert (await bot.forward_message(USER, USER, number)).forward_origin
    assert await bot.send_chat_action(USER, "typing")
    with refused("wrong parameter action"):
        await bot.send_chat_action(USER, "dancing")
    poll = await bot.send_poll(USER, "q?", ["a", "b"])
    assert (await bot.stop_poll(USER, poll.message_id)).is_closed
    assert (await bot.send_location(USER, 1.5, 2.5)).location
    assert (await bot.get_chat_member(USER, USER)).status == "member"
    assert (await bot.get_user_profile_photos(USER)).total_count == 0
    with refused("query is too old"):
        await bot.answer_callback_query("123")


async def test_drafts_are_seen_but_not_kept(telegram: TelegramSim, bot: Bot) -> None:
    """Streaming by drafts leaves a trail of events and no message."""
    assert await bot.send_message_draft(USER, 1, "part")
    assert await bot.send_message_draft(USER, 1, "*partial* answer", parse_mode="MarkdownV2")
    drafts = [(event["text"], event["draft_id"]) for event in telegram.events(USER) if event["kind"] == "draft"]
    assert drafts == [("part", 1), ("partial answer", 1)]
    assert telegram.messages(USER) == []
    with refused("RANDOM_ID_INVALID"):
        await bot.send_message_draft(USER, 0, "x")
    telegram.chat(FORUM)
    with refused("TEXTDRAFT_PEER_INVALID"):
        await bot.send_message_draft(FORUM, 1, "x")


async def test_rich_messages_show_their_source(telegram: TelegramSim) -> None:
    """The user's side reads what was written; the bot gets blocks back and may replace them."""
    table = "# T\n\n| a |\n|---|\n| 1 |"
    sent = (await raw(telegram, "sendRichMessage", chat_id=USER, rich_message={"markdown": table}))["result"]
    assert "text" not in sent
    assert sent["rich_message"]["blocks"]
    assert telegram.messages(USER)[-1]["text"] == table
    where = {"chat_id": USER, "message_id": sent["message_id"]}
    assert (await raw(telegram, "editMessageText", **where, rich_message={"html": "<p>x</p>"}))["ok"]
    assert telegram.messages(USER)[-1]["text"] == "<p>x</p>"
    draft = {"chat_id": USER, "draft_id": 3, "rich_message": {"markdown": "# T"}}
    assert (await raw(telegram, "sendRichMessageDraft", **draft))["ok"]
    assert telegram.events(USER)[-1]["rich"] == {"markdown": "# T"}
    both = await raw(telegram, "sendRichMessage", chat_id=USER, rich_message={"html": "x", "markdown": "x"})
    assert "exactly one of the fields" in both["description"]


async def test_the_bots_profile_is_kept_per_scope_and_language(telegram: TelegramSim, bot: Bot) -> None:
    """Commands and descriptions are checked, kept and given back."""
    assert await bot.set_my_commands([BotCommand("help", "Help")])
    assert [command.command for command in await bot.get_my_commands()] == ["help"]
    assert await bot.get_my_commands(language_code="de") == ()
    assert await bot.delete_my_commands()
    assert await bot.get_my_commands() == ()
    with refused("BOT_COMMAND_INVALID"):
        await bot.set_my_commands([BotCommand("Bad-Name", "x")])
    assert await bot.set_my_description("D")
    assert (await bot.get_my_description("de")).description == "D"
    assert (await bot.get_my_name()).name == "Sim Bot"
    with refused("BOT_ABOUT_INVALID"):
        await bot.set_my_short_description("x" * 121)
    assert telegram.bot.profile == {("description", ""): "D"}


async def test_strangers_and_unknown_methods_are_turned_away(telegram: TelegramSim, bot: Bot) -> None:
    """401 for a wrong token; 404 for what this server does not have, or no longer."""
    stranger = Bot("1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", f"{telegram.url}/bot")
    with pytest.raises(InvalidToken):
        await stranger.initialize()
    await stranger.shutdown()
    with pytest.raises(EndPointNotFound):
        await bot.do_api_request("noSuchMethod")
    telegram.configure({"disabled_methods": ["sendMessageDraft"]})
    with pytest.raises(InvalidToken):  # this client's reading of any 404
        await bot.send_message_draft(USER, 1, "x")
    assert telegram.calls[-1]["description"] == "Not Found: method not found"
