"""The Telegram simulator as a server: updates by polling and webhook, faults, limits, the user's side over HTTP."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest, Conflict, Forbidden, NetworkError, RetryAfter
from telegram.ext import Application, CallbackQueryHandler, ContextTypes, MessageHandler, filters

from lar.testing.clock import FakeClock
from lar.testing.models.samples import png_bytes
from lar.testing.telegram import DEFAULT_USER, Json, TelegramSim

GROUP = -1001234567890
SECRET = "s3cret"  # noqa: S105  # opens nothing


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


class Caller:
    """Bare HTTP to the simulator."""

    def __init__(self, session: aiohttp.ClientSession, telegram: TelegramSim) -> None:
        self._session = session
        self._base = telegram.url
        self._bot = f"/bot{telegram.token}/"

    async def bot(self, method: str, **arguments: Any) -> Json:
        """A call of the bot; the whole answer."""
        return await self.post(self._bot + method, **arguments)

    async def updates(self, **arguments: Any) -> list[Json]:
        """What getUpdates returns."""
        return (await self.bot("getUpdates", **arguments))["result"]

    async def post(self, path: str, **arguments: Any) -> Any:
        """Arguments as JSON."""
        async with self._session.post(self._base + path, json=arguments) as answer:
            return await answer.json()

    async def get(self, path: str, **arguments: Any) -> Any:
        """Arguments in the query."""
        async with self._session.get(self._base + path, params=arguments) as answer:
            return await answer.json()


@pytest.fixture
async def http(telegram: TelegramSim) -> AsyncIterator[Caller]:
    """Bare HTTP."""
    async with aiohttp.ClientSession() as session:
        yield Caller(session, telegram)


async def test_a_real_application_talks_to_its_user(telegram: TelegramSim) -> None:
    """Text, buttons, edits, photos down and documents up, through python-telegram-bot's own polling."""
    telegram.configure({"poll_floor": 0.0})  # its updater says goodbye with a poll that would wait

    async def on_text(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Push", callback_data="pushed")]])
        assert update.message
        await update.message.reply_text(f"_ptb_ {update.message.text}", "MarkdownV2", reply_markup=keyboard)

    async def on_photo(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message
        data = await (await update.message.photo[-1].get_file()).download_as_bytearray()
        await update.message.reply_document(bytes(data), caption=update.message.caption, filename="back.png")

    async def on_press(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.callback_query
        await update.callback_query.answer()
        await update.callback_query.edit_message_text(f"done {update.callback_query.data}")

    builder = Application.builder().token(telegram.token).base_url(f"{telegram.url}/bot")
    app = builder.base_file_url(f"{telegram.url}/file/bot").build()
    app.add_handlers([MessageHandler(filters.TEXT, on_text), MessageHandler(filters.PHOTO, on_photo)])
    app.add_handler(CallbackQueryHandler(on_press))
    async with app:
        await app.start()
        assert app.updater
        await app.updater.start_polling(drop_pending_updates=True, allowed_updates=Update.ALL_TYPES)
        reply = await telegram.ask("hello", 3)
        assert reply["text"] == "ptb hello"
        assert reply["message"]["entities"][0]["type"] == "italic"
        pressed = telegram.press(3, text="^Push$")
        edited = await telegram.expect_reply(3, pressed["seq"])
        assert (edited["kind"], edited["text"], "reply_markup" in edited["message"]) == ("edit", "done pushed", False)
        sent = telegram.send_media("photo", png_bytes(), 3, caption="cap")
        back = await telegram.expect_reply(3, sent["seq"])
        assert (back["message"]["document"]["file_name"], back["text"]) == ("back.png", "cap")
        await app.updater.stop()
        await app.stop()


async def test_updates_stay_until_confirmed(telegram: TelegramSim, http: Caller) -> None:
    """An offset confirms what is older, nothing else does: at-least-once begins here."""
    ids = [telegram.send_text(text)["update_id"] for text in "abc"]
    assert [update["update_id"] for update in await http.updates()] == ids
    confirmed = await http.updates(offset=ids[1], limit=1)
    assert [update["message"]["text"] for update in confirmed] == ["b"]
    assert [update["update_id"] for update in await http.updates(offset=-1)] == [ids[2]]
    assert await http.updates(offset=ids[2] + 1) == []


async def test_a_second_poller_ends_the_first(telegram: TelegramSim, bot: Bot, http: Caller) -> None:
    """409 for the older; the newer is woken by the next message."""
    first = asyncio.create_task(bot.get_updates(offset=5, timeout=10))
    await telegram.until_polling()
    second = asyncio.create_task(http.updates(offset=5, timeout=10))
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await first
    await telegram.until_polling()
    telegram.send_text("wake up")
    assert (await asyncio.wait_for(second, 1))[0]["message"]["text"] == "wake up"


async def test_a_poll_runs_out_after_its_time(http: Caller) -> None:
    """A quiet long poll answers with nothing."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await http.updates(timeout=1) == []
    assert 0.9 <= loop.time() - began < 3


async def test_the_bot_gets_the_updates_it_asked_for(telegram: TelegramSim, http: Caller) -> None:
    """allowed_updates filters; reactions must be asked for."""
    message = telegram.send_text("x")
    assert telegram.react(DEFAULT_USER, message["message_id"], "👍") is None
    await http.updates(offset=10**9, allowed_updates=["message_reaction"])
    assert telegram.send_text("unwanted")["update_id"] is None
    assert telegram.react(DEFAULT_USER, message["message_id"], "👍")
    assert (await http.updates())[-1]["message_reaction"]["new_reaction"] == [{"type": "emoji", "emoji": "👍"}]


async def test_privacy_mode_hides_group_chatter(telegram: TelegramSim, http: Caller) -> None:
    """In groups the bot sees commands, mentions and replies to itself; in private everything."""
    telegram.configure({"privacy_mode": True})
    assert telegram.send_text("chatter", GROUP)["update_id"] is None
    assert telegram.send_text("/help@other_bot", GROUP)["update_id"] is None
    mine = (await http.bot("sendMessage", chat_id=GROUP, text="hello"))["result"]["message_id"]
    seen = [
        telegram.send_text("hey @sim_bot", GROUP),
        telegram.send_text("/help", GROUP),
        telegram.send_text("/help@sim_bot", GROUP),
        telegram.send_text("yes", GROUP, reply_to=mine),
        telegram.send_text("chatter"),
    ]
    assert all(sent["update_id"] for sent in seen)


async def test_messages_carry_where_they_came_from(telegram: TelegramSim, http: Caller) -> None:
    """Topics, albums, edits, senders of groups: as the bot gets them."""
    topic = telegram.send_text("in topic", GROUP, is_forum=True, thread_id=55, user=5, title="G")
    album = [telegram.send_media("photo", png_bytes(), media_group_id="9", caption=text) for text in ("a", None)]
    telegram.send_text("edited", edit=album[0]["message_id"])
    updates = await http.updates()
    first = updates[0]["message"]
    assert first["message_id"] == topic["message_id"]
    assert (first["message_thread_id"], first["from"]["id"], first["chat"]["title"]) == (55, 5, "G")
    assert [update["message"]["media_group_id"] for update in updates[1:3]] == ["9", "9"]
    assert updates[3]["edited_message"]["message_id"] == album[0]["message_id"]
    sent = await http.bot("sendMessage", chat_id=GROUP, message_thread_id=55, text="x")
    assert sent["result"]["message_thread_id"] == 55
    mistake: Any = {"topic": 1}
    with pytest.raises(TypeError, match="topic"):
        telegram.send_text("x", **mistake)


class Hook:
    """A webhook that fails as often as told, then answers with a method call."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.seen: list[tuple[str, str | None]] = []

    async def take(self, request: web.Request) -> web.Response:
        """One update."""
        if self.failures:
            self.failures -= 1
            return web.Response(status=502, headers={"Retry-After": "0.05"})
        message = (await request.json())["message"]
        self.seen.append((message["text"], request.headers.get("X-Telegram-Bot-Api-Secret-Token")))
        answer = {"method": "sendMessage", "chat_id": message["chat"]["id"], "text": f"re {message['text']}"}
        return web.json_response(answer)


async def test_webhooks_are_pushed_to_until_they_answer(telegram: TelegramSim, bot: Bot) -> None:
    """In order per chat, with the secret, again after failures; the answer may carry a call; no polling meanwhile."""
    hook = Hook(failures=2)
    app = web.Application()
    app.router.add_post("/hook", hook.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    telegram.send_text("early")
    assert await bot.set_webhook(url, secret_token=SECRET)
    with pytest.raises(Conflict, match="can't use getUpdates method while webhook is active"):
        await bot.get_updates()
    sent = telegram.send_text("late")
    await telegram.expect_reply(after=sent["seq"], match="re late", timeout=6)
    assert hook.seen == [("early", SECRET), ("late", SECRET)]
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count) == (url, 0)
    assert "502" in (info.last_error_message or "")
    assert telegram.calls[-2]["method"] == "sendmessage"
    assert telegram.calls[-2]["via"] == "webhook response"
    assert await bot.delete_webhook()
    assert (await bot.get_webhook_info()).url == ""
    await runner.cleanup()


async def test_a_webhook_that_is_away_loses_nothing(telegram: TelegramSim, http: Caller) -> None:
    """Nobody listens: the update stays, the error is told, and polling gets it once the webhook is gone."""
    telegram.configure({"poll_floor": 0.0})
    assert (await http.bot("setWebhook", url="http://127.0.0.1:9/hook"))["ok"]
    telegram.send_text("kept")
    info: Json = {}
    for _ in range(500):
        info = (await http.bot("getWebhookInfo"))["result"]
        if "last_error_message" in info:
            break
        await asyncio.sleep(0.01)
    assert info["last_error_message"].startswith("Connection failed")
    assert info["pending_update_count"] == 1
    assert (await http.bot("setWebhook", url=""))["ok"]
    assert [update["message"]["text"] for update in await http.updates()] == ["kept"]
    assert (await http.bot("deleteWebhook", drop_pending_updates=True))["ok"]
    assert await http.updates() == []


async def test_refuses_wrong_webhooks(telegram: TelegramSim, bot: Bot) -> None:
    """No URL, a secret with odd characters, plain http where https is demanded."""
    for url, secret, error in (
        ("ftp://x", None, "invalid webhook URL"),
        ("http://x", "a b", "unallowed characters"),
    ):
        with pytest.raises(BadRequest, match=f"(?i){error}"):
            await bot.set_webhook(url, secret_token=secret)
    telegram.configure({"strict_https": True})
    with pytest.raises(BadRequest, match=r"(?i)an https url must be provided"):
        await bot.set_webhook("http://x")


async def test_faults_come_as_ordered(telegram: TelegramSim, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors, lost connections, lost answers and delays, so often and no more, for this chat and no other."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # the client's future type of retry_after, without its warning
    telegram.fail("sendMessage", status=429, retry_after=7)
    with pytest.raises(RetryAfter) as limited:
        await bot.send_message(7, "x")
    assert limited.value.retry_after == timedelta(seconds=7)
    telegram.fail("sendMessage", 2, status=500)
    for _ in range(2):
        with pytest.raises(NetworkError, match="Internal Server Error"):
            await bot.send_message(7, "x")
    telegram.fail("sendMessage", drop=True)
    with pytest.raises(NetworkError):
        await bot.send_message(7, "x")
    assert telegram.messages(7) == []
    telegram.fail("sendMessage", drop=True, after=True)
    with pytest.raises(NetworkError):
        await bot.send_message(7, "sent, answer lost")
    assert telegram.messages(7)[-1]["text"] == "sent, answer lost"
    telegram.fail(status=403, chat_id=8, skip=1)
    assert await bot.send_message(7, "another chat")
    assert await bot.send_message(8, "skipped")
    with pytest.raises(Forbidden, match="blocked"):
        await bot.send_message(8, "x")
    began = asyncio.get_running_loop().time()
    telegram.fail("sendMessage", hang=0.2)
    assert await bot.send_message(7, "late")
    assert asyncio.get_running_loop().time() - began >= 0.19
    mistake: Any = {"retry": 3}
    with pytest.raises(TypeError, match="retry"):
        telegram.fail("sendMessage", **mistake)


async def test_rate_limits_follow_the_clock() -> None:
    """A private chat takes a burst of three, then one a second; a group twenty; the clock is the test's."""
    clock = FakeClock()
    async with TelegramSim(clock=clock, rate_limits=True) as telegram, aiohttp.ClientSession() as session:
        http = Caller(session, telegram)
        telegram.chat(GROUP)

        async def burst(chat_id: int) -> tuple[int, Json]:
            for count in range(30):
                answer = await http.bot("sendMessage", chat_id=chat_id, text=f"{count}")
                if not answer["ok"]:
                    return count, answer
            pytest.fail("no limit")

        allowed, refused = await burst(7)
        assert (allowed, refused["error_code"], refused["parameters"]) == (3, 429, {"retry_after": 1})
        assert refused["description"] == "Too Many Requests: retry after 1"
        clock.advance(2)
        assert (await burst(7))[0] == 2
        allowed, refused = await burst(GROUP)
        assert (allowed, refused["parameters"]) == (20, {"retry_after": 3})


async def test_every_encoding_of_arguments_is_read(telegram: TelegramSim) -> None:
    """JSON, form, multipart and query; method names in any case; broken JSON refused."""
    url = f"{telegram.url}/bot{telegram.token}/SENDmessage"
    async with aiohttp.ClientSession() as session:
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("chat_id", "7")
        form.add_field("text", "multipart")
        bodies: list[Any] = [
            {"json": {"chat_id": 7, "text": "json"}},
            {"data": {"chat_id": "7", "text": "form"}},
            {"data": form},
            {"params": {"chat_id": "7", "text": "query"}},
        ]
        for body in bodies:
            async with session.post(url, **body) as answer:
                assert (await answer.json())["ok"]
        async with session.post(url, data="{", headers={"Content-Type": "application/json"}) as answer:
            assert (answer.status, (await answer.json())["description"][:12]) == (400, "Bad Request:")
    assert [message["text"] for message in telegram.messages(7)] == ["json", "form", "multipart", "query"]


async def test_the_users_side_over_http(http: Caller) -> None:
    """A test in another process injects, presses, waits, orders faults and reads the logs."""
    photo = {"b64": base64.b64encode(png_bytes()).decode()}
    where = {"chat_id": GROUP, "chat_type": "supergroup", "title": "G", "user": 5}
    sent = await http.post("/_sim/inject", **where, text="hello /cmd@sim_bot", photo=photo)
    waiting = asyncio.create_task(http.get("/_sim/wait", chat_id=GROUP, after=sent["seq"], match="re.ly", timeout=5))
    go = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    await http.bot("sendMessage", chat_id=GROUP, text="a reply", reply_markup=go)
    reply = (await waiting)["reply"]
    assert reply["text"] == "a reply"
    assert reply["t"] >= sent["t"]
    assert (await http.post("/_sim/press", chat_id=GROUP, data="go"))["data"] == "go"
    assert "no matching inline button" in (await http.post("/_sim/press", chat_id=GROUP, data="missing"))["error"]
    updates = await http.updates()
    assert [min(update) for update in updates] == ["message", "callback_query"]
    assert updates[0]["message"]["photo"]
    assert updates[0]["message"]["entities"][0]["type"] == "bot_command"
    assert len((await http.get(f"/_sim/chat/{GROUP}"))["messages"]) == 2
    events = await http.get(f"/_sim/events/{GROUP}", after=sent["seq"])
    assert [event["kind"] for event in events] == ["send", "press"]
    call = (await http.get("/_sim/calls", method="sendMessage"))[-1]
    assert (call["status"], call["params"]["text"], call["chat_id"]) == (200, "a reply", GROUP)
    assert len(await http.post("/_sim/faults", method="sendMessage", count=2, status=500)) == 1
    assert (await http.bot("sendMessage", chat_id=7, text="x"))["error_code"] == 500
    assert await http.post("/_sim/faults", clear=True) == []
    assert (await http.post("/_sim/raw", poll={"id": "1"}))["update_id"]
    assert (await http.get("/_sim/state"))["sim_bot"]["pending"] == 3
    assert (await http.post("/_sim/config", latency=0.0))["latency"] == 0.0
    assert "unknown options" in (await http.post("/_sim/config", nonsense=1))["error"]
    assert "no control action" in (await http.post("/_sim/nonsense"))["error"]
    await http.post("/_sim/block", chat_id=7)
    assert (await http.bot("sendMessage", chat_id=7, text="x"))["error_code"] == 403
    assert (await http.post("/_sim/reset"))["ok"]
    assert await http.get("/_sim/calls") == []


async def test_waiting_tells_replies_from_silence(telegram: TelegramSim, http: Caller) -> None:
    """The first match, or with `settle` the last once it is quiet; None or an error that shows what came."""
    assert await telegram.wait_reply(timeout=0.01) is None
    for text in ("one", "two"):
        await http.bot("sendMessage", chat_id=DEFAULT_USER, text=text)
    first = await telegram.wait_reply()
    settled = await telegram.wait_reply(settle=0.05)
    assert first
    assert settled
    assert (first["text"], settled["text"]) == ("one", "two")
    with pytest.raises(TimeoutError, match=r"\('send', 'one'\)"):
        await telegram.expect_reply(match="three", timeout=0.01)


async def test_bots_of_one_server_do_not_meet() -> None:
    """Each token has its own updates and name."""
    other = "77:BBB"
    async with TelegramSim(extra_tokens=[other]) as telegram, aiohttp.ClientSession() as session:
        telegram.send_text("for the second", token=other)
        async with session.get(f"{telegram.url}/bot{other}/getMe") as answer:
            assert (await answer.json())["result"]["username"] == "sim1_bot"
        async with session.get(f"{telegram.url}/bot{other}/getUpdates") as answer:
            assert len((await answer.json())["result"]) == 1
        assert not telegram.bot.updates


async def test_listeners_hear_every_event_and_call(telegram: TelegramSim, http: Caller) -> None:
    """A benchmark takes its times from these, in one order with `seq`."""
    events: list[Json] = []
    calls: list[Json] = []
    telegram.on_event, telegram.on_call = events.append, calls.append
    telegram.send_text("x")
    await http.bot("sendMessage", chat_id=DEFAULT_USER, text="y")
    assert [(event["kind"], event["text"]) for event in events] == [("user", "x"), ("send", "y")]
    assert events[0]["seq"] < events[1]["seq"]
    assert events[0]["t"] <= events[1]["t"]
    assert [(call["method"], call["status"], call["message_id"]) for call in calls] == [("sendMessage", 200, 2)]
    assert calls[0]["ms"] >= 0
