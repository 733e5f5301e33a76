"""Updates come in exactly once and survive whatever Telegram, the network and the database do."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from telegram_bench import Bench, serving, until

from lar.domain.inbound import ChatStatus, Press
from lar.testing.channel_contract import Inboxful, running
from lar.testing.telegram import TelegramSim


@pytest.fixture
def inbox() -> Inboxful:
    """Where messages go."""
    return Inboxful()


async def heard(bench: Bench, inbox: Inboxful, text: str) -> None:
    """The person writes, and it arrives."""
    await bench.write(text)
    await inbox.until(lambda: text in inbox.texts)


async def test_confirms_after_the_commit(bench: Bench, inbox: Inboxful) -> None:
    """R-TG-2: Telegram is told that an update was received only after it was committed."""
    gate = asyncio.Event()

    async def slow(batch: Any) -> None:
        await gate.wait()
        await inbox.accept(batch)

    async with running(bench.channel, slow):
        await bench.write("hello")
        await until(lambda: any(call.get("updates") for call in bench.calls("getUpdates")))
        assert len(bench.sim.bot.updates) == 1
        gate.set()
        await inbox.until(lambda: inbox.texts == ["hello"])
        await until(lambda: not bench.sim.bot.updates)


async def test_restart_answers_what_waits(bench: Bench, inbox: Inboxful) -> None:
    """R-TG-2: what was sent while nobody listened is received at the next start."""
    await bench.write("while you were away")
    async with running(bench.channel, inbox.accept):
        await inbox.until(lambda: inbox.texts == ["while you were away"])


async def test_drains_if_told(sim: TelegramSim, tmp_path: Path, inbox: Inboxful) -> None:
    """R-TG-2: with `drain_on_start`, what waited is forgotten, and what comes after is not."""
    bench = Bench(sim, tmp_path, drain_on_start=True)
    for number in range(3):
        await bench.write(f"old {number}")
    async with running(bench.channel, inbox.accept):
        await sim.until_polling()
        await heard(bench, inbox, "new")
    assert inbox.texts == ["new"]
    await bench.close()


async def test_poison_is_passed(bench: Bench, inbox: Inboxful) -> None:
    """An update nobody understands is handed in as a problem, and does not hold up the next."""
    async with running(bench.channel, inbox.accept):
        bench.sim.push_update("message", {"chat": {"id": 1001}, "from": "nonsense"}, bench.sim.bot)
        await heard(bench, inbox, "after it")
    assert inbox.inbounds[0].problem


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502},
        {"drop": True},
        {"drop": True, "after": True},
        {"status": 429, "retry_after": 3},
        {"status": 409, "description": "Conflict: terminated by other getUpdates request"},
        {"status": 401},
    ],
)
async def test_polling_recovers(bench: Bench, inbox: Inboxful, fault: Any) -> None:
    """R-TG-1, R-TG-12: no answer of Telegram's ends polling, and nothing is lost meanwhile."""
    bench.sim.fail("getUpdates", 3, **fault)
    async with running(bench.channel, inbox.accept):
        for number in range(4):
            await heard(bench, inbox, f"message {number}")
    assert inbox.texts == [f"message {number}" for number in range(4)]
    if fault.get("status") == 429:
        assert bench.slept == [3.0] * 3
    assert bench.reports[-1:] in ([], [None])


async def test_a_hanging_poll(sim: TelegramSim, tmp_path: Path, inbox: Inboxful) -> None:
    """R-TG-12: a poll that hangs beyond its time is given up and made again at once."""
    bench = Bench(sim, tmp_path, request_seconds=0.2)
    sim.fail("getUpdates", hang=30)
    async with running(bench.channel, inbox.accept):
        await heard(bench, inbox, "hello?")
    assert bench.slept == []
    await bench.close()


async def test_second_poller_is_explained(bench: Bench, inbox: Inboxful, tmp_path: Path) -> None:
    """R-TG-1: another program with the same token is explained in words, and polling recovers when it stops."""
    other = Bench(bench.sim, tmp_path)
    async with running(bench.channel, inbox.accept):
        async with running(other.channel, inbox.accept):
            await until(lambda: bool(bench.reports or other.reports))
        told = [report for report in (*bench.reports, *other.reports) if report]
        assert "Another program fetches this bot's updates" in told[0]
        await heard(bench, inbox, "only you now")
        await until(lambda: bench.reports[-1:] in ([], [None]))
    await other.close()


async def test_webhook_in_the_way(bench: Bench, inbox: Inboxful) -> None:
    """R-TG-1: a webhook left over from before is removed; what waited for it is received."""
    await bench.api.call("setWebhook", {"url": "http://127.0.0.1:9/nowhere"})
    await bench.write("waiting")
    async with running(bench.channel, inbox.accept):
        await inbox.until(lambda: inbox.texts == ["waiting"])
    assert "webhook" in str(bench.reports[0])
    assert bench.reports[-1] is None


async def test_wrong_token(sim: TelegramSim, tmp_path: Path, inbox: Inboxful) -> None:
    """A refused token is explained, asked about again slowly, and never a crash."""
    bench = Bench(sim, tmp_path, bot_token="424242:AAF-another-token-0123456789abcdefgh")  # noqa: S106  # refused
    async with running(bench.channel, inbox.accept):
        await until(lambda: len(bench.slept) >= 2)
    assert bench.slept[:2] == [30.0, 30.0]
    assert bench.reports == [bench.reports[0]]
    assert "@BotFather" in str(bench.reports[0])
    await bench.close()


async def test_telegram_away_at_start(tmp_path: Path, inbox: Inboxful) -> None:
    """A start without a network waits for it, longer each time."""
    sim = TelegramSim(poll_floor=0)
    await sim.start()
    url, port = sim.url, sim.port
    await sim.stop()
    bench = Bench(sim, tmp_path, api_base=url)
    async with running(bench.channel, inbox.accept):
        await until(lambda: len(bench.slept) >= 4)
        assert bench.slept[:4] == [0.5, 1.0, 2.0, 4.0]
        assert "cannot be reached" in str(bench.reports[0])
        async with TelegramSim(port=port, poll_floor=0) as back:
            bench.sim = back
            await heard(bench, inbox, "there you are")
            assert bench.reports[-1] is None
    await bench.close()


async def test_the_database_away(bench: Bench, inbox: Inboxful) -> None:
    """A database that is away is waited for; the problem is reported and taken back."""
    inbox.failures = 3
    async with running(bench.channel, inbox.accept):
        await heard(bench, inbox, "keep me")
        await until(lambda: bench.reports[-1:] == [None])
    assert bench.slept == [0.5, 1.0, 2.0]
    assert "cannot be stored" in str(bench.reports[0])


async def test_buttons_and_blocks_arrive(bench: Bench, inbox: Inboxful) -> None:
    """R-TG-13: presses arrive over the wire as well as messages do."""
    async with running(bench.channel, inbox.accept):
        await heard(bench, inbox, "x")
        markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y:1"}]]}
        await bench.api.call("sendMessage", {"chat_id": 1001, "text": "?", "reply_markup": markup})
        bench.sim.press(text="Yes")
        await inbox.until(lambda: isinstance(inbox.inbounds[-1].content, Press))
        change = {"chat": {"id": 1001, "type": "private"}, "from": {"id": 1001}, "date": 1}
        blocked = {**change, "new_chat_member": {"status": "kicked", "user": {"id": 42}}}
        bench.sim.push_update("my_chat_member", blocked, bench.sim.bot)
        await inbox.until(lambda: inbox.inbounds[-1].content == ChatStatus(reachable=False))


async def test_the_token_is_never_logged(
    bench: Bench, inbox: Inboxful, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """R-PO-5: neither our logs nor those of the libraries hold the token, even at their most talkative."""
    caplog.set_level(logging.DEBUG)
    bench.sim.fail("getUpdates", 1, status=500)
    async with running(bench.channel, inbox.accept):
        await heard(bench, inbox, "hello")
    captured = capsys.readouterr()
    assert bench.sim.token not in caplog.text + captured.out + captured.err + str(bench.reports)


# ---- webhook


@pytest.fixture
async def hooked(sim: TelegramSim, tmp_path: Path) -> AsyncIterator[Bench]:
    """A channel in webhook mode, mounted where Telegram finds it, as the web room does."""
    benches: list[Bench] = []

    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=await benches[0].channel.receive(request.headers, await request.read()))

    async with serving("/hook", handle) as url:
        benches.append(Bench(sim, tmp_path, mode="webhook", webhook_url=f"{url}/hook"))
        yield benches[0]
    await benches[0].close()


async def test_webhook(hooked: Bench, inbox: Inboxful) -> None:
    """R-TG-1: by webhook messages arrive once and in order, and Telegram is told 200 only after the commit."""
    inbox.failures = 2
    await hooked.write("before")
    async with running(hooked.channel, inbox.accept):
        await inbox.until(lambda: inbox.texts == ["before"])
        for number in range(5):
            await hooked.write(f"{number}")
        await inbox.until(lambda: len(inbox.texts) == 6)
    assert inbox.texts == ["before", "0", "1", "2", "3", "4"]
    assert len(inbox.refused) == 2
    assert len({inbound.update_id for inbound in inbox.inbounds}) == 6


async def test_webhook_secret(hooked: Bench, inbox: Inboxful) -> None:
    """R-TG-1: a call without Telegram's secret is refused, and nothing of it is read."""
    body = json.dumps({"update_id": 1}).encode()
    header = "X-Telegram-Bot-Api-Secret-Token"
    assert await hooked.channel.receive({header: hooked.settings.secret}, body) == 503  # not receiving yet
    async with running(hooked.channel, inbox.accept):
        await until(lambda: bool(hooked.calls("getWebhookInfo")))
        assert await hooked.channel.receive({}, body) == 403
        assert await hooked.channel.receive({header: "wrong"}, body) == 403
        assert not inbox.inbounds
        assert await hooked.channel.receive({header.lower(): hooked.settings.secret}, body) == 200
        assert await hooked.channel.receive({header: hooked.settings.secret}, b"no json") == 400
        inbox.failures = 1
        assert await hooked.channel.receive({header: hooked.settings.secret}, body) == 503


async def test_webhook_comes_back(hooked: Bench, inbox: Inboxful) -> None:
    """R-TG-1: a webhook that somebody removes is set again, and one that Telegram cannot reach is explained."""
    async with running(hooked.channel, inbox.accept):
        await until(lambda: bool(hooked.sim.bot.webhook))
        await hooked.api.call("deleteWebhook", {})
        await heard(hooked, inbox, "still here")
    assert len(hooked.calls("setWebhook")) >= 2


async def test_many_at_once(bench: Bench, inbox: Inboxful) -> None:
    """Three hundred messages that wait are received in order and in batches, none twice."""
    for number in range(300):
        await bench.write(f"{number}")
    async with running(bench.channel, inbox.accept):
        await inbox.until(lambda: len(inbox.texts) == 300)
    assert inbox.texts == [str(number) for number in range(300)]
    assert len(inbox.batches) <= 6
