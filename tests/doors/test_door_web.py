"""A page, through Telegram, the model and the running product: read to the person, and remembered as from outside."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = [pytest.mark.doors, pytest.mark.asyncio(loop_scope="module")]

PAGE = (
    b"<html><head><title>Bees</title></head><body><h1>Bees</h1><p>They sleep in winter. n0be0be0be0</p></body></html>"
)
NOTE = f"[[tool:save_note {json.dumps({'title': 'bees', 'text': 'They sleep'})}]]"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request with the page."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
    await writer.drain()
    writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[Stage, str]]:
    """A gateway that may reach one local site, and the address of its page."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    env = {"LAR__TOOLS__NETWORK__ALLOWED_HOSTS": json.dumps([host])}
    async with stage(tmp_path_factory.mktemp("web"), env=env) as here:
        await here.start()
        await here.telegram.until_polling()
        yield here, f"http://{host}/bees"
    server.close()


def fetch(url: str) -> str:
    """What makes the model fetch a page."""
    return f"[[tool:http_request {json.dumps({'url': url})}]] what do bees do?"


def asked(here: Stage, chat: int) -> list[str]:
    """The questions with buttons in a chat."""
    return [str(each["text"]) for each in here.telegram.messages(chat) if each.get("reply_markup")]


async def test_a_page_is_read_and_taints(web: tuple[Stage, str]) -> None:
    """R-TO-4, R-PO-3: a page becomes text for the model; a note asks after it, but not before or in a new thread."""
    (here, url), chat = web, FIRST_USER
    assert "Saved as note" in str((await here.telegram.ask(NOTE, chat))["text"])
    assert not asked(here, chat)
    here.telegram.send_text(fetch(url), chat)
    await until(lambda: asked(here, chat))  # the owner's own network: asked about, with the address
    assert f"GET {url}" in asked(here, chat)[0]
    here.telegram.press(chat, text="Once")
    answer = str((await here.telegram.expect_reply(chat, match="n0be0be0be0"))["text"])
    assert "They sleep in winter." in answer
    assert "<p>" not in answer
    here.telegram.send_text(NOTE, chat)
    await until(lambda: len(asked(here, chat)) > 1 or "keep the note" in here.texts(chat)[-1])
    question = next(text for text in here.texts(chat) if "keep the note 'bees'" in text)
    assert "content from outside (web: 127.0.0.1)" in question
    here.telegram.press(chat, text="Do not|No")
    await here.telegram.expect_reply(chat, match="Not permitted")
    await here.telegram.ask("/new", chat)
    assert "Saved as note" in str((await here.telegram.ask(f"{NOTE} again", chat, match="Saved as note"))["text"])


async def test_other_local_addresses_are_closed(web: tuple[Stage, str]) -> None:
    """R-TO-4: what is not allowed by name is not reached, whatever the model asks for."""
    here, _ = web
    chat = FIRST_USER + 1
    await here.telegram.ask(fetch("http://169.254.169.254/latest"), chat, match="May I do this")
    here.telegram.press(chat, text="Once")
    said = str((await here.telegram.expect_reply(chat, match="tool http_request said"))["text"])
    assert "cloud's metadata service: it is never reached" in said
