"""Typing and previews: seen in time, never in the way, gone in the end; the menu; downloads."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from telegram_bench import Bench, serving

from lar.channels.contract import Activity, MenuEntry
from lar.domain.conversation import Address
from lar.domain.delivery import Part
from lar.domain.inbound import Attachment, AttachmentKind
from lar.errors import ChannelError, FileTooLarge, SendLater
from lar.testing.telegram import TelegramSim
from lar.testing.telegram.faults import Fault

GROUP = -1_001_000_000_000_1


def kinds(bench: Bench, chat: int = 1001) -> list[str]:
    """What happened in the chat, in order."""
    return [event["kind"] for event in bench.sim.events(chat)]


async def test_typing(bench: Bench) -> None:
    """R-TG-10: typing is shown in the chat and in the topic that asked."""
    assert await bench.channel.show(bench.address, Activity()) == ""
    assert kinds(bench) == ["action"]


async def test_draft(bench: Bench) -> None:
    """R-TG-10: in a private chat a growing answer is a draft, formatted, and leaves no message."""
    for text in ("**one", "**one** two", "**one** two three"):
        assert await bench.channel.show(bench.address, Activity(text)) == ""
        bench.clock.advance(1)
    await bench.channel.show(bench.address, Activity(done=True))
    drafts = bench.calls("sendMessageDraft")
    assert [draft["params"]["text"] for draft in drafts] == ["**one", "one two", "one two three"]
    assert len({draft["params"]["draft_id"] for draft in drafts}) == 1
    assert not bench.seen()


async def test_preview_is_paced(bench: Bench) -> None:
    """R-TG-12: however fast a model writes, a preview is renewed once in a while."""
    for number in range(50):
        await bench.channel.show(bench.address, Activity(f"word {number}"))
    assert len(bench.calls("sendMessageDraft")) == 1
    bench.clock.advance(2)
    await bench.channel.show(bench.address, Activity("word 49"))
    await bench.channel.show(bench.address, Activity("word 49"))
    assert len(bench.calls("sendMessageDraft")) == 2


@pytest.mark.parametrize(("chat", "options"), [(1001, {"disabled_methods": ["sendmessagedraft"]}), (GROUP, {})])
async def test_edited_preview(tmp_path: Path, chat: int, options: dict[str, list[str]]) -> None:
    """R-TG-10: in groups and on older servers the preview is one message, edited, and removed when done."""
    async with TelegramSim(poll_floor=0, disabled_methods=options.get("disabled_methods", ())) as sim:
        bench = Bench(sim, tmp_path)
        sim.chat(chat)
        to = Address("telegram", "main", str(chat))
        message = ""
        for text in ("one", "one two", "one two three"):
            message = await bench.channel.show(to, Activity(text, message))
            assert bench.seen(chat) == [text]
            bench.clock.advance(5)
        assert await bench.channel.show(to, Activity("", message, done=True)) == ""
        assert kinds(bench, chat) == ["send", "edit", "edit", "delete"]
        assert await bench.channel.show(to, Activity("", message, done=True)) == ""
        assert len(bench.calls("sendMessageDraft")) == (chat > 0)
        await bench.close()


async def test_trouble_is_kept_to_itself(bench: Bench) -> None:
    """R-TG-10: a preview that fails is not tried again for a while, and never hurts an answer."""
    bench.sim.fail("sendMessageDraft", status=429, retry_after=60)
    assert await bench.channel.show(bench.address, Activity("one")) == ""
    bench.clock.advance(59)
    assert await bench.channel.show(bench.address, Activity("one two")) == ""
    assert len(bench.calls("sendMessageDraft")) == 1
    await bench.channel.send(bench.address, Part("one two three"))
    bench.clock.advance(2)
    await bench.channel.show(bench.address, Activity("again"))
    assert len(bench.calls("sendMessageDraft")) == 2
    assert bench.seen() == ["one two three"]


async def test_hanging_typing(bench: Bench) -> None:
    """R-TG-10: typing that hangs is given up, an answer sent meanwhile is not delayed by it."""
    bench.sim.fail("sendChatAction", hang=30)
    assert await bench.channel.show(bench.address, Activity()) == ""


async def test_switched_off(sim: TelegramSim, tmp_path: Path) -> None:
    """R-TG-10: what is switched off is not shown."""
    bench = Bench(sim, tmp_path, typing=False, preview=False)
    await bench.channel.show(bench.address, Activity())
    await bench.channel.show(bench.address, Activity("text"))
    assert not sim.calls
    await bench.close()


async def test_long_preview_shows_its_end(bench: Bench) -> None:
    """R-TG-10: of a long answer the newest lines are shown."""
    text = "\n".join(f"line {number}" for number in range(3000))
    await bench.channel.show(bench.address, Activity(text))
    shown = bench.calls("sendMessageDraft")[0]["params"]["text"]
    assert shown.startswith("…\nline ")
    assert shown.endswith("line 2999")


async def test_menu(sim: TelegramSim, tmp_path: Path) -> None:
    """R-TG-11: everybody gets the menu of their language, administrators the whole of it, others English."""
    bench = Bench(sim, tmp_path, admin_user_ids=[7])
    menu = [
        MenuEntry("help", "What I can do", "en"),
        MenuEntry("help", "Lo que sé hacer", "es"),
        MenuEntry("problems", "What is wrong", "en", admin=True),
        MenuEntry("Not-a-command", "x", "en"),
    ]
    await bench.channel.announce(menu)
    found = {
        (json.dumps(call["params"]["scope"]), call["params"].get("language_code", "")): call["params"]["commands"]
        for call in bench.calls("setMyCommands")
    }
    everybody, admin = '{"type": "default"}', '{"type": "chat", "chat_id": "7"}'
    assert set(found) == {(scope, code) for scope in (everybody, admin) for code in ("", "en", "es")}
    assert "problems" not in json.dumps(found[everybody, "en"])
    assert "problems" in json.dumps(found[admin, "en"])
    assert "problems" in json.dumps(found[admin, ""])
    bench.sim.fail("setMyCommands", status=500)
    with pytest.raises(SendLater):
        await bench.channel.announce(menu)
    await bench.close()


async def test_download_limits(sim: TelegramSim, tmp_path: Path) -> None:
    """R-TG-14: a file over the limit is refused in words, also if its size was not announced; a lost one, too."""
    bench = Bench(sim, tmp_path, max_download_bytes=1000)
    sim.send_media("document", b"x" * 1001, filename="large.bin")
    [message] = sim.messages()
    ref = message["document"]["file_id"]
    for size in (0, 1001):
        with pytest.raises(FileTooLarge, match=r"0\.001 MB"):
            await bench.channel.fetch(Attachment(AttachmentKind.DOCUMENT, ref, "large.bin", size=size), tmp_path / "x")
    with pytest.raises(ChannelError, match="any more"):
        await bench.channel.fetch(Attachment(AttachmentKind.DOCUMENT, "nonsense", "x"), tmp_path / "x")
    faults: tuple[Fault, ...] = ({"status": 500}, {"drop": True}, {"status": 429})
    for fault in faults:
        sim.faults.add("getFile", 1, fault)
        with pytest.raises(SendLater):
            await bench.channel.fetch(Attachment(AttachmentKind.DOCUMENT, ref, "x"), tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "x.part").exists()
    await bench.close()


async def test_download_breaks(sim: TelegramSim, tmp_path: Path) -> None:
    """A download that fails is tried later or explained, and leaves nothing half-written."""
    answers = {"lost": 404, "unwell": 502}

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("getFile"):
            return web.json_response({"ok": True, "result": {"file_path": str((await request.post())["file_id"])}})
        name = request.path.rpartition("/")[2]
        if name in answers:
            return web.Response(status=answers[name])
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x" * 500)
        if request.transport:
            request.transport.abort()
        return web.Response()

    async with serving("/{path:.*}", answer) as url:
        bench = Bench(sim, tmp_path, api_base=url)
        for name, error in (("lost", ChannelError), ("unwell", SendLater), ("cut", SendLater)):
            with pytest.raises(error):
                await bench.channel.fetch(Attachment(AttachmentKind.DOCUMENT, name, name), tmp_path / name)
            assert not (tmp_path / name).exists()
            assert not (tmp_path / f"{name}.part").exists()
        await bench.close()
