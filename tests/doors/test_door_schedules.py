"""Reminders at the doors of the real process: said in words, told in time, put off by a button, over a SIGKILL."""

import json
import os
import re
import time
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from lar.store.database import Database
from lar.store.schema import firing
from lar.store.settings import StoreSettings
from lar.testing.stage import FIRST_USER, Stage, stage, until

pytestmark = pytest.mark.doors

CHAT = FIRST_USER
DEAD = float(os.environ.get("LAR_TEST_DEAD_SECONDS", "2"))
"""Seconds a process is dead after something was due."""
OFFLINE = {"LAR__AGENTS__MAIN__RUNTIME": "offline", "LAR__AGENTS__MAIN__MODEL": "", "OPENAI_API_KEY": ""}


async def firings(here: Stage) -> list[tuple[bool, int]]:
    """Of each firing, whether it was late and how many it made up for."""
    db = Database(StoreSettings(url=here.database))
    await db.open(read_only=True)
    try:
        return await db.read(
            lambda c: [(late, missed) for late, missed in c.execute(select(firing.c.late, firing.c.missed))]
        )
    finally:
        await db.close()


async def test_in_words_without_a_model(tmp_path: Path) -> None:
    """R-SC-1: said in words, confirmed with time and zone, told in time, put off by a button, listed, cancelled."""
    async with stage(tmp_path, env={**OFFLINE, "LAR__TOOLS__TIME_ZONE": "Europe/Berlin"}) as here:
        await here.start()
        await here.telegram.until_polling()
        said = (await here.telegram.ask("Remind me in 2 seconds to stretch.", CHAT))["text"]
        assert re.match(
            r"⏰ Reminder #\d+: stretch\n\w+day, \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? \(Europe/Berlin\), once", said
        )
        asked = time.monotonic()
        told = (await here.replies(CHAT, 2))[-1]
        assert told == "⏰ stretch"
        assert time.monotonic() - asked < 5
        here.telegram.press(CHAT, text="10 min")
        await until(lambda: "Put off to" in here.texts(CHAT)[-1])
        listed = (await here.telegram.ask("/reminders", CHAT))["text"]
        number = re.match(r"#(\d+) stretch: ", listed)
        assert number
        here.telegram.press(CHAT, text=f"#{number[1]}")
        await until(lambda: "Cancelled" in here.texts(CHAT)[-1])
        assert (await here.telegram.ask("/reminders", CHAT))["text"] == "No reminders and no scheduled prompts."
        assert (
            "morning or in the afternoon" in (await here.telegram.ask("every day at 5 remind me to run", CHAT))["text"]
        )
        here.telegram.press(CHAT, text="17:00")
        await until(lambda: "every day at 17:00" in here.texts(CHAT)[-1])


async def test_with_a_model(tmp_path: Path) -> None:
    """R-SC-1: a model's calls do the same; a prompt is a turn of its own at its time."""
    arguments = {"when": "in 2 seconds", "text": "say hello n00000000aa", "kind": "prompt"}
    async with stage(tmp_path) as here:
        await here.start()
        await here.telegram.until_polling()
        said = (await here.telegram.ask(f"go [[tool:schedule_prompt {json.dumps(arguments)}]]", CHAT))["text"]
        assert re.search(r"Scheduled prompt #\d+: say hello", said)
        told = (await here.replies(CHAT, 2))[-1]
        assert "n00000000aa" in told
        here.telegram.send_text('go [[tool:schedule_prompt {"request": "remind me in 1 second to rest"}]]', CHAT)
        assert (await here.replies(CHAT, 4))[-1] == "⏰ rest"


async def test_due_while_it_is_dead(tmp_path: Path) -> None:
    """R-SC-2: due while the process is SIGKILLed, a reminder comes once after the restart, and says when it was due."""
    async with stage(tmp_path, env={**OFFLINE, "LAR__SCHEDULES__LATE_SECONDS": "1"}) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("remind me in 5 seconds to stretch", CHAT)
        due = time.monotonic() + 5
        await here.telegram.ask("remind me in 1 hour to rest", CHAT)
        await here.settled(2)
        await here.process.kill()
        await until(lambda: time.monotonic() > due + DEAD, DEAD + 60)
        assert len(here.texts(CHAT)) == 2
        await here.start()
        told = (await here.replies(CHAT, 3))[-1]
        assert told.startswith("⏰ stretch\n(It was due at ")
        await here.settled(3)
        await here.process.kill()
        await here.start()
        await here.telegram.ask("what is 1+1", CHAT)
        assert [text for text in here.texts(CHAT) if text.startswith("⏰ stretch")] == [told]
        assert await firings(here) == [(True, 0)]
        assert "1 firing(s) came late" in (await here.telegram.ask("/status", CHAT))["text"]


async def test_a_hook_and_a_heartbeat(tmp_path: Path) -> None:
    """R-SC-3: what another program tells at its door reaches the owner by one turn; a wrong secret reaches nobody."""
    env = {
        "LAR__CHANNELS__TELEGRAM__ADMIN_USER_IDS": str(CHAT),
        "LAR__SCHEDULES__HEARTBEAT__MINUTES": "0.05",
        "LAR__SCHEDULES__HEARTBEAT__ACTIVE_HOURS": "00:00-00:00",
        "LAR__SCHEDULES__HOOKS__CI__SECRET": "a word of enough letters",
    }
    async with stage(tmp_path, env=env) as here:
        await here.start()
        await here.telegram.until_polling()
        await here.telegram.ask("hello", CHAT)
        asked = here.models.last_number
        door = f"{await here.process.url()}/hooks/ci"
        async with aiohttp.ClientSession() as http:
            for word, status in (("wrong", 401), ("a word of enough letters", 202)):
                headers = {"Authorization": f"Bearer {word}"}
                async with http.post(door, data=b"the build n00000000aa is done", headers=headers) as answer:
                    assert answer.status == status
        told = (await here.replies(CHAT, 2))[-1]
        assert "n00000000aa" in told
        assert here.models.last_number == asked + 1
        here.models.push("HEARTBEAT_OK", "I have looked.", match="Look for n00000000ab")
        (tmp_path / "home" / "workspace" / "people" / "1" / "HEARTBEAT.md").write_text("Look for n00000000ab")
        assert (await here.replies(CHAT, 3))[2] == "I have looked."
        assert here.models.last_number >= asked + 3, "the first look found nothing to say"
