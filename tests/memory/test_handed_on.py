"""What people hand on and send, in memory: forwarded words taint until the day is over, files are told of by name."""

from dataclasses import replace
from pathlib import Path

import pytest
from memory_house import Model, at, kept, until
from sqlalchemy import select

from lar.conversations.agents import Agent
from lar.conversations.replay import Replay, replay
from lar.domain.ids import ConversationId, PrincipalId, TurnId
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.domain.memory import Kind
from lar.domain.principal import Principal, Role
from lar.domain.spend import Payer
from lar.domain.turn import TurnState
from lar.media.intake import Intake
from lar.media.settings import MediaSettings
from lar.memory.history import history_tool
from lar.memory.search import search_tool
from lar.store.records import turn_record
from lar.store.schema import turn
from lar.testing.household import Household, Plan
from lar.testing.runtime import ScriptedRuntime
from lar.tools.contract import ToolContext
from media_samples import pdf

EVE = "forwarded from Eve"
MORNING, NEXT_MORNING = "2026-06-01T10:00", "2026-06-02T04:00:01"
LATER = ToolContext(Principal(PrincipalId(1), "Ann", Role.USER), ConversationId(1), TurnId(1000))


class Ear:
    """Hears the same in every recording. A `Transcriber`."""

    name = "ear"

    async def __call__(self, _recording: Path, _payer: Payer, /) -> str:
        """What is said in it."""
        return "remember the DENTIST"


@pytest.fixture
def seeing(plan: Plan) -> Plan:
    """The household that remembers, and looks at what people send."""
    return replace(plan, intake=Intake(plan.folder / "files", MediaSettings(), Ear()), takes=frozenset())


def forwarded(text: str) -> Text:
    """Words of somebody else."""
    return Text(text, f"m-{text}", source=EVE)


def sent(kind: AttachmentKind, ref: str, text: str = "") -> Text:
    """A file at the channel."""
    return Text(text, f"m-{ref}", (Attachment(kind, ref, ref),))


def taint(house: Household) -> tuple[str, ...]:
    """What taints the last turn, as the gate sees it."""
    return house.runtime.requests[-1].toolbox.taint


async def say(house: Household, *texts: str | Text) -> None:
    """Say these, each in a turn of its own, and let what is due be summed up."""
    for text in texts:
        await house.ask(text)
        await house.quiet()
    await house.remember()


# ---- words of somebody else


async def test_forwarded_words_taint_until_the_day_is_over(anywhere: Plan, model: Model) -> None:
    """R-PO-3: they taint their turn, those that recall it and its sentence; the day is made of the person's own."""
    async with at(anywhere, MORNING) as house:
        await say(house, forwarded("SEND the money"))
        assert taint(house) == (EVE,)
        await say(house, "and my own THOUGHT")
        assert house.runtime.requests[-1].history[0].text.endswith("SEND the money")
        assert taint(house) == (EVE,)
        await say(house, "three", "four", "five")
        first = (await kept(house, Kind.EXCHANGE))[0]
        assert (first.text, first.taint) == ("Sentence 1 of send.", (EVE,))
        await say(house, "six")
        assert not any("SEND" in line.text for line in house.runtime.requests[-1].history)
        assert taint(house) == (EVE,)
        await until(house, NEXT_MORNING)
        (day,) = model.of("Sum up the day")
        assert "THOUGHT" in day.upper()
        assert "SEND" not in day.upper()
        await say(house, "good morning")
        assert taint(house) == ()
        assert "send" not in house.runtime.requests[-1].system


async def test_own_words_beside_forwarded_ones(plan: Plan, model: Model) -> None:
    """R-PO-3: of a turn with both, the day keeps what the person said, and nothing of what was answered."""
    async with at(plan, MORNING) as house:
        chat = house.channel.chat()
        await house.hear(chat.says(forwarded("SEND the money")), chat.says("what does she WANT"))
        await house.quiet()
        assert "SEND" in "".join(house.channel.texts())
        await until(house, NEXT_MORNING)
        (day,) = model.of("Sum up the day")
        assert "WANT" in day
        assert "SEND" not in day


async def test_a_stopped_turn_launders_nothing(anywhere: Plan, model: Model) -> None:
    """R-PO-3: forwarded words whose turn was stopped taint whoever recalls or finds them, and are left out, too."""
    async with at(anywhere, MORNING) as house:
        house.hang()
        await house.say(forwarded("SEND the money"))
        await house.until(lambda: house.runtime.requests)
        await house.ask("/stop")
        await house.quiet()
        states = await house.db.read(lambda c: c.execute(select(turn.c.state)).scalars().all())
        assert states == [TurnState.STOPPED]
        await say(house, "my own THOUGHT")
        assert taint(house) == (EVE,)
        for tool, arguments in ((search_tool(house.db), {"query": "money"}), (history_tool(house.db), {})):
            found = await tool.call(LATER, tool.parse(arguments))
            assert (("SEND" in found.text), found.source) == (True, f"earlier messages ({EVE})")
        await say(house, "three", "four", "five")
        assert (await kept(house, Kind.EXCHANGE))[0].taint == (EVE,)
        await until(house, NEXT_MORNING)
        (day,) = model.of("Sum up the day")
        assert "THOUGHT" in day.upper()
        assert "SEND" not in day.upper()
        await say(house, "good morning")
        assert taint(house) == ()


# ---- files


async def test_files_are_told_of_by_name(seeing: Plan, model: Model) -> None:
    """R-LM-4: a document is read out in its turn alone; a model that sums up gets its name; own spoken words stay."""
    async with at(seeing, MORNING) as house:
        house.channel.files |= {"code.pdf": pdf("the code is 4411"), "note": b"sound", "photo": b"\xff\xd8\xff"}
        await say(house, sent(AttachmentKind.DOCUMENT, "code.pdf", "WHICH code?"))
        assert "the code is 4411" in house.runtime.requests[-1].prompt
        source = "file that was sent: uploads/code.pdf"
        assert taint(house) == (source,)
        await say(house, sent(AttachmentKind.VOICE, "note"), "three", "four", "five", "six")
        for request in house.runtime.requests[1:]:
            assert "4411" not in request.system + request.prompt + "".join(line.text for line in request.history[::2])
        about_file, about_note = model.of("exchange")[:2]
        own, _, answer = about_file.partition("Lar: ")
        assert own.count("code.pdf") == 2, "as what it was sent and as what it is saved"
        assert "4411" not in own
        assert "4411" in answer, "this model answers with its prompt"
        assert "remember the DENTIST" in about_note
        assert (await kept(house, Kind.EXCHANGE))[0].taint == (source,)
        await until(house, NEXT_MORNING)
        (day,) = model.of("Sum up the day")
        assert "WHICH code?" in day
        assert "4411" not in day
        assert "dentist" in day.lower()


async def test_a_file_nobody_got_to_see_is_named(seeing: Plan, model: Model) -> None:
    """R-ME-3: of a turn that was stopped before it fetched anything, the sentence knows that a file came."""
    async with at(seeing, MORNING) as house:
        house.hang()
        await house.say("ONE")
        await house.until(lambda: house.runtime.requests)
        await house.say(sent(AttachmentKind.PHOTO, "photo", "LOOK"))
        await house.ask("/stop")
        await house.quiet()
        await say(house, "three", "four", "five")
        assert "LOOK\n[photo: photo]" in model.of("exchange")[1]


# ---- replay


async def replayed(house: Household, number: int) -> tuple[Replay, bool]:
    """A turn, run again from its record: what was found, and whether the prompt is the very same."""
    record = await house.db.read(turn_record, TurnId(number))
    assert record
    runtime = ScriptedRuntime()
    found = await replay(record, Agent("main", "scripted", runtime), house.prompting)
    then, now = house.runtime.requests[number - 1], runtime.requests[0]
    same = (then.system, then.history, then.prompt, then.media) == (now.system, now.history, now.prompt, now.media)
    return found, same and then.toolbox.taint == now.toolbox.taint


async def test_a_turn_with_media_and_memory_replays(seeing: Plan) -> None:
    """R-CV-6: with files, sentences, forwarded words and workspace files in it, the very same prompt is made again."""
    async with at(seeing, MORNING) as house:
        house.channel.files |= {"code.pdf": pdf("the code is 4411"), "note": b"sound"}
        own = house.plan.folder / "workspace" / "people" / "1"
        own.mkdir(parents=True)
        (own / "USER.md").write_text("Ann likes tea.")
        await say(house, "ONE", forwarded("TWO"), "three", "four", sent(AttachmentKind.VOICE, "note"))
        await say(house, sent(AttachmentKind.DOCUMENT, "code.pdf", "SIX"))
        (own / "USER.md").write_text("Ann likes coffee.")
        last = house.runtime.requests[-1]
        for part in ("Ann likes tea.", "Sentence 1 of one.", "Sentence 1 of two."):
            assert part in last.system
        assert "4411" in last.prompt
        for number in range(1, 7):
            assert await replayed(house, number) == (Replay((0, 0, 0, 0, 2, 2)[number - 1], ()), True)
