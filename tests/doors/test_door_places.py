"""Groups, topics, files, and what is seen while a turn runs."""

import pytest

from lar.testing.stage import Stage, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORD, OTHER = "n00000000aa", "n00000000ab"


def kinds(door: Stage, chat: int) -> list[str]:
    """What happened in a chat by the bot's doing, in order."""
    return [event["kind"] for event in door.telegram.events(chat) if not event["kind"].startswith("user")]


def calls(door: Stage, chat: int, method: str) -> int:
    """How often a method was called for a chat."""
    return sum(call["method"] == method and call["chat_id"] == chat for call in door.telegram.calls)


async def test_group(door: Stage, chat: int) -> None:
    """In a group the bot hears what is for it: a mention, a reply to it, a command; the rest reaches no model."""
    group, telegram = -chat, door.telegram
    asked = door.models.last_number
    telegram.send_text(f"just talking {OTHER}", group, user=chat)
    reply = await telegram.ask(f"@sim_bot {WORD}", group, user=chat)
    assert WORD in reply["text"]
    await telegram.ask(f"and this {WORD}", group, user=chat, reply_to=reply["message_id"])
    await telegram.ask("/where", group, user=chat)
    assert "place: group" in door.texts(group)[-1]
    assert door.models.last_number == asked + 2
    assert all(OTHER not in str(entry.get("body")) for entry in door.models.log if entry["n"] > asked)
    last = [entry for entry in door.models.log if entry["n"] > asked][-1]
    assert f"User{chat}: " in str(last["body"]), "in a group the model is told who speaks"


async def test_topics(door: Stage, chat: int) -> None:
    """Each topic of a supergroup is a conversation: it is answered there and knows nothing of the others."""
    group, telegram = -(10**12) - chat, door.telegram
    first = await telegram.ask(f"@sim_bot {WORD}", group, user=chat, thread_id=7, is_forum=True)
    assert first["message"]["message_thread_id"] == 7
    second = await telegram.ask("@sim_bot [[history]]", group, user=chat, thread_id=8, is_forum=True)
    assert second["message"]["message_thread_id"] == 8
    assert "user,assistant,user" not in second["text"]
    again = await telegram.ask("@sim_bot [[history]]", group, user=chat, thread_id=7, is_forum=True)
    assert "user,assistant,user" in again["text"]


async def test_two_people_in_a_group(door: Stage, chat: int) -> None:
    """What two people say at once are two turns, each with its own person."""
    group, telegram = -chat, door.telegram
    asked = door.models.last_number
    telegram.send_text(f"@sim_bot [[sleep:0.3]] {WORD}", group, user=chat)
    await until(lambda: door.models.last_number > asked)
    telegram.send_text("@sim_bot n00000000ac", group, user=chat)
    telegram.send_text("@sim_bot n00000000ad", group, user=chat + 100)
    await until(lambda: "n00000000ad" in "".join(door.texts(group)))
    assert len(door.texts(group)) == 3
    assert door.models.last_number == asked + 3


async def test_quick_answer(door: Stage, chat: int) -> None:
    """A quick answer is one message and nothing else."""
    await door.telegram.ask(f"hello {WORD}", chat)
    await door.settled()
    assert kinds(door, chat) == ["send"]


async def test_slow_answer(door: Stage, chat: int) -> None:
    """A slow turn shows that the bot is typing, and ends in one message."""
    await door.telegram.ask(f"[[sleep:0.8]] {WORD}", chat)
    await door.settled()
    assert kinds(door, chat) == ["action", "send"]


@pytest.mark.doors
@pytest.mark.parametrize("private", [True, False])
async def test_growing_answer(door: Stage, chat: int, private: bool) -> None:
    """A long answer is shown while it grows; in the end there is exactly one message, whole, and no preview left."""
    where = chat if private else -chat
    door.models.options["tps"] = 150.0
    try:
        door.telegram.send_text("@sim_bot [[len:3000]]", where, user=chat)
        await until(lambda: "Part 17" in "".join(door.texts(where)[-1:]))
    finally:
        door.models.options["tps"] = 0.0
    await until(lambda: len(door.texts(where)) == 1)
    await door.settled()
    assert "Part 1\n" in door.texts(where)[0]
    seen = kinds(door, where)
    assert ("draft" in seen) == private
    assert "action" in seen
    assert (seen.count("send"), seen.count("delete")) == ((1, 0) if private else (2, 1))


async def test_preview_of_a_stopped_turn(door: Stage, chat: int) -> None:
    """A turn that is stopped while its preview is shown leaves no piece of an answer behind."""
    group = -chat
    door.models.options["tps"] = 150.0
    try:
        door.telegram.send_text("@sim_bot [[len:30000]]", group, user=chat)
        await until(lambda: door.texts(group))
        await door.telegram.ask("/stop", group, user=chat, match="Stopped")
    finally:
        door.models.options["tps"] = 0.0
    await until(lambda: len(door.texts(group)) == 1)
    assert "Stopped" in door.texts(group)[0]


async def test_document(door: Stage, chat: int) -> None:
    """A document is stored under its name, and the model is told where."""
    door.telegram.send_media(
        "document", b"the boiler code is 4411", chat, filename="boiler.txt", caption=f"keep {WORD}"
    )
    told = (await door.replies(chat))[0]
    assert WORD in told
    assert "boiler.txt" in told
    assert "23 bytes" in told
    stored = list((door.process.home / "files").rglob("boiler.txt"))
    assert any(path.read_bytes() == b"the boiler code is 4411" for path in stored)


@pytest.mark.parametrize("kind", ["photo", "voice"])
async def test_media(door: Stage, chat: int, kind: str) -> None:
    """A photo and a voice message are stored, and the model is told of them."""
    door.telegram.send_media(kind, b"bytes" * 100, chat, caption=f"see {WORD}")
    told = (await door.replies(chat))[0]
    assert WORD in told
    assert f"[{kind}:" in told
    assert "saved as uploads/" in told


async def test_hostile_name(door: Stage, chat: int) -> None:
    """A file's name leads nowhere outside its folder."""
    door.telegram.send_media("document", b"x", chat, filename="../../../../evil.sh", caption=f"run it {WORD}")
    await door.replies(chat)
    stored, saved = sorted(door.process.home.rglob("evil.sh"))
    assert stored.is_relative_to(door.process.home / "files" / "inbox")
    assert saved.parent.name == "uploads"
    assert saved.parent.parent.parent == door.process.home / "workspace" / "people"


async def test_too_large(door: Stage, chat: int) -> None:
    """A document over the limit is explained, and the rest of the message is answered."""
    door.telegram.send_media("document", b"x" * 20_000_001, chat, filename="big.bin", caption=f"big {WORD}")
    told = (await door.replies(chat))[0]
    assert WORD in told
    assert "20 MB" in told


async def test_album(door: Stage, chat: int) -> None:
    """The pictures of an album are one turn."""
    asked = door.models.last_number
    for number in range(3):
        caption = f"three {WORD}" if not number else None
        door.telegram.send_media("photo", b"p%d" % number, chat, media_group_id="a1", caption=caption)
    told = (await door.replies(chat))[0]
    assert told.count("[photo:") == 3
    await door.settled()
    assert door.models.last_number == asked + 1
