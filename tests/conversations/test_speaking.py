"""Spoken answers: a recording follows the text where somebody wants it, once, and its failure hurts nobody."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import select

from lar.conversations.speaking import Speech
from lar.domain.delivery import Part
from lar.domain.ids import ConversationId, PrincipalId
from lar.domain.spend import Payer
from lar.errors import BudgetReached, MediaError, ThinkingError
from lar.runtimes.contract import Finished
from lar.store.schema import job
from lar.testing.household import Household, Plan, living


@dataclass
class Voice:
    """Speaks by writing the words down. A `Speaker`. `fails` is raised; `may`: it waits for this."""

    name: str = "voice"
    said: list[tuple[str, str, Payer]] = field(default_factory=list[tuple[str, str, Payer]])
    fails: Exception | None = None
    may: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, text: str, target: Path, language: str, payer: Payer, /) -> None:
        """Speak."""
        self.said.append((text, language, payer))
        await self.may.wait()
        if self.fails is not None:
            raise self.fails
        await asyncio.to_thread(target.write_text, text)


@pytest.fixture
def lips() -> Voice:
    """What speaks, at once."""
    voice = Voice()
    voice.may.set()
    return voice


@pytest.fixture
def speaking(anywhere: Plan, lips: Voice) -> Plan:
    """A household where answers can be spoken, on either database."""
    return replace(anywhere, speech=Speech(lips, frozenset({"fake"}), most=100))


def recordings(house: Household, chat: str = "1") -> list[Part]:
    """What was sent to be heard."""
    return [sent.part for sent in house.channel.sent if sent.to.chat == chat and sent.part.file]


async def test_an_answer_is_heard_after_it_is_read(speaking: Plan, lips: Voice) -> None:
    """R-TG-8: from `/voice on` on a recording follows each answer, made on the person's account; until `/voice off`."""
    async with living(speaking) as house:
        await house.ask("quiet")
        assert await house.ask("/voice") == "Answers are written only. /voice on has them spoken, too (by voice)."
        assert "I speak here, too" in await house.ask("/voice on")
        assert "spoken here, too (by voice)" in await house.ask("/voice")
        await house.ask("say **this**\n\n```\nnot this\n```")
        await house.quiet()
        [part] = recordings(house)
        assert part.file
        assert (part.file.mime, part.file.voice, part.text) == ("audio/ogg", True, "")
        assert (speaking.folder / "files" / part.file.path).read_text() == "echo: say this"
        assert lips.said == [("echo: say this", "en", Payer(PrincipalId(1), "", conversation_id=ConversationId(1)))]
        assert [sent.part.file is not None for sent in house.channel.sent][-3:] == [False, False, True]
        assert "written only" in await house.ask("/voice off")
        await house.ask("quiet again")
        await house.quiet()
        assert len(recordings(house)) == 1


async def test_a_crash_while_it_is_spoken(speaking: Plan, lips: Voice) -> None:
    """R-CV-7: after a crash the answer is spoken once more, and heard once."""
    lips.may.clear()
    house = Household(speaking)
    await house.start()
    await house.ask("/voice on")
    await house.ask("hello")
    await house.until(lambda: lips.said)
    await house.crash()
    lips.may.set()
    after = await house.again()
    await after.quiet()
    assert len(recordings(after)) == 1
    assert len(lips.said) == 2
    await after.stop()


@pytest.mark.parametrize(
    "error", [MediaError("failed", "hoarse"), BudgetReached("person", "day", 5.0, retry_after=60), OSError("full")]
)
async def test_what_cannot_be_spoken_was_read(speaking: Plan, lips: Voice, error: Exception) -> None:
    """R-TG-8: a voice that fails, may not spend or breaks leaves the text as it is, and says nothing."""
    lips.fails = error
    async with living(speaking) as house:
        await house.ask("/voice on")
        assert await house.ask("hello") == "echo: hello"
        await house.quiet(600)
        assert recordings(house) == []
        assert len(house.channel.texts()) == 2
        states = await house.db.read(
            lambda c: c.execute(select(job.c.state).where(job.c.kind == "speak")).scalars().all()
        )
        assert states == ["failed" if isinstance(error, OSError) else "done"]


async def test_stop_ends_the_speaking(speaking: Plan, lips: Voice) -> None:
    """R-CV-3: `/stop` while an answer is spoken ends that, too."""
    lips.may.clear()
    async with living(speaking) as house:
        await house.ask("/voice on")
        await house.ask("hello")
        await house.until(lambda: lips.said)
        assert "1" in await house.ask("/stop")
        lips.may.set()
        await house.quiet()
        assert recordings(house) == []


async def test_what_is_not_spoken(speaking: Plan, lips: Voice) -> None:
    """R-TG-8: an apology for a failure, a silence and a drawing are not spoken."""
    async with living(speaking) as house:
        await house.ask("/voice on")
        house.runtime.then(ThinkingError("auth", "no key"))
        await house.ask("one")
        house.runtime.then(Finished("", silent=True))
        await house.say("two")
        await house.quiet()
        house.runtime.then(Finished("```\ncode\n```"))
        await house.ask("three")
        await house.quiet()
        assert lips.said == []


async def test_where_it_is_always_on(speaking: Plan, lips: Voice) -> None:
    """R-TG-8: `media.speech.always` speaks wherever nobody said otherwise."""
    async with living(replace(speaking, speech=replace(speaking.speech, always=True))) as house:
        await house.ask("hello")
        await house.quiet()
        assert len(lips.said) == 1
        await house.ask("/voice off")
        await house.ask("hello")
        await house.quiet()
        assert len(lips.said) == 1


async def test_who_may_and_how(speaking: Plan) -> None:
    """R-TG-8: in a group an admin decides; what is no answer is explained."""
    async with living(speaking) as house:
        group, admin = house.channel.chat("1", "-5"), house.channel.chat("9", "-5")
        assert await house.ask("/voice loud") == "/voice on or /voice off"
        assert "only an admin" in await house.ask("/voice on", chat=group)
        assert "I speak here" in await house.ask("/voice on", chat=admin)


@pytest.mark.parametrize(
    ("speech", "told"),
    [
        (Speech("espeak-ng is missing (apt install espeak-ng)", always=True), "apt install espeak-ng"),
        (Speech(Voice(), frozenset({"telegram"}), always=True), "carries no recordings"),
    ],
)
async def test_where_nothing_speaks(plan: Plan, speech: Speech, told: str) -> None:
    """R-TG-8: what is missing is said, with how to get it; a chat that carries no recordings says so."""
    async with living(replace(plan, speech=speech)) as house:
        assert told in await house.ask("/voice on")
        assert await house.ask("hello") == "echo: hello"
        await house.quiet()
        assert recordings(house) == []
