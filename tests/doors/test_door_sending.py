"""A message to another chat, through Telegram, the model and the running product."""

import json

import pytest

from lar.testing.stage import Stage, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN = 1000


async def test_a_message_is_approved_and_arrives_once(door: Stage, chat: int) -> None:
    """R-TO-7: an admin has a message sent to somebody: asked first, then delivered there, once, with the reply."""
    bea = {"id": chat, "first_name": f"Bea {chat}"}
    await door.telegram.ask("hello", chat, user=bea)
    where = str((await door.telegram.ask("/where", chat, user=bea))["text"])
    handle = f"Bea {chat}#{where.partition('conversation: ')[2].partition(chr(10))[0]}"
    assert "(telegram, private)" in (await door.telegram.ask("[[tool:list_chats {}]]", ADMIN))["text"]
    asked = await door.telegram.ask(f"[[tool:send_message {json.dumps({'to': handle, 'text': 'n9dinner'})}]]", ADMIN)
    assert f"Write to {handle}:\nn9dinner" in asked["text"]
    assert not [text for text in door.texts(chat) if "n9dinner" in text]
    door.telegram.press(ADMIN, text="Once")
    await until(lambda: any("n9dinner" in text for text in door.texts(chat)))
    await door.telegram.expect_reply(ADMIN, match="It will be sent")
    assert [text.endswith(": n9dinner") for text in door.texts(chat) if "n9dinner" in text] == [True]
