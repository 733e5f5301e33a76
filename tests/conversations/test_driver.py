"""One turn from its first prompt to its reply, through crashes, limits and runtimes of every kind."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from lar.conversations import driver
from lar.conversations.settings import ConversationSettings
from lar.domain.artifact import Artifact, Outgoing
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.domain.message import Author, Exchange
from lar.domain.turn import Limits, TurnState, Usage
from lar.errors import FileTooLarge, OutcomeUnknown, SendLater, StoreError, ThinkingError
from lar.runtimes.contract import (
    Finished,
    ModelCalled,
    RuntimeEvent,
    TextDelta,
    ToolEnded,
    ToolStarted,
    TurnRequest,
)
from lar.store.schema import conversation, delivery, job, message, turn
from lar.testing.channel import DOCUMENT_FROM
from lar.testing.household import Household, Plan, living
from lar.testing.turns import Effects
from lar.tools.contract import ToolCall, ToolStatus
from lar.tools.execute import Registry

WHOLE = Finished("done")


async def turns_of(house: Household) -> list[Any]:
    """Every turn, oldest first."""
    return list(await house.db.read(lambda c: c.execute(turn.select().order_by(turn.c.id)).all()))


async def test_reply_and_end_are_one_commit(anywhere: Plan) -> None:
    """R-CV-8: the turn, its reply in the transcript and its parts in the outbox are stored together or not at all."""
    house = Household(anywhere)
    await house.open()
    house.work()
    house.db.fail("_end", times=3)
    await house.say("hello")
    await house.until(lambda: house.db.failed)
    assert (await turns_of(house))[0].state == "running"
    assert len(await house.db.read(lambda c: c.execute(message.select()).all())) == 1
    await house.until_stored(lambda c: c.execute(delivery.select()).all())
    ended = (await turns_of(house))[0]
    assert (ended.state, ended.started_at, ended.ended_at) == ("done", house.clock(), house.clock())
    assert [row.text for row in await house.db.read(lambda c: c.execute(message.select()).all())] == [
        "hello",
        "echo: hello",
    ]
    assert house.runtime.prompts == ["hello"]
    await house.stop()


async def test_a_crash_loses_and_repeats_nothing(anywhere: Plan) -> None:
    """R-CV-7: after a crash the turn goes on: with the same prompt, and without doing again what was done."""
    effects = Effects()
    plan = replace(anywhere, registry=Registry(effects.tools()))
    async with living(plan) as house:
        await house.ask("before")
        await house.quiet()
        house.runtime.then(act_once, asyncio.Event())
        await house.say("one", "two")
        await house.until(lambda: effects.acted)
        await house.until_stored(lambda c: "one" in repr(c.execute(message.select()).all()))
        await house.say("added meanwhile")
        first = house.runtime.requests[-1]
        await house.crash()

        following = Household(house.plan, house.channel)
        following.runtime.then(act_once, Finished("acted"))
        await following.start()
        await following.quiet()
        again = following.runtime.requests[0]
        assert (again.system, again.history, again.prompt) == (first.system, first.history, first.prompt)
        assert first.history == (Exchange(Author.USER, "before"), Exchange(Author.ASSISTANT, "echo: before"))
        assert effects.acted == ["it"]
        assert "added meanwhile" in following.runtime.prompts[-1]
        assert house.channel.texts()[:2] == ["echo: before", "acted"]
        await following.stop()


async def act_once(request: TurnRequest) -> RuntimeEvent | None:
    """Change something for good."""
    outcome = await request.toolbox.execute(ToolCall("1", "act", {"on": "it"}))
    return ToolEnded("act", "1", outcome.status)


async def test_an_interrupted_effect_is_told_and_not_repeated(plan: Plan) -> None:
    """R-CV-7: an unsafe call that a crash cut off is not made again; the person reads that nobody knows its outcome."""
    effects = Effects()
    async with living(replace(plan, registry=Registry(effects.tools()))) as house:
        house.runtime.then(act_once)
        house.db.fail("finish", times=1000)
        await house.say("do it")
        await house.until(lambda: house.db.failed)
        await house.crash()
        following = Household(house.plan, house.channel)
        following.runtime.then(act_once, Finished("I tried."))
        await following.start()
        await following.quiet()
        assert effects.acted == ["it"]
        said = "\n".join(house.channel.texts())
        assert said.startswith("I tried.")
        assert "act was interrupted by a restart" in said
        await following.stop()


async def test_a_crash_before_the_first_prompt_is_no_attempt(plan: Plan) -> None:
    """R-CV-7: what is claimed and not yet begun when we die is begun by the next process."""
    house = Household(plan)
    await house.open()
    house.db.fail("pin", times=1000)
    house.work()
    await house.say("hello")
    await house.until(lambda: house.db.failed)
    await house.crash()
    following = await house.again()
    await following.quiet(passing=1)
    assert house.channel.texts() == ["echo: hello"]
    await following.stop()


async def test_a_stop_in_good_order_resumes(house: Household) -> None:
    """R-CV-7: a turn that runs when we are restarted is begun again by the next process."""
    house.hang()
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.stop()
    assert house.runtime.log == ["begin hello", "cancelled hello"]
    following = await house.again()
    await following.quiet()
    assert house.channel.texts() == ["echo: hello"]
    await following.stop()


async def test_a_turn_that_is_over_is_not_done_again(house: Household) -> None:
    """R-CV-2: a job that finds its turn ended, stopped or failed elsewhere does nothing."""
    house.hang()
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.stop()
    following = Household(house.plan, house.channel)
    await following.open()
    await following.db.write(lambda c: c.execute(turn.update().values(state=TurnState.STOPPED)).close())
    following.work()
    await following.until_stored(lambda c: c.execute(job.select()).one().state == "done")
    assert following.runtime.requests == []
    assert (await turns_of(following))[0].state == "stopped"
    await following.stop()


# ---- how a runtime may end


async def test_usage_is_recorded(house: Household) -> None:
    """R-CV-6: what a turn used is stored with it."""
    house.runtime.then(ModelCalled(Usage(1, 0, 10, 5, 0.5)), WHOLE)
    await house.ask("hello")
    await house.quiet()
    assert (await turns_of(house))[0].usage == {
        "model_calls": 1,
        "tool_calls": 0,
        "input_tokens": 10,
        "output_tokens": 5,
        "usd": 0.5,
    }


async def test_a_silent_turn_sends_nothing(house: Household) -> None:
    """R-CV-4: an assistant that decided not to reply is silent, and its turn is done."""
    house.runtime.then(Finished("", silent=True))
    await house.say("just so you know")
    await house.quiet()
    assert house.channel.sent == []
    assert [row.state for row in await turns_of(house)] == ["done"]
    assert len(await house.db.read(lambda c: c.execute(message.select()).all())) == 1


async def test_a_failure_is_a_sentence(house: Household) -> None:
    """R-LM-3: a runtime that cannot go on is explained, with what it had said, and recorded."""
    house.runtime.then(TextDelta("Half an"), ThinkingError("quota", "out of money", retry_after=60))
    await house.say("hello", chat=house.channel.chat(language="es"))
    await house.quiet()
    assert house.channel.texts() == [
        "Half an",
        "La cuota del modelo está agotada, unos 60 s más. Tu mensaje queda guardado; pregunta más tarde.",
    ]
    ended = (await turns_of(house))[0]
    assert (ended.state, ended.error) == ("failed", "quota: out of money")


async def test_a_runtime_that_crashes_is_recorded(house: Household, logs: list[MutableMapping[str, Any]]) -> None:
    """A runtime's fault costs its turn and nothing else: it is logged with its turn, and the chat goes on."""
    house.runtime.then(TextDelta("Half an"), ZeroDivisionError("a bug"))
    await house.ask("hello")
    await house.quiet()
    assert house.channel.texts()[1].startswith("Something went wrong")
    [entry] = [entry for entry in logs if "a bug" in entry.get("exception", "")]
    assert (entry["turn"], entry["agent"]) == (1, "main")
    assert await house.ask("again") == "echo: again"


@pytest.mark.parametrize("last", [[], [asyncio.CancelledError()]])
async def test_a_runtime_that_just_ends_is_noticed(house: Household, last: list[BaseException]) -> None:
    """A runtime that ends without an answer does not leave its person waiting for the time limit."""
    house.runtime.then(TextDelta("and so"), *last)
    assert await house.ask("hello") == "and so"
    await house.quiet()
    assert house.channel.texts()[1].startswith("Something went wrong")


@pytest.mark.parametrize("error", [StoreError("the disk is full"), OutcomeUnknown("model:1")])
async def test_what_is_not_the_runtimes_fault_is_tried_again(house: Household, error: Exception) -> None:
    """R-CV-7: where the database or the engine fails, the engine tries the turn again; the person notices nothing."""
    house.runtime.then(error)
    await house.say("hello")
    await house.quiet(passing=1)
    assert house.channel.texts() == ["echo: hello"]
    assert len(house.runtime.requests) == 2


async def test_what_fails_again_and_again_is_given_up(house: Household) -> None:
    """R-CV-7: a turn that cannot be done ends, says so in its person's language, and frees the lane."""
    for _ in range(house.plan.engine.max_failures):
        house.runtime.then(StoreError("the disk is full"))
    await house.say("hello", chat=house.channel.chat(language="es"))
    await house.quiet(passing=5)
    assert house.channel.texts() == ["Algo salió mal mientras trabajaba en esto; queda registrado como turno 1."]
    ended = (await turns_of(house))[0]
    assert (ended.state, ended.error) == ("failed", "StoreError: the disk is full")
    assert await house.ask("again") == "echo: again"


async def test_the_time_limit_ends_a_turn(plan: Plan) -> None:
    """R-CV-5: a turn that takes too long is ended, explained, and its runtime told to stop."""
    async with living(replace(plan, limits=Limits(seconds=20))) as house:
        house.runtime.then(TextDelta("So far"), asyncio.Event())
        await house.say("hello")
        await house.until(lambda: house.runtime.running)
        await house.advance(21)
        await house.quiet()
        assert house.channel.texts() == ["So far", "I stopped: this turn reached its limit of 20 seconds."]
        assert "cancelled hello" in house.runtime.log


async def test_a_stubborn_runtime_holds_up_no_reply(plan: Plan, logs: list[MutableMapping[str, Any]]) -> None:
    """R-CV-5: a runtime that does not stop when told to is reported, and the limit still ends its turn."""
    async with living(replace(plan, limits=Limits(seconds=20))) as house:
        released = house.stubborn()
        await house.say("hello")
        await house.until(lambda: house.runtime.running)
        await house.advance(21)
        await house.quiet(passing=driver.RUNTIME_GRACE)
        assert "limit of 20 seconds" in house.channel.texts()[0]
        assert [entry["agent"] for entry in logs if entry["log_level"] == "error"] == ["main"]
        released.set()
        await house.until(lambda: not house.runtime.running)


async def test_long_work_gives_signs_of_life(house: Household) -> None:
    """R-CV-3: while a turn takes long its person hears that it goes on, and what it is at."""
    held = asyncio.Event()
    house.runtime.then(ToolStarted("browse", "1"), held, WHOLE)
    await house.say("hello")
    await house.until(lambda: house.runtime.running)
    await house.advance(61)
    await house.until(lambda: house.channel.sent)
    await house.advance(121)
    await house.until(lambda: len(house.channel.sent) == 2)
    held.set()
    await house.quiet()
    assert house.channel.texts() == ["⏳ Still working (1 min): browse.", "⏳ Still working (3 min): browse.", "done"]


# ---- what is sent


async def test_a_long_reply_is_a_document(house: Household) -> None:
    """R-TG-9: past a threshold a reply is sent as a file, whole, named in its person's language."""
    text = "word " * DOCUMENT_FROM
    house.runtime.then(Finished(text))
    await house.say("tell me everything", chat=house.channel.chat(language="es"))
    await house.quiet()
    beginning, document = house.channel.sent
    assert beginning.part.text == text[:20]
    assert document.part.file
    assert (document.part.file.name, document.part.file.mime) == ("respuesta.md", "text/markdown")
    assert (house.plan.folder / "files" / document.part.file.path).read_text() == text


async def test_a_very_long_reply_does_not_stop_the_others(house: Household) -> None:
    """Rendering a huge reply is done beside the event loop, with the same outcome."""
    text = "x" * (driver.LONG_REPLY + 1)
    house.runtime.then(Finished(text))
    await house.say("everything")
    await house.quiet()
    assert house.channel.sent[1].part.file


async def test_a_turn_outlives_its_channel(plan: Plan) -> None:
    """A turn whose channel was taken out of the configuration is done; its reply waits for the channel's return."""
    house = Household(plan)
    await house.open()
    file = Attachment(AttachmentKind.PHOTO, "ref", "a.jpg")
    await house.say(Text("what is this?", "m1", (file,)))
    await house.crash()
    without = Household(replace(plan, silent_channels=True), house.channel)
    without.runtime.then(Finished("a cat"))
    await without.start()
    await without.until_stored(lambda c: [row.state for row in c.execute(turn.select()).all()] == ["done"])
    without.runtime.then(Finished("", silent=True))
    await without.say("just so you know")
    await without.until_stored(lambda c: [row.state for row in c.execute(turn.select()).all()] == ["done", "done"])
    assert "its channel is not configured any more" in without.runtime.prompts[0]
    await without.stop()
    following = await house.again()
    await following.quiet()
    told = "⚠️ a.jpg did not reach me: its channel is not configured any more"
    assert house.channel.texts() == [f"a cat\n\n{told}"]
    await following.stop()


# ---- files that came


async def test_files_are_fetched_once_and_described(plan: Plan) -> None:
    """R-TG-7: what came with a message is stored under its name, told of in the prompt, and not fetched again."""
    async with living(plan) as house:
        house.channel.files["ref-1"] = b"12345"
        house.runtime.then(asyncio.Event())
        file = Attachment(AttachmentKind.DOCUMENT, "ref-1", "report.pdf", "application/pdf")
        await house.say(Text("read this", "m1", (file,)))
        await house.until(lambda: house.runtime.running)
        path = house.plan.folder / "files" / "inbox" / "1-0" / "report.pdf"
        assert path.read_bytes() == b"12345"
        said = "read this\n[document: report.pdf, application/pdf, 5 bytes, saved as uploads/report.pdf]"
        assert house.runtime.prompts == [said]
        assert (house.plan.folder / "workspace" / "people" / "1" / "uploads" / "report.pdf").read_bytes() == b"12345"
        await house.crash()
        following = await house.again()
        await following.quiet()
        assert following.runtime.prompts == [said]
        assert house.channel.fetched == ["ref-1"]
        await following.stop()


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (FileTooLarge("21 MB is over the limit of 20 MB"), "21 MB is over the limit of 20 MB"),
        (SendLater(5, "slow down"), "it could not be downloaded: slow down"),
        (None, "there is no such file any more"),
    ],
)
async def test_a_file_that_cannot_be_had_is_explained(house: Household, failure: Exception | None, told: str) -> None:
    """R-TG-14: the assistant knows which file it did not get, and why; and the person is told in any case."""
    if failure:
        house.channel.files["ref-1"] = failure
    await house.say(
        Text("see", "m1", (Attachment(AttachmentKind.VIDEO, "ref-1", "film.mp4", "video/mp4", 22_000_000),))
    )
    await house.quiet()
    assert house.runtime.prompts == [f"see\n[video: film.mp4, video/mp4, 22000000 bytes, not available: {told}]"]
    assert house.channel.texts()[-1] == f"⚠️ film.mp4 did not reach me: {told}"


async def test_history_is_what_was_said_before(plan: Plan) -> None:
    """R-ME-1: a prompt carries the last messages of earlier turns, oldest first, and nothing of what waits."""
    async with living(replace(plan, window=3, settings=ConversationSettings(max_queued=100))) as house:
        for text in ("one", "two"):
            await house.ask(text)
            await house.quiet()
        hang = house.hang()
        await house.say("three")
        await house.until(lambda: house.runtime.running)
        await house.say("four")
        hang.set()
        await house.quiet()
        assert [e.text for e in house.runtime.requests[2].history] == ["two", "echo: two"]
        assert [e.text for e in house.runtime.requests[3].history] == ["three", "done"]


async def test_a_group_prompt_names_who_speaks(house: Household) -> None:
    """R-CV-1: in a group each message says who wrote it, the same after a rename and a restart."""
    house.hang()
    await house.say("hello", chat=house.channel.chat("1", "-5", name="Ann"))
    await house.until(lambda: house.runtime.running)
    assert house.runtime.prompts == ["Ann: hello"]
    await house.say("/whoami", chat=house.channel.chat("1", "-5", name="Annabel"))
    await house.crash()
    following = await house.again()
    await following.quiet()
    assert following.runtime.prompts == ["Ann: hello"]
    await following.stop()


async def test_a_transcript_is_trimmed_where_that_is_set(plan: Plan) -> None:
    """R-ME-1: with a maximum set, the oldest messages of a conversation go as new turns end."""
    async with living(replace(plan, keep=2)) as house:
        for text in ("one", "two", "three"):
            await house.ask(text)
            await house.quiet()
        kept = await house.db.read(lambda c: c.execute(message.select().order_by(message.c.id)).all())
        assert [row.text for row in kept] == ["two", "echo: two", "three", "echo: three"]


async def test_what_a_tool_sends_leaves_before_the_reply(house: Household) -> None:
    """R-TO-7: text and files a tool sends are delivered once, with the reply, here or in the chat it names."""
    other = house.channel.chat(user="2")
    await house.ask("hello", chat=other)
    file = house.plan.folder / "files" / "artifacts" / "a.txt"
    file.parent.mkdir(parents=True)
    file.write_text("content")
    artifact = Artifact("artifacts/a.txt", "a.txt", "text/plain", 7)
    there = await house.db.read(lambda c: c.execute(select(conversation.c.id)).scalars().all())
    sent = (Outgoing("here", artifact), Outgoing("there", conversation=there[0]))
    house.runtime.then(ToolEnded("send", "1.1", ToolStatus.OK, sent), Finished("done"))
    await house.say("go")
    await house.quiet()
    assert house.channel.texts("1") == ["here", "done"]
    assert house.channel.texts(other.chat)[-1] == "there"
