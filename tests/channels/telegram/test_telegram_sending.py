"""What is sent arrives once, formatted, and whoever sends is told the truth about what became of it."""

import asyncio
import struct
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from telegram_bench import Bench, serving, until

from lar.channels.telegram.markdown import render
from lar.domain.conversation import Address
from lar.domain.delivery import Button, Entity, OutgoingFile, Part
from lar.errors import ChannelError, ChatGone, FileTooLarge, SendLater, SendRefused, SendUncertain
from lar.testing.telegram import TelegramSim

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + struct.pack(">II", 8, 8) + b"\0" * 64

TORTURE = {
    "nested fences": "````md\n```python\nprint('hi')\n```\n````\nafter",
    "fence in list": "1. do\n   ```sh\n   ls -la\n   ```\n2. done",
    "open fence": "text\n```js\nlet x = `a${1}`;",
    "table": "| a | b |\n|:--|--:|\n| `x` | **y** |\n| too | many | cells |",
    "wide table": "| " + " | ".join(["header"] * 12) + " |\n" + "|-" * 12 + "|\n" + "| cell `x` " * 12 + "|",
    "unbalanced": "**bold *both** italic* __x_ ~~y~ `z **",
    "html": "<b>bold</b> <script>alert(1)</script> <a href='x'>y</a> &lt;&amp; <!-- c -->",
    "long line": "word " * 10_000,
    "no spaces": "x" * 50_000,
    "many entities": "**a** _b_ `c` " * 700,
    "rtl": "**مرحبا** بالعالم _שלום_ עולם `code` \u202eabc\u202c \u200fx",
    "emoji": "👨‍👩‍👧‍👦🇩🇪👍🏽❤️‍🔥 **👩🏽‍🚀** `🏳️‍🌈` " * 300,
    "zero width": "\u200b**\u200ba\u200b**\u200b\u2060\ufeff",
    "only zero width": "\u200b\u200c\u200d\ufeff",
    "filler": "\u2800\u3164\u00ad",
    "controls": "a\x00b\x07c\x1bd\x7fe\r\nf\x85g\u2028h",
    "surrogates": "a \ud800 **b\udfff** \ud83d\ude00",
    "empty markup": "**** __ `` []() ![]() > \n- \n1. \n#",
    "deep quotes": ">" * 200 + " x",
    "deep lists": "".join("  " * depth + "- level\n" for depth in range(40)),
    "links": "[a](javascript:x) [b](http://localhost/x) [c](ftp://x.y) [d](https://a.b/?q=(x)&y=_z_) <http://x.y>",
    "reference": "[unused]: http://x.y\n\n[used]\n\n[used]: https://x.y",
    "escapes": r"\*not bold\* \_ \` \\ 1\. \# \[x\](y)",
    "commands": "/start @somebody #tag https://x.y/a_b_c **/help**",
    "heading": "# \n## **Title** `x`\nSetext\n===",
    "spaces": " " * 5000 + "x" + " " * 5000 + "y",
    "combining": "e" + "\u0301" * 5000,
    "a\u030a": "A\u030angstro\u0308m \u0333x\u033f",
    "nothing": "",
}


async def send(bench: Bench, part: Part) -> str:
    """Send to the person; the vendor's message id."""
    return (await bench.channel.send(bench.address, part)).vendor_id


@pytest.mark.parametrize("name", TORTURE)
async def test_torture(bench: Bench, name: str) -> None:
    """R-TG-9: whatever a model writes is taken at the first try, and its formatting is kept as it was sent."""
    rendered = render(TORTURE[name], 10**9)
    for part in rendered.parts:
        await send(bench, part)
    calls = bench.calls("sendMessage")
    assert [call["status"] for call in calls] == [200] * len(rendered.parts)
    for part, message in zip(rendered.parts, bench.sim.messages(), strict=True):
        assert message["text"] == part.text.strip()
        kept = [entity for entity in message.get("entities", []) if entity["type"] in {e.kind for e in part.entities}]
        assert len(kept) == len(part.entities)


async def test_formatted(bench: Bench) -> None:
    """R-TG-9: entities arrive with their language and address, links without preview."""
    [part] = render("**b** [l](https://a.b/) `c`\n```py\nx\n```").parts
    await send(bench, part)
    [message] = bench.sim.messages()
    assert [entity["type"] for entity in message["entities"]] == ["bold", "text_link", "code", "pre"]
    assert message["entities"][1]["url"] == "https://a.b/"
    assert message["entities"][3]["language"] == "py"
    assert bench.calls("sendMessage")[0]["params"]["link_preview_options"] == {"is_disabled": True}


async def test_refused_formatting_goes_plain(bench: Bench) -> None:
    """R-TG-9: if Telegram ever refuses the formatting, the text arrives without it."""
    bench.sim.fail("sendMessage", status=400, description="Bad Request: can't parse entities")
    await send(bench, Part("bold", (Entity("bold", 0, 4),)))
    [message] = bench.sim.messages()
    assert message["text"] == "bold"
    assert "entities" not in message


async def test_topic(bench: Bench) -> None:
    """R-TG-6: an answer goes to the topic that asked; a topic that is gone is a chat that is gone."""
    bench.sim.send_text("hi", -1_001_000_000_000_1, is_forum=True, thread_id=7)
    await bench.channel.send(Address("telegram", "main", "-10010000000001", "7"), Part("here"))
    assert bench.sim.messages(-1_001_000_000_000_1)[-1]["message_thread_id"] == 7
    with pytest.raises(ChatGone):
        await bench.channel.send(Address("telegram", "main", "-10010000000001", "99"), Part("here"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 500}, SendLater),
        ({"status": 502}, SendLater),
        ({"status": 429, "retry_after": 7}, SendLater),
        ({"status": 401}, SendLater),
        ({"status": 403}, ChatGone),
        ({"status": 400, "description": "Bad Request: chat not found"}, ChatGone),
        ({"status": 400, "description": "Bad Request: group chat was deactivated"}, ChatGone),
        ({"status": 400, "description": "Bad Request: something new"}, SendRefused),
        ({"status": 413}, FileTooLarge),
        ({"drop": True}, SendUncertain),
        ({"drop": True, "after": True}, SendUncertain),
        ({"hang": 5}, SendUncertain),
    ],
)
async def test_errors(bench: Bench, fault: Any, error: type[ChannelError]) -> None:
    """R-TG-12: every failure is one of the errors a sender understands; only `later` and `uncertain` invite a retry."""
    bench.sim.fail("sendMessage", **fault)
    with pytest.raises(error) as caught:
        await send(bench, Part("hello"))
    if isinstance(caught.value, SendLater):
        assert caught.value.after == {429: 7, 401: 30}.get(fault["status"], 2)
    assert bool(bench.reports) == (fault.get("status") == 401)
    assert bench.sim.token not in str(caught.value)


async def test_nobody_there(tmp_path: Path) -> None:
    """R-TG-12: a message that never left is sent later, not called uncertain."""
    sim = TelegramSim()
    await sim.start()
    bench = Bench(sim, tmp_path)
    await sim.stop()
    with pytest.raises(SendLater):
        await send(bench, Part("hello"))
    await bench.close()


async def test_pauses_after_429(bench: Bench) -> None:
    """R-TG-12: after a 429 nothing is sent to that chat until the time is over, and other chats go on."""
    bench.sim.fail("sendMessage", status=429, retry_after=20)
    for after in (20, 20):
        with pytest.raises(SendLater) as caught:
            await send(bench, Part("hello"))
        assert caught.value.after == pytest.approx(after)
    assert len(bench.calls("sendMessage")) == 1
    await bench.channel.send(Address("telegram", "main", "2002"), Part("you?"))
    bench.clock.advance(20)
    await send(bench, Part("hello"))
    assert bench.seen() == ["hello"]


async def test_limits_are_learnt(sim: TelegramSim, bench: Bench) -> None:
    """R-TG-12: against a Telegram that counts, forty messages to one chat cost one refusal, and all arrive in order."""
    sim.configure({"rate_limits": True})
    sim.clock = bench.clock
    for number in range(40):
        try:
            await send(bench, Part(f"{number}"))
        except SendLater as later:
            bench.clock.advance(later.after)
            await send(bench, Part(f"{number}"))
            bench.clock.advance(1)
    assert bench.seen() == [str(number) for number in range(40)]
    assert sum(call["status"] == 429 for call in bench.calls("sendMessage")) <= 2


async def test_group_that_moved(bench: Bench, tmp_path: Path) -> None:
    """A group that became a supergroup is followed to its new id, without losing what was to be sent."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        chat = str((await request.json())["chat_id"])
        asked.append(chat)
        if chat == "-77":
            body = {"ok": False, "error_code": 400, "description": "moved", "parameters": {"migrate_to_chat_id": -1007}}
            return web.json_response(body, status=400)
        return web.json_response({"ok": True, "result": {"message_id": 5}})

    async with serving("/bot{token}/sendMessage", answer) as url:
        other = Bench(bench.sim, tmp_path, api_base=url)
        for text in ("one", "two"):
            await other.channel.send(Address("telegram", "main", "-77"), Part(text))
        await other.close()
    assert asked == ["-77", "-1007", "-1007"]


async def test_buttons(bench: Bench) -> None:
    """R-TG-13: a question has buttons; the press is acknowledged and the question becomes its outcome, buttons gone."""
    question = Part("Run it?", buttons=((Button("Yes", "y:1"), Button("No", "n:1")), (Button("Always", "a:1"),)))
    asked = await send(bench, question)
    pressed = bench.sim.press(text="Yes")
    await send(bench, Part("Run it? Yes, by Ana.", edit_of=asked, answers_press=pressed["callback_query_id"]))
    [message] = bench.sim.messages()
    assert message["text"] == "Run it? Yes, by Ana."
    assert "reply_markup" not in message
    await until(lambda: bool(bench.calls("answerCallbackQuery")))


async def test_late_press(bench: Bench) -> None:
    """R-TG-13: a press Telegram has forgotten does not hold up its outcome."""
    asked = await send(bench, Part("Run it?"))
    bench.sim.fail("answerCallbackQuery", hang=5)
    assert await send(bench, Part("Done.", edit_of=asked, answers_press="forgotten")) == asked
    assert await send(bench, Part(answers_press="forgotten")) == ""
    with pytest.raises(SendRefused):
        await send(bench, Part("Done.", edit_of="999"))


async def test_files(bench: Bench) -> None:
    """R-TG-7: a picture goes as photo, anything else as document, with its name and a formatted caption."""
    (bench.files / "a.png").write_bytes(PNG)
    (bench.files / "b.txt").write_text("hello")
    bold = (Entity("bold", 0, 4),)
    await send(bench, Part("look", bold, file=OutgoingFile("a.png", "cat.png", "image/png")))
    await send(bench, Part("read", bold, file=OutgoingFile("b.txt", "notes.txt", "text/plain")))
    photo, document = bench.sim.messages()
    assert photo["photo"]
    assert photo["caption_entities"][0]["type"] == "bold"
    assert (document["document"]["file_name"], document["caption"]) == ("notes.txt", "read")


async def test_what_is_spoken(bench: Bench) -> None:
    """R-TG-8: a spoken answer goes as voice message; as a file to somebody who does not receive such."""
    (bench.files / "answer.ogg").write_bytes(b"OggS sound")
    spoken = Part(file=OutgoingFile("answer.ogg", "answer.ogg", "audio/ogg", voice=True))
    await send(bench, spoken)
    bench.sim.fail("sendVoice", 1, status=400, description="Bad Request: VOICE_MESSAGES_FORBIDDEN")
    await send(bench, spoken)
    voice, document = bench.sim.messages()
    assert voice["voice"]["mime_type"] == "audio/ogg"
    assert document["document"]["file_name"] == "answer.ogg"


async def test_picture_telegram_cannot_read(bench: Bench) -> None:
    """A picture that Telegram does not take as photo goes as document."""
    (bench.files / "a.png").write_bytes(b"not really")
    await send(bench, Part(file=OutgoingFile("a.png", "cat.png", "image/png")))
    [message] = bench.sim.messages()
    assert message["document"]["file_name"] == "cat.png"


async def test_caption_too_long(bench: Bench) -> None:
    """A caption longer than Telegram takes becomes a message of its own."""
    (bench.files / "b.txt").write_text("hello")
    await send(bench, Part("long " * 400, file=OutgoingFile("b.txt", "b.txt")))
    text, document = bench.sim.messages()
    assert text["text"].startswith("long long")
    assert "caption" not in document


async def test_upload_limits(bench: Bench, tmp_path: Path) -> None:
    """R-TG-14: a file that is too large, empty, gone or outside the files folder is refused in words."""
    with (bench.files / "large.bin").open("wb") as file:
        file.truncate(51 << 20)
    (bench.files / "empty.txt").touch()
    (tmp_path / "outside.txt").write_text("secret")
    (bench.files / "link.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(FileTooLarge, match="50 MB"):
        await send(bench, Part(file=OutgoingFile("large.bin", "large.bin")))
    for name in ("empty.txt", "gone.txt", "../outside.txt", "link.txt", str(tmp_path / "outside.txt")):
        with pytest.raises(SendRefused, match="file"):
            await send(bench, Part(file=OutgoingFile(name, "x.txt")))
    assert not bench.sim.messages()


async def test_cancelled_while_sending(bench: Bench) -> None:
    """A send that is cancelled ends at once and leaves the channel usable."""
    bench.sim.fail("sendMessage", hang=30)
    task = asyncio.create_task(send(bench, Part("hello")))
    await until(lambda: bool(bench.calls("sendMessage")))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await send(bench, Part("again"))
    assert bench.seen() == ["again"]
