"""A stranger: nothing of what they write reaches a model, a log or the database, whatever they are answered."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lar.testing.stage import FIRST_USER, Stage, stage, until

ADMIN = FIRST_USER - 1
STRANGER = 777
NONCE = "nfeedc0ffee"


@asynccontextmanager
async def guarded(folder: Path, access: str) -> AsyncGenerator[Stage]:
    """A gateway with this rule for strangers; in the end, nothing of what they said may be anywhere."""
    env = {"LAR__CHANNELS__TELEGRAM__ACCESS": access, "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(ADMIN)}
    async with stage(folder, env=env) as here:
        await here.process.start(extra={"LAR__LOGGING__LEVEL": "debug"})
        await here.telegram.until_polling()
        yield here
        await here.settled(0)
        await here.process.stop()
        assert not here.models.log
        assert holding(folder) == []


def holding(folder: Path) -> list[Path]:
    """The files in which the stranger's words are, in any form that is still readable."""
    return [path for path in folder.rglob("*") if path.is_file() and NONCE.encode() in path.read_bytes()]


async def heard(here: Stage) -> None:
    """Wait until the stranger's update was taken in: the next poll confirms it."""
    await until(lambda: not here.telegram.bot.updates)


def speak(here: Stage, chat: int = STRANGER) -> None:
    """Everything a stranger may try."""
    here.telegram.send_text(f"my secret is {NONCE}", chat, user=STRANGER)
    here.telegram.send_text(f"/start {NONCE}", chat, user=STRANGER)
    here.telegram.send_media("document", NONCE.encode(), chat, filename=f"{NONCE}.txt", caption=NONCE, user=STRANGER)
    sent = here.telegram.send_text("hm", chat, user=STRANGER)
    here.telegram.send_text(f"edited: {NONCE}", chat, user=STRANGER, edit=sent["message_id"])
    here.telegram.push_update("message", {"message_id": 99, "text": NONCE})
    here.telegram.push_update("message", {"message_id": "?", "chat": 7, "from": {"id": STRANGER}, "text": NONCE})


async def test_reply(tmp_path: Path) -> None:
    """By default a stranger gets the two ids an owner needs, once and not for every message."""
    async with guarded(tmp_path, "") as here:
        speak(here)
        (told,) = await here.replies(STRANGER)
        assert told == f"Unauthorized.\nuser_id: {STRANGER}\nchat_id: {STRANGER}"
        await heard(here)
        await here.settled()
        assert len(here.texts(STRANGER)) == 1


async def test_silent(tmp_path: Path) -> None:
    """In silent mode a stranger gets nothing at all."""
    async with guarded(tmp_path, "silent") as here:
        speak(here)
        await heard(here)
        await here.telegram.ask("/whoami", ADMIN)
        assert here.texts(STRANGER) == []


async def test_pairing_by_button(tmp_path: Path) -> None:
    """In pairing mode an admin lets a stranger in with a button, after which they are heard; nobody else can."""
    async with guarded(tmp_path, "pairing") as here:
        await here.telegram.ask("/start", ADMIN)
        speak(here)
        (told,) = await here.replies(STRANGER)
        code = pairing_code(told)
        asked = await here.telegram.expect_reply(ADMIN, match=code)
        here.telegram.press(ADMIN, text="Let in", message_id=asked["message_id"], user=STRANGER)
        here.telegram.press(ADMIN, text="Let in", message_id=asked["message_id"])
        await here.telegram.expect_reply(STRANGER, match="You are in")
        await here.telegram.expect_reply(ADMIN, match="was let in by")
        assert "role: user" in (await here.telegram.ask("/whoami", STRANGER))["text"]
        with pytest.raises(LookupError):
            here.telegram.press(ADMIN, text="Let in")


@pytest.mark.doors
async def test_pairing_refused_by_button(tmp_path: Path) -> None:
    """An admin who refuses keeps the stranger out."""
    async with guarded(tmp_path, "pairing") as here:
        await here.telegram.ask("/start", ADMIN)
        speak(here)
        (told,) = await here.replies(STRANGER)
        await here.telegram.expect_reply(ADMIN, match=pairing_code(told))
        here.telegram.press(ADMIN, text="Refuse")
        await here.telegram.expect_reply(ADMIN, match="was refused by")
        speak(here)
        await heard(here)
        await here.settled()
        assert len(here.texts(STRANGER)) == 1


async def test_pairing_by_command(tmp_path: Path) -> None:
    """The operator lets a stranger in from the command line, while the gateway runs; a wrong code is refused."""
    async with guarded(tmp_path, "pairing") as here:
        await here.process.url()
        speak(here)
        (told,) = await here.replies(STRANGER)
        wrong = await here.process.lar("people", "approve", "AAAAAAAA")
        assert wrong.status == 2
        assert "unknown or too old" in wrong.errors
        code = pairing_code(told)
        assert code in (await here.process.lar("people", "list")).output
        assert (await here.process.lar("people", "approve", code)).status == 0
        await here.telegram.expect_reply(STRANGER, match="You are in")
        assert "role: user" in (await here.telegram.ask("/whoami", STRANGER))["text"]
        assert (await here.process.lar("people", "approve", code)).status == 2, "a code is good for once"


def pairing_code(told: str) -> str:
    """The code a stranger was given."""
    found = re.search(r"code is ([A-Z2-9]{8})\b", told)
    assert found, told
    return found[1]


async def test_group_of_strangers(tmp_path: Path) -> None:
    """In a group nobody knows, nothing is heard, and only a word to the bot is answered."""
    async with guarded(tmp_path, "") as here:
        here.telegram.send_text(f"between us: {NONCE}", -5, user=STRANGER)
        here.telegram.send_text(f"@sim_bot {NONCE}", -5, user=STRANGER)
        (told,) = await here.replies(-5)
        assert told.startswith("Unauthorized")
        await heard(here)
        assert len(here.texts(-5)) == 1
