"""The model has a bad day: every message ends in an answer or in a sentence that says why not."""

import pytest

from lar.testing.models.directives import markdown_text
from lar.testing.stage import Stage, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORD = "n00000000aa"


def asked(door: Stage, since: int) -> list[int]:
    """How each model call since number `since` ended."""
    return [int(entry["status"]) for entry in door.models.log if entry["n"] > since]


@pytest.mark.parametrize("status", [429, 500])
async def test_fails_once(door: Stage, chat: int, status: int) -> None:
    """A call that fails for a moment is made again, and nobody sees more than the answer."""
    since = door.models.last_number
    reply = await door.telegram.ask(f"[[status:{status}]] hello {WORD}", chat)
    assert WORD in reply["text"]
    assert asked(door, since) == [status, 200]
    await door.settled()
    assert len(door.texts(chat)) == 1


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("context", "/new begins a new thread"),
        ("400", "does not take this request"),
        ("404", "does not take this request"),
    ],
)
async def test_refuses(door: Stage, chat: int, status: str, sentence: str) -> None:
    """What asking again cannot help is explained at once, and the next message is answered."""
    since = door.models.last_number
    assert sentence in (await door.telegram.ask(f"[[status:{status} always]]", chat))["text"]
    assert len(asked(door, since)) == 1
    assert WORD in (await door.telegram.ask(f"and now {WORD}", chat))["text"]
    assert len(door.texts(chat)) == 2


@pytest.mark.doors
@pytest.mark.parametrize(("status", "sentence"), [(429, "too many requests"), (500, "overloaded or out of order")])
async def test_keeps_failing(door: Stage, chat: int, status: int, sentence: str) -> None:
    """A model that keeps failing is given up after a few tries, with a sentence."""
    since = door.models.last_number
    assert sentence in (await door.telegram.ask(f"[[status:{status} always]]", chat))["text"]
    assert asked(door, since) == [status] * 3
    assert WORD in (await door.telegram.ask(f"and now {WORD}", chat))["text"]


@pytest.mark.doors
async def test_says_nothing(door: Stage, chat: int) -> None:
    """A model that stays silent is asked again, given up, and the person is told."""
    since = door.models.last_number
    assert "did not answer in time" in (await door.telegram.ask("[[sleep:60]]", chat))["text"]
    assert len(asked(door, since)) == 3
    assert WORD in (await door.telegram.ask(f"and now {WORD}", chat))["text"]


async def test_breaks_off(door: Stage, chat: int) -> None:
    """A stream that breaks is asked for again; there is one whole answer."""
    since = door.models.last_number
    reply = await door.telegram.ask(f"[[stream_break]] [[len:600]] {WORD}", chat)
    await door.settled()
    assert reply["text"].count("Part 1\n") == 1
    assert WORD in reply["text"]
    assert len(asked(door, since)) == 2
    assert len(door.texts(chat)) == 1


async def test_malformed_arguments(door: Stage, chat: int) -> None:
    """Arguments that are no JSON are told to the model, no tool runs, and there is an answer."""
    since = door.models.last_number
    reply = await door.telegram.ask(f"[[badjson:calculate_expression]] {WORD}", chat)
    assert "calculate_expression said:" in reply["text"]
    assert "JSON" in reply["text"]
    assert asked(door, since) == [200, 200]


async def test_unknown_tool(door: Stage, chat: int) -> None:
    """A tool that was never offered is told to the model, and there is an answer."""
    door.models.push({"tool_calls": [{"name": "teleport", "args": {}}]}, f"all is well {WORD}", match=f"go {WORD}")
    assert f"all is well {WORD}" in (await door.telegram.ask(f"go {WORD}", chat))["text"]


async def test_endless_loop(door: Stage, chat: int) -> None:
    """A model that never stops calling is stopped by the turn's limit, which says so and what was done."""
    since = door.models.last_number
    reply = await door.telegram.ask('[[loop:calculate_expression {"expression": "1+1"}]]', chat)
    assert "reached its limit of 12 model calls" in reply["text"]
    assert "Done so far: calculate_expression \u00d7 12." in reply["text"]
    assert len(asked(door, since)) == 12


async def test_answers_nothing(door: Stage, chat: int) -> None:
    """An empty answer becomes a sentence, not silence."""
    door.models.push("", match=f"quiet {WORD}")
    assert "I have no answer" in (await door.telegram.ask(f"quiet {WORD}", chat))["text"]


async def test_answers_at_length(door: Stage, chat: int) -> None:
    """200,000 characters arrive whole, as a file with an excerpt before it."""
    await door.telegram.ask("[[len:200000]]", chat)
    await until(lambda: any("document" in message for message in door.telegram.messages(chat)))
    await door.settled()
    said = [message for message in door.telegram.messages(chat) if message["from"]["is_bot"]]
    (sent,) = [message["document"] for message in said if "document" in message]
    assert sent["file_name"] == "answer.md"
    stored = door.telegram.files.get(sent["file_id"])
    assert stored is not None
    assert stored.data.decode() == markdown_text(200_000)
    assert "Part 1" in said[0]["text"]
    assert len(said) <= 3
