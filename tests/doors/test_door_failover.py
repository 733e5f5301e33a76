"""R-LM-3, R-LM-7: the drills. Whatever fails, there is one answer or one friendly sentence, and tools ran once."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from lar.testing.stage import FIRST_USER, Stage, stage
from media_samples import picture

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST, SECOND, BACKUP = "sk-test-first-key-0001", "sk-test-second-key-0002", "sk-test-backup-key-0003"
WORD = "n00000000bb"
SOON = 60.0
"""Seconds within which every drill is over on a busy machine; a quiet one needs 5, and the timeout of what hangs."""

Staged = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    """Starts a gateway with two keys of OpenAI, and where it is wanted a model of Anthropic to fall back to."""

    @asynccontextmanager
    async def start(backup: bool, **settings: str) -> AsyncGenerator[Stage]:
        env = {
            "OPENAI_API_KEY": "",
            "LAR__PROVIDERS__OPENAI__API_KEYS": f"{FIRST},{SECOND}",
            "LAR__PROVIDERS__OPENAI__TIMEOUT_SECONDS": "1",
            **settings,
        }
        async with stage(tmp_path, env=env) as here:
            more = {
                "LAR__PROVIDERS__BACKUP__KIND": "anthropic",
                "LAR__PROVIDERS__BACKUP__BASE_URL": here.models.url,
                "LAR__PROVIDERS__BACKUP__API_KEY": BACKUP,
                "LAR__AGENTS__MAIN__FALLBACK_MODELS": "backup:claude-sonnet-4-6",
            }
            await here.process.start(extra=more if backup else {})
            await here.telegram.until_polling()
            yield here

    return start


def asked(here: Stage) -> list[tuple[str, int]]:
    """Which key each model call was made with, and how it ended."""
    return [(str(entry["key"]), int(entry["status"])) for entry in here.models.log]


async def told(here: Stage, text: str) -> str:
    """What is answered; it is the only thing that is said."""
    before = len(here.texts(FIRST_USER))
    reply = str((await here.telegram.ask(text, FIRST_USER, timeout=SOON))["text"])
    await here.settled()
    assert len(here.texts(FIRST_USER)) == before + 1
    return reply


async def test_the_first_key_is_used_up(staged: Staged) -> None:
    """The second key answers at once; the first is left alone for an hour, and /status says so without showing it."""
    async with staged(False) as here:
        here.models.options["fail_keys"] = {"0001": "quota"}
        assert WORD in await told(here, f"hello {WORD}")
        assert WORD in await told(here, f"again {WORD}")
        assert asked(here) == [("0001", 429), ("0002", 200), ("0002", 200)]
        status = await told(here, "/status")
        assert "model: openai:sim-1, key 2/2 (…0002)" in status
        assert "⏸ openai:sim-1, key 1/2 (…0001): quota, rests until" in status
        assert "(59 min more)" in status
        assert FIRST not in status + here.process.output()


@pytest.mark.doors
async def test_all_keys_are_used_up(staged: Staged) -> None:
    """One sentence says when to come back; nobody is asked again before; a note is kept without a model, said once."""
    async with staged(False) as here:
        here.models.options["fail_keys"] = {"0001": "quota", "0002": "quota"}
        first = await told(here, "[[text:never]] tell me a story")
        assert "quota is used up, about 1 h more" in first
        assert "quota is used up, about 1 h more" in await told(here, "and now?")
        assert asked(here) == [("0001", 429), ("0002", 429)]
        note = await told(here, "note: the boiler code is 4411")
        assert note.startswith("No model answers right now")
        assert "4411" in await told(here, "which notes do I have?")
        assert "No model answers" not in await told(here, "what is 6*7?")
        assert len(asked(here)) == 2


@pytest.mark.doors
async def test_the_next_model_takes_over(staged: Staged) -> None:
    """Where all keys of a provider are out, the next model of the chain answers, after tools that ran once."""
    async with staged(True) as here:
        here.models.options["fail_keys"] = {"0002": "429"}
        here.models.push({"tool_calls": [{"name": "save_note", "args": {"text": "milk"}}]}, match="keep milk")
        here.models.push({"status": "401"}, match="keep milk", model="sim-1")
        assert "save_note said" in await told(here, '[[tool:save_note {"text": "milk"}]] keep milk')
        assert [key for key, status in asked(here) if status == 200] == ["0001", "0003"]
        notes = await told(here, "[[tool:list_notes {}]]")
        assert notes.count("milk") == 1


@pytest.mark.doors
@pytest.mark.parametrize("status", ["500", "503", "401", "context", "404"])
async def test_a_provider_in_trouble(staged: Staged, status: str) -> None:
    """A storm of errors, a refused key, a model that is gone, a prompt too long: the next model answers."""
    async with staged(True) as here:
        here.models.options["fail_keys"] = {"0001": status, "0002": status}
        assert WORD in await told(here, f"hello {WORD}")
        assert asked(here)[-1] == ("0003", 200)
        assert len(asked(here)) <= 4


@pytest.mark.doors
@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("500", "overloaded or out of order, about 30 s more"),
        ("401", "does not accept the key, about 10 min more"),
        ("context", "too long for the model"),
    ],
)
async def test_nobody_is_left(staged: Staged, status: str, sentence: str) -> None:
    """Without another model there is one sentence, with a time where one is known."""
    async with staged(False) as here:
        here.models.options["fail_keys"] = {"0001": status, "0002": status}
        assert sentence in await told(here, "hello")


@pytest.mark.doors
async def test_a_stream_breaks_and_breaks_again(staged: Staged) -> None:
    """Half an answer is taken back; the same model is asked once more, then the next one; one answer is whole."""
    async with staged(True) as here:
        reply = await told(here, f"[[stream_break x2]] [[len:600]] {WORD}")
        assert reply.count("Part 1\n") == 1
        assert WORD in reply
        assert [key for key, _ in asked(here)] == ["0001", "0001", "0003"]


@pytest.mark.doors
async def test_a_model_hangs(staged: Staged) -> None:
    """Silence is given up after the provider's timeout (1 s here), and the next model answers."""
    async with staged(True) as here:
        here.models.push({"sleep": 60.0, "text": "too late"}, model="sim-1")
        assert WORD in await told(here, f"hello {WORD}")
        assert [key for key, _ in asked(here)] == ["0001", "0003"]


@pytest.mark.doors
async def test_a_prompt_too_long_is_shortened(staged: Staged) -> None:
    """What a model refuses as too long is asked again with half of the history, once, by the same model."""
    async with staged(False) as here:
        for number in range(4):
            await told(here, f"remember {number}")
        before = len(here.models.log)
        here.models.push({"status": "context"}, match=WORD)
        assert WORD in await told(here, f"so? {WORD}")
        long, short = (len(entry["body"]["messages"]) for entry in list(here.models.log)[before:])
        assert short < long


TROUBLE: dict[str, dict[str, object]] = {
    "quota": {"status": "quota"},
    "auth": {"status": "401"},
    "storm": {"status": "500"},
    "context": {"status": "context"},
    "break": {"text": "half of an answer " * 20, "stream_break": True},
    "hang": {"text": "too late", "sleep": 60.0},
}
"""What the model does once a tool has run, and goes on doing."""


@pytest.mark.doors
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_trouble_after_a_tool_and_a_backup(staged: Staged, trouble: str) -> None:
    """The next model goes on where the first failed: one answer, and the tool is not run again."""
    async with staged(True) as here:
        here.models.push({"tool_calls": [{"name": "save_note", "args": {"text": "milk"}}]}, match="keep milk")
        here.models.push(*[TROUBLE[trouble]] * 6, match="keep milk", model="sim-1")
        assert "save_note said" in await told(here, '[[tool:save_note {"text": "milk"}]] keep milk')
        assert asked(here)[-1] == ("0003", 200)
        assert (await told(here, "[[tool:list_notes {}]]")).count("milk") == 1


@pytest.mark.doors
@pytest.mark.parametrize(
    ("trouble", "sentence", "calls"),
    [
        ("quota", "quota is used up, about 1 h more", 3),
        ("auth", "does not accept the key, about 10 min more", 3),
        ("storm", "overloaded or out of order, about 30 s more", 4),
        ("context", "too long for the model", 2),
        ("break", "about 30 s more", 4),
        ("hang", "did not answer in time, about 30 s more", 4),
    ],
)
async def test_trouble_after_a_tool_and_nobody_else(staged: Staged, trouble: str, sentence: str, calls: int) -> None:
    """Without another model one sentence says so, with a time where one is known; the tool ran once."""
    async with staged(False) as here:
        here.models.push({"tool_calls": [{"name": "save_note", "args": {"text": "milk"}}]}, match="keep milk")
        here.models.push(*[TROUBLE[trouble]] * 6, match="keep milk")
        said = await told(here, "keep milk")
        assert sentence in said
        assert "half of an answer" not in said
        assert len(asked(here)) == calls
        here.models.reset()
        away = trouble in {"quota", "auth"}  # then notes are listed without a model
        listed = await told(here, "which notes do I have?" if away else "[[tool:list_notes {}]]")
        assert listed.count("milk") == 1


@pytest.mark.doors
async def test_every_provider_is_down(staged: Staged) -> None:
    """R-LM-6: notes and calculator are served without a model, which is said once, until one answered again."""
    async with staged(True) as here:
        await here.models.stop()
        assert "cannot reach the model's provider, about 30 s more" in await told(here, "tell me a story")
        once = await told(here, "note: the boiler code is 4411")
        assert once.startswith("No model answers right now")
        assert "4411" in await told(here, "which notes do I have?")
        assert await told(here, "what is 6*7?") == "6*7 = 42"
        await here.models.start()
        assert WORD in await told(here, f"hello {WORD}")
        await here.models.stop()
        assert (await told(here, "what is 6*7?")).startswith("No model answers right now")
        assert "No model answers" not in await told(here, "which notes do I have?")


async def test_the_model_of_a_conversation(staged: Staged) -> None:
    """/model shows and switches, says what is near a name nobody knows, and holds across a restart."""
    async with staged(True) as here:
        assert "openai:sim-1" in await told(here, "/model")
        unknown = await told(here, "/model claude")
        assert "There is no model 'claude' here. Similar: backup:claude-sonnet-4-6" in unknown
        assert "From now on backup:claude-sonnet-4-6" in await told(here, "/model claude-sonnet-4-6")
        await told(here, "hello")
        assert asked(here)[-1] == ("0003", 200)
        await told(here, "/model default")
        await told(here, "hello")
        assert asked(here)[-1] == ("0001", 200)


async def test_a_backup_that_sees_nothing(staged: Staged) -> None:
    """R-LM-4: where a model that sees fails, one that does not gets a reference in text, and nobody gets an error."""
    async with staged(True, LAR__MODELS__TAKES='{"openai:*": ["image"], "backup:*": []}') as here:
        here.models.options["fail_keys"] = {"0001": "500", "0002": "500"}
        here.telegram.send_media("photo", picture(), FIRST_USER, caption="what is it? [[image?]]")
        assert (await here.replies(FIRST_USER))[0].startswith("media: 0 in this message")
        backup = json.dumps(here.models.log[-1]["body"]["messages"])
        assert "a file of type image/jpeg belongs here; you cannot look at images" in backup
        assert asked(here)[-1] == ("0003", 200)


async def test_what_the_chosen_model_takes(staged: Staged) -> None:
    """R-LM-4: files are judged by the model that was chosen for the conversation, not by the agent's own."""
    async with staged(True, LAR__MODELS__TAKES='{"openai:*": [], "backup:*": ["image"]}') as here:
        for number, seen in enumerate((0, 1)):
            here.telegram.send_media("photo", picture(), FIRST_USER, caption="what is it? [[image?]]")
            said = (await here.replies(FIRST_USER, 2 * number + 1))[-1]
            assert said.startswith(f"media: {seen} in this message")
            await here.settled()
            await told(here, "/model backup:claude-sonnet-4-6")
        blind = str(here.models.log[0]["body"])
        assert "you cannot look at images, a model that takes them could" in blind
