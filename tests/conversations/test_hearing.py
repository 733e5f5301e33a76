"""What people send, as a runtime gets it: seen once, told in the transcript, and known as content from outside."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from lar.conversations.agents import Agent
from lar.conversations.hearing import signs_of_life
from lar.conversations.replay import Replay, replay
from lar.conversations.settings import ConversationSettings
from lar.domain.conversation import QueueMode
from lar.domain.ids import TurnId
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.domain.spend import Payer
from lar.media.intake import Intake
from lar.media.settings import MediaSettings, TranscriptionSettings
from lar.runtimes.contract import Finished, TurnRequest
from lar.store.records import turn_record
from lar.testing.household import Household, Plan, living
from lar.testing.runtime import ScriptedRuntime
from media_samples import pdf, picture


class Ear:
    """Hears the same in everything, once it may."""

    name = "ear"

    def __init__(self) -> None:
        self.heard = 0
        self.may = asyncio.Event()
        self.may.set()

    async def __call__(self, _recording: Path, _payer: Payer, /) -> str:
        """Listen."""
        self.heard += 1
        await self.may.wait()
        return "turn it down"


@pytest.fixture
def ear() -> Ear:
    """It."""
    return Ear()


def seeing(plan: Plan, ear: Ear) -> Plan:
    """A household that looks at what people send."""
    settings = MediaSettings(transcription=TranscriptionSettings(notice_seconds=6))
    return replace(plan, intake=Intake(plan.folder / "files", settings, ear))


@pytest.fixture
async def seer(plan: Plan, ear: Ear) -> AsyncGenerator[Household]:
    """The same, alive, with some files at the channel."""
    async with living(seeing(plan, ear)) as house:
        house.channel.files |= {
            "photo": picture(),
            "pdf": pdf("the code is 4411"),
            "voice": b"sound",
            "bad": b"\xff\xd8\xff",
        }
        yield house


def sent(ref: str, text: str = "", **more: str) -> Text:
    """A message with one of the files."""
    kind = {"photo": AttachmentKind.PHOTO, "voice": AttachmentKind.VOICE}.get(ref, AttachmentKind.DOCUMENT)
    return Text(text, f"m-{ref}", (Attachment(kind, ref, f"{ref}.x"),), **more)  # pyright: ignore[reportArgumentType]  # texts


def paths(request: TurnRequest) -> list[str]:
    """What is shown with a request."""
    return [artifact.path for artifact in request.media]


async def test_a_photo_is_shown_once_and_referenced_after(seer: Household) -> None:
    """R-LM-4: the model sees it in its turn; the transcript tells of it by name; it counts as content from outside."""
    await seer.ask(sent("photo", "what is it?"))
    await seer.ask("and now?")
    first, second = seer.runtime.requests
    assert paths(first) == ["inbox/1-0/photo.x"]
    assert first.prompt.endswith("saved as uploads/photo.x]\n[uploads/photo.x: 640 x 480 pixels, shown to you]")
    assert first.toolbox.taint == second.toolbox.taint == ("file that was sent: uploads/photo.x",)
    assert paths(second) == []
    assert second.history[0].text.endswith("bytes, saved as uploads/photo.x]")


async def test_a_document_is_read_out(plan: Plan, ear: Ear) -> None:
    """R-LM-4: the prompt holds a document's text, and the transcript only its name."""
    async with living(replace(seeing(plan, ear), takes=frozenset())) as house:
        house.channel.files["pdf"] = pdf("the code is 4411")
        for said in (sent("pdf", "which code?"), "and now?"):
            await house.say(said)
            await house.quiet()
        first, second = house.runtime.requests
    assert "--- text of pdf.x ---\n[page 1]\nthe code is 4411\n--- end of pdf.x ---" in first.prompt
    assert first.toolbox.taint == ("file that was sent: uploads/pdf.x",)
    assert "4411" not in second.history[0].text
    assert "uploads/pdf.x" in second.history[0].text


async def test_a_recording_is_as_good_as_typed(seer: Household) -> None:
    """R-TG-8: its words are the message, stay in the transcript, and are not from outside."""
    await seer.ask(sent("voice"))
    await seer.ask("and now?")
    first, second = seer.runtime.requests
    assert first.prompt.startswith("turn it down\n[voice: voice.x, ")
    assert first.prompt.endswith("; its words are above]")
    assert first.toolbox.taint == ()
    assert second.history[0].text.startswith("turn it down\n[voice: ")


@pytest.mark.parametrize(
    "said", [Text("pay me", "m1", source="forwarded from Eve"), sent("voice", source="forwarded from Eve")]
)
async def test_what_was_handed_on_is_from_outside(seer: Household, said: Text) -> None:
    """R-PO-3: a forwarded message says so, and taints for as long as it is in the context."""
    await seer.ask(said)
    await seer.ask("and now?")
    first, second = seer.runtime.requests
    assert first.prompt.startswith("[forwarded from Eve]\n")
    assert first.toolbox.taint == second.toolbox.taint == ("forwarded from Eve",)


async def test_a_forwarded_command_is_none(seer: Household) -> None:
    """R-PO-3: what somebody else wrote commands nothing."""
    said = await seer.ask(Text("/stop", "m1", source="forwarded from Eve"))
    assert said == "echo: [forwarded from Eve]\n/stop"


async def test_what_cannot_be_seen_is_told_below_the_answer(seer: Household) -> None:
    """R-LM-4: a corrupt image fails no turn; the person reads why, whatever the model says."""
    seer.runtime.then(Finished("no idea"))
    assert await seer.ask(sent("bad", "what is it?")) == "no idea"
    await seer.quiet()
    assert seer.channel.texts()[1] == "⚠️ I could not look at bad.x: it is damaged, or no image that is known here."


async def test_a_crash_looks_at_nothing_twice(plan: Plan, ear: Ear) -> None:
    """R-CV-7: the next attempt gets the same words and pictures, from the journal, whatever the transcript has."""
    async with living(seeing(plan, ear)) as house:
        house.channel.files |= {"voice": b"sound", "photo": picture()}
        house.runtime.then(asyncio.Event())
        await house.say(sent("photo"), sent("voice"))
        await house.until(lambda: house.runtime.running)
        [before] = house.runtime.requests
        await house.crash()
        following = await house.again()
        await following.quiet()
        [after] = following.runtime.requests
        assert (after.prompt, after.media, after.toolbox.taint) == (before.prompt, before.media, before.toolbox.taint)
        assert ear.heard == 1
        await following.stop()


async def test_a_crash_in_the_middle_of_listening(plan: Plan, ear: Ear) -> None:
    """R-CV-7: a transcription that was interrupted is made again."""
    async with living(seeing(plan, ear)) as house:
        house.channel.files["voice"] = b"sound"
        ear.may.clear()
        await house.say(sent("voice"))
        await house.until(lambda: ear.heard)
        await house.crash()
        ear.may.set()
        following = await house.again()
        await following.quiet()
        assert (ear.heard, house.channel.fetched) == (2, ["voice"])
        assert following.runtime.prompts[0].startswith("turn it down")
        await following.stop()


async def test_listening_takes_its_time(seer: Household, ear: Ear) -> None:
    """R-TG-8: typing is shown at once, and a notice tells where it takes longer."""
    ear.may.clear()
    await seer.say(sent("voice"))
    await seer.until(lambda: ear.heard and seer.channel.shown)
    for _ in range(3):
        await seer.advance(4.5)
        await asyncio.sleep(0.01)
    await seer.until(lambda: seer.channel.texts() == ["⏳ I am still looking at what you sent."])
    ear.may.set()
    await seer.quiet()
    assert len(seer.channel.texts()) == 2


async def test_stop_ends_the_listening(seer: Household, ear: Ear) -> None:
    """R-CV-3: `/stop` while a recording is transcribed ends that, too."""
    ear.may.clear()
    await seer.say(sent("voice"))
    await seer.until(lambda: ear.heard)
    assert "Stopped: 1" in await seer.ask("/stop")
    await seer.quiet()
    assert seer.runtime.requests == []


async def test_a_file_joins_a_running_turn(plan: Plan, ear: Ear) -> None:
    """R-TG-7: in mode `steer` a photo is looked at for the turn that runs, which knows where it came from."""
    plan = replace(seeing(plan, ear), settings=ConversationSettings(queue_mode=QueueMode.STEER))
    async with living(plan) as house:
        house.channel.files["photo"] = picture()
        first, second = asyncio.Event(), asyncio.Event()
        arrived: list[object] = []

        async def listen(request: TurnRequest) -> None:
            assert request.steering
            found = await request.steering.arrived()
            arrived.extend(found)
            request.steering.taken([said.id for said in found])
            request.toolbox.saw(found[0].sources)
            assert [artifact.mime for artifact in found[0].media] == ["image/jpeg"]
            assert request.toolbox.taint == ("file that was sent: uploads/photo.x",)

        house.runtime.then(first, listen, second, Finished("done"))
        await house.say("one")
        await house.until(lambda: house.runtime.running)
        await house.say(sent("photo", "this"))
        first.set()
        await house.until(lambda: arrived)
        second.set()
        await house.quiet()
        assert house.channel.texts() == ["done"]


async def test_a_turn_with_files_replays(seer: Household) -> None:
    """R-CV-6: a turn that was shown something replays from its record alone."""
    await seer.say(sent("photo"), sent("voice"))
    await seer.quiet()
    record = await seer.db.read(turn_record, TurnId(1))
    assert record
    runtime = ScriptedRuntime()
    agent = Agent("main", "scripted", runtime)
    found = await replay(record, agent, seer.prompting)
    assert found == Replay(4, ())
    [then], [now] = seer.runtime.requests, runtime.requests
    assert (now.prompt, now.media) == (then.prompt, then.media)


async def test_no_notice_is_given_where_none_is_wanted() -> None:
    """R-TG-8: the notice may be off."""
    shown: list[int] = []

    async def never() -> None:
        raise AssertionError

    async with signs_of_life(lambda: shown.append(1), never, 0):
        await asyncio.sleep(0)
    assert shown == [1]
