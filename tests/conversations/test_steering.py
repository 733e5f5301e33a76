"""Messages that join a running turn: heard before its next step, each answered once."""

import asyncio
from dataclasses import replace

import pytest

from lar.conversations.settings import ConversationSettings
from lar.domain.conversation import QueueMode
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.domain.values import JsonObject
from lar.runtimes.contract import Finished, TurnRequest
from lar.testing.household import Household, Plan, living


class Listener:
    """An act of a runtime that takes in what arrived, journalled as the model loop does; then answers all of it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, request: TurnRequest) -> None:
        """Take in what arrived."""
        steering = request.steering
        assert steering

        async def act() -> JsonObject:
            return {"messages": [said.plain() for said in await steering.arrived()]}

        taken = await request.journal.step(f"steer:{len(self.heard)}", "steer", {}, act, repeatable=True)
        steering.taken([said["id"] for said in taken["messages"]])
        self.heard += [said["text"] for said in taken["messages"]]

    async def answer(self, _request: TurnRequest) -> Finished:
        """Say what was heard."""
        return Finished(f"heard {', '.join(self.heard)}")


@pytest.fixture
def steered(anywhere: Plan) -> Plan:
    """A household in which messages join the running turn."""
    return replace(anywhere, settings=ConversationSettings(queue_mode=QueueMode.STEER))


async def begun(house: Household, *more: str) -> tuple[Listener, asyncio.Event, asyncio.Event]:
    """A turn that runs; it listens at the first event, and listens no more after it, and ends at the second."""
    listener, first, second = Listener(), asyncio.Event(), asyncio.Event()
    house.runtime.then(first, listener, second, listener.answer)
    await house.say("one")
    await house.until(lambda: house.runtime.running)
    await house.say(*more)
    return listener, first, second


async def test_a_message_joins_the_running_turn(steered: Plan) -> None:
    """R-CV-1: in mode `steer` the running turn hears what is said meanwhile, in order, and one answer covers all."""
    async with living(steered) as house:
        _, first, second = await begun(house, "two", "three")
        first.set()
        second.set()
        await house.quiet()
        assert house.runtime.prompts == ["one"]
        assert house.channel.texts() == ["heard two, three"]


async def test_what_comes_too_late_is_the_next_turn(steered: Plan) -> None:
    """R-CV-1: what the turn no longer listened to is not lost: it becomes the next turn, whole and in order."""
    async with living(steered) as house:
        listener, first, second = await begun(house, "two")
        first.set()
        await house.until(lambda: listener.heard)
        await house.say("three", "four")
        second.set()
        await house.quiet()
        assert house.runtime.prompts == ["one", "three\n\nfour"]
        assert house.channel.texts() == ["heard two", "echo: three", "four"]


async def test_a_crash_answers_each_message_once(steered: Plan) -> None:
    """R-CV-7: what a turn took in before a crash it takes in again, as before; what came since waits its turn."""
    async with living(steered) as house:
        listener, first, _ = await begun(house, "two")
        first.set()
        await house.until(lambda: listener.heard)
        await house.say("three")
        await house.crash()
        following = Household(house.plan, house.channel)
        again = Listener()
        following.runtime.then(again, again.answer)
        await following.start()
        await following.quiet(passing=0.1)
        assert following.runtime.prompts == ["one", "three"]
        assert house.channel.texts() == ["heard two", "echo: three"]
        await following.stop()


async def test_a_file_joins_with_its_words(steered: Plan) -> None:
    """R-TG-7: a file that comes during a turn is fetched and looked at for it, and the transcript tells of it."""
    async with living(steered) as house:
        house.channel.files["r"] = b"12345"
        listener, first, second = await begun(house)
        await house.say(Text("and this?", "m2", (Attachment(AttachmentKind.PHOTO, "r", "a.jpg"),)))
        first.set()
        await house.until(lambda: listener.heard)
        second.set()
        await house.quiet()
        assert listener.heard[0].startswith("and this?\n[photo: a.jpg")
        await house.ask("again")
        assert "[photo: a.jpg" in house.runtime.requests[-1].history[1].text


async def test_nobody_steers_where_that_is_off(plan: Plan) -> None:
    """R-CV-1: in every other mode a runtime is offered nothing to listen to."""
    async with living(plan) as house:
        await house.ask("one")
        assert house.runtime.requests[0].steering is None
