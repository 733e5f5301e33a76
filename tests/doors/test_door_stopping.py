"""`/stop` is obeyed at once and for good; ten messages at once are answered in order."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lar.testing.models.brain import NONCE
from lar.testing.stage import FIRST_USER, Stage, stage, until

shared = pytest.mark.asyncio(loop_scope="session")

SLOW_GATEWAY = (sys.executable, str(Path(__file__).with_name("slow_gateway.py")))
PROMISED = 1.0
"""Seconds from /stop to its confirmation."""


async def stop(here: Stage, chat: int, command: str = "/stop") -> str:
    """Stop, and return what is said to it, which must come in time."""
    sent = here.telegram.send_text(command, chat)
    reply = await here.telegram.expect_reply(chat, sent["seq"])
    assert reply["t"] - sent["t"] <= PROMISED
    return str(reply["text"])


async def ask(here: Stage, chat: int, text: str) -> str:
    """Write, and return the first answer."""
    return str((await here.telegram.ask(text, chat))["text"])


@shared
@pytest.mark.parametrize("command", ["/stop", "/cancel"])
async def test_stop_during_a_model_call(door: Stage, chat: int, command: str) -> None:
    """A model that thinks for a minute is silenced, what waits behind it too, and the next message is answered."""
    asked = door.models.last_number
    door.telegram.send_text("[[sleep:60]] slow n00000000aa", chat)
    await until(lambda: door.models.last_number > asked)
    door.telegram.send_text("waiting n00000000ab", chat)
    queue = await ask(door, chat, "/queue")
    assert "running" in queue
    assert "queued" in queue
    assert "Stopped: 2 turn(s)" in await stop(door, chat, command)
    assert "n00000000ac" in await ask(door, chat, "next n00000000ac")
    await door.settled()
    assert "Nothing is running" in await stop(door, chat)
    said = "\n".join(door.texts(chat))
    assert "echo: [[sleep:60]]" not in said
    assert "n00000000ab" not in said
    first = next(entry for entry in door.models.log if entry["n"] > asked)
    assert first["status"] == -2, "the call to the model was hung up"


@shared
async def test_stop_is_for_one_chat(door: Stage, chat: int, unused_chats: Iterator[int]) -> None:
    """What somebody else waits for goes on."""
    other, asked = next(unused_chats), door.models.last_number
    door.telegram.send_text("[[sleep:1]] n00000000aa", other)
    await until(lambda: door.models.last_number > asked)
    assert "Nothing is running" in await stop(door, chat)
    assert "n00000000aa" in (await door.replies(other))[0]


async def test_stop_during_a_tool(tmp_path: Path) -> None:
    """A tool that runs is ended, the lane is free, and the death of the process does not revive the turn."""
    async with stage(tmp_path, command=SLOW_GATEWAY) as here:
        await here.start()
        here.telegram.send_text("[[tool:ponder {}]] n00000000aa", FIRST_USER)
        await until(lambda: here.acted()["begun"])
        assert "Stopped: 1 turn(s)" in await stop(here, FIRST_USER)
        assert "n00000000ab" in await ask(here, FIRST_USER, "next n00000000ab")
        await here.settled()
        await here.process.kill()
        here.telegram.bot.end_poll("closed")
        await here.start()
        assert "n00000000ac" in await ask(here, FIRST_USER, "again n00000000ac")
        await here.settled()
        assert "n00000000aa" not in "\n".join(here.texts(FIRST_USER))
        assert here.acted() == {"begun": 1}
        assert here.process.alive


@shared
async def test_ten_messages_at_once(door: Stage, chat: int) -> None:
    """All are answered, in order; the first is asked about at once, whatever else arrives."""
    nonces = [f"n00000000{number:02x}" for number in range(10)]
    asked = door.models.last_number
    for nonce in nonces:
        door.telegram.send_text(f"hello {nonce}", chat)
    await until(lambda: all(nonce in "\n".join(door.texts(chat)) for nonce in nonces))
    await door.settled()
    assert NONCE.findall("\n".join(door.texts(chat))) == nonces
    assert door.models.last_number - asked <= len(nonces)


@shared
async def test_first_message_does_not_wait(door: Stage, chat: int) -> None:
    """The model is asked about the first message before a second one exists: nothing waits to see what else comes."""
    asked = door.models.last_number
    door.telegram.send_text("[[sleep:0.5]] first n00000000aa", chat)
    await until(lambda: door.models.last_number > asked)
    for number in range(1, 10):
        door.telegram.send_text(f"then n00000000{number:02x}", chat)
    first, *_ = await door.replies(chat)
    assert NONCE.findall(first) == ["n00000000aa"]
    await until(lambda: "n0000000009" in "\n".join(door.texts(chat)))
    assert NONCE.findall("\n".join(door.texts(chat)))[1:] == [f"n00000000{number:02x}" for number in range(1, 10)]
