"""Nothing but an environment and an empty home: `lar run` answers, however Telegram and the model are spoken to."""

import asyncio
import json
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lar.channels.telegram.settings import TelegramSettings
from lar.testing.stage import FIRST_USER, Stage, stage, until
from lar.testing.telegram import DEFAULT_TOKEN
from lar.testing.telegram.wire import Json

CHAT = FIRST_USER
SECRET = TelegramSettings.model_validate({"bot_token": DEFAULT_TOKEN}).secret
CLOSED = "http://127.0.0.1:9/telegram/webhook"
WEBHOOK = {"LAR__CHANNELS__TELEGRAM__MODE": "webhook", "LAR__CHANNELS__TELEGRAM__WEBHOOK_URL": CLOSED}


async def answers(here: Stage) -> None:
    """A message gets its answer."""
    reply = await here.telegram.ask("hello n1234567890", CHAT)
    assert "n1234567890" in reply["text"]


@pytest.mark.parametrize("kind", ["", "openai_responses"])
async def test_polling(tmp_path: Path, kind: str) -> None:
    """The six variables and an empty folder are enough, for Chat Completions and for Responses."""
    async with stage(tmp_path, env={"LAR__PROVIDERS__OPENAI__KIND": kind}) as here:
        assert not here.process.home.exists()
        await here.start()
        await answers(here)
        paths = {str(entry["path"]) for entry in here.models.log}
        assert paths == {"/v1/responses" if kind else "/v1/chat/completions"}
        assert await here.process.stop() == 0


async def webhook(here: Stage) -> str:
    """Start the product in webhook mode; where its webhook is. Telegram learns of it as soon as it is known."""
    await here.start()
    url = f"{await here.process.url()}/telegram/webhook"
    await until(lambda: here.telegram.bot.webhook)
    hook = here.telegram.bot.webhook
    assert hook is not None
    assert hook.url == CLOSED
    hook.url = url  # the port is known only now; a proxy in front of Lar would have one of its own
    return url


def post(url: str, update: object, secret: str) -> int:
    """Call the webhook as Telegram does; the status of the answer."""
    request = urllib.request.Request(  # noqa: S310  # our own process
        url,
        update if isinstance(update, bytes) else json.dumps(update).encode(),
        {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": secret},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # the same
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def update(number: int, text: str) -> Json:
    """An update as Telegram words it."""
    person: Json = {"id": CHAT, "is_bot": False, "first_name": "Ana"}
    chat: Json = {"id": CHAT, "type": "private", "first_name": "Ana"}
    message: Json = {"message_id": number, "date": 1_700_000_000, "from": person, "chat": chat, "text": text}
    return {"update_id": number, "message": message}


async def test_webhook(tmp_path: Path) -> None:
    """By webhook: answered once per update, and only who knows the secret is heard."""
    async with stage(tmp_path, env=WEBHOOK) as here:
        url = await webhook(here)
        await answers(here)
        assert await asyncio.to_thread(post, url, update(7, "let me in n000000000b"), "guessed") == 403
        assert await asyncio.to_thread(post, url, update(7, "let me in n000000000b"), "") == 403
        assert await asyncio.to_thread(post, url, b"{", SECRET) == 400
        for _ in range(2):
            assert await asyncio.to_thread(post, url, update(8, "twice n000000000c"), SECRET) == 200
        await here.telegram.expect_reply(CHAT, match="n000000000c")
        await answers(here)
        said = "\n".join(here.texts(CHAT))
        assert said.count("n000000000c") == 1
        assert "n000000000b" not in said
        assert not [call for call in here.telegram.calls if call["method"] == "getUpdates"]


async def test_webhook_confirms_after_the_commit(tmp_path: Path) -> None:
    """While the database cannot be written, Telegram is not told that its update has arrived; afterwards it is."""
    async with stage(tmp_path, env=WEBHOOK) as here:
        url = await webhook(here)
        await answers(here)
        other = sqlite3.connect(urlsplit(here.database).path[1:], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        posting = asyncio.create_task(asyncio.to_thread(post, url, update(9, "hold on n000000000d"), SECRET))
        waited, _ = await asyncio.wait([posting], timeout=1.0)
        assert not waited or posting.result() == 503, "confirmed, and not committed"
        other.execute("ROLLBACK")
        other.close()
        assert await posting == 200
        await here.telegram.expect_reply(CHAT, match="n000000000d")
