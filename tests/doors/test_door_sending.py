"""A message to another chat, through Telegram, the model and the running product."""

import json
import re

import pytest

from lar.testing.stage import Stage, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN = 1000


async def test_a_message_is_approved_and_arrives_once(door: Stage, chat: int) -> None:
    """R-TO-7: an admin has a message sent to somebody: asked first, then delivered there, once, with the reply."""
    await door.telegram.ask("hello", chat, user={"id": chat, "first_name": f"Bea {chat}"})
    await door.telegram.ask("[[tool:list_chats {}]]", ADMIN)
    handle = rf"Bea {chat}#\d+"
    await until(lambda: re.search(handle, "".join(door.texts(ADMIN))))  # a long list comes in several messages
    found = re.search(handle, "".join(door.texts(ADMIN)))
    assert found
    asked = await door.telegram.ask(f"[[tool:send_message {json.dumps({'to': found[0], 'text': 'n9dinner'})}]]", ADMIN)
    assert f"Write to {found[0]}:\nn9dinner" in asked["text"]
    assert not [text for text in door.texts(chat) if "n9dinner" in text]
    door.telegram.press(ADMIN, text="Once")
    await until(lambda: any("n9dinner" in text for text in door.texts(chat)))
    await door.telegram.expect_reply(ADMIN, match="It will be sent")
    assert [text.endswith(": n9dinner") for text in door.texts(chat) if "n9dinner" in text] == [True]
