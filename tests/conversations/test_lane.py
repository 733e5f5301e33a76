"""One turn at a time, of one person: what a message does that comes while another is waiting or thought about."""

from dataclasses import replace
from typing import Any

import pytest

from lar.conversations import lane
from lar.conversations.settings import ConversationSettings
from lar.domain.conversation import QueueMode
from lar.domain.ids import ConversationId
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.domain.turn import TurnState
from lar.errors import SendLater
from lar.memory.context import UNANSWERED
from lar.runtimes.contract import Finished
from lar.store import jobs, turns
from lar.store.schema import turn
from lar.testing.household import Household, Plan, living

MODES = list(QueueMode)


def furnished(plan: Plan, **settings: Any) -> Plan:
    """The same household with other settings of conversations."""
    return replace(plan, settings=ConversationSettings(**settings))


async def turn_states(house: Household) -> list[str]:
    """The state of every turn, oldest first."""
    return [row.state for row in await house.db.read(lambda c: c.execute(turn.select().order_by(turn.c.id)).all())]


def photo(number: int, **more: Any) -> Text:
    """One picture of an album; the first brings the words."""
    ref = f"photo-{number}"
    return Text(
        "see" if number == 1 else "",
        ref,
        (Attachment(AttachmentKind.PHOTO, ref, f"{number}.jpg"),),
        group_key="album",
        **more,
    )


@pytest.mark.parametrize("mode", MODES)
async def test_ten_messages_in_a_burst_are_all_heard_in_order(plan: Plan, mode: QueueMode) -> None:
    """R-CV-1: in every queue mode a burst is thought about whole and in order, and its last message is answered."""
    async with living(furnished(plan, queue_mode=mode)) as house:
        chat = house.channel.chat()
        await house.hear(*[chat.says(f"line {number}") for number in range(10)])
        await house.quiet()
        last = house.runtime.requests[-1]
        heard = [exchange.text for exchange in last.history if not exchange.text.startswith("echo")]
        assert "\n\n".join([*heard, last.prompt]).split("\n\n") == [f"line {number}" for number in range(10)]


async def test_one_turn_at_a_time(anywhere: Plan) -> None:
    """R-CV-1: messages that come during a turn wait for it and become one next turn."""
    async with living(anywhere) as house:
        hang = house.hang()
        await house.say("one")
        await house.until(lambda: house.runtime.running)
        await house.say("two", "three")
        hang.set()
        await house.quiet()
        assert house.runtime.most == 1
        assert house.runtime.prompts == ["one", "two\n\nthree"]
        assert house.channel.texts() == ["done", "echo: two", "three"]


async def test_queued_messages_become_a_turn_each(plan: Plan) -> None:
    """R-CV-1: in mode `queue` every message gets an answer of its own."""
    async with living(furnished(plan, queue_mode=QueueMode.QUEUE)) as house:
        hang = house.hang()
        await house.say("one", "two", "three")
        hang.set()
        await house.quiet()
        assert house.runtime.prompts == ["one", "two", "three"]


@pytest.mark.parametrize("mode", MODES)
async def test_senders_never_share_a_turn(plan: Plan, mode: QueueMode) -> None:
    """R-CV-1: in a group only messages of the same sender are collected, steered or interrupted."""
    async with living(furnished(plan, queue_mode=mode)) as house:
        ann, bob = (house.channel.chat(user, "-5", name=name) for user, name in (("1", "Ann"), ("2", "Bob")))
        hang = house.hang()
        await house.say("a1", chat=ann)
        await house.until(lambda: house.runtime.running)
        await house.say("b1", chat=bob)
        await house.say("a2", chat=ann)
        await house.say("b2", chat=bob)
        await house.say("b3", chat=bob)
        hang.set()
        await house.quiet()
        for request in house.runtime.requests:
            assert len({part[0] for part in request.prompt.split("\n\n")}) == 1
        everything = "\n\n".join(house.runtime.prompts)
        assert all(said in everything for said in ("b1", "a2", "b2", "b3"))
        assert all(
            f"serves {'Ann' if r.prompt.startswith('Ann') else 'Bob'}" in r.system for r in house.runtime.requests
        )


async def test_an_interruption_stops_the_running_turn(plan: Plan) -> None:
    """R-CV-1: in mode `interrupt` a new message stops the turn and begins one that knows what was asked."""
    async with living(furnished(plan, queue_mode=QueueMode.INTERRUPT, heartbeat_seconds=30)) as house:
        house.hang()
        await house.say("write a novel")
        await house.until(lambda: house.runtime.running)
        assert await house.ask("or a poem") == "echo: or a poem"
        await house.quiet()
        assert await turn_states(house) == ["stopped", "done"]
        assert "cancelled write a novel" in house.runtime.log
        assert [exchange.text for exchange in house.runtime.requests[1].history] == [
            "write a novel",
            UNANSWERED,
        ]


async def test_an_interruption_takes_no_answer_away(plan: Plan) -> None:
    """R-CV-8: an answer that waits for its delivery is delivered, also when its reader writes on meanwhile."""
    async with living(furnished(plan, queue_mode=QueueMode.INTERRUPT)) as house:
        house.channel.fail(SendLater(30, "slow down"))
        await house.say("one")
        await house.until(lambda: house.channel.tried)
        await house.say("two")
        await house.until(lambda: "end two" in house.runtime.log)
        await house.advance(31)
        await house.quiet()
        assert house.channel.texts() == ["echo: one", "echo: two"]


async def test_an_interrupted_turn_says_nothing_more(plan: Plan) -> None:
    """R-CV-1: a sign of life that was not sent yet goes with the turn it was of."""
    async with living(furnished(plan, queue_mode=QueueMode.INTERRUPT, heartbeat_seconds=30)) as house:
        house.hang()
        await house.say("one")
        await house.until(lambda: house.runtime.running)
        house.channel.fail(SendLater(30, "slow down"))
        await house.advance(31)
        await house.until(lambda: house.channel.tried)
        await house.say("two")
        await house.until(lambda: "end two" in house.runtime.log)
        await house.advance(31)
        await house.quiet()
        assert house.channel.texts() == ["echo: two"]


# ---- albums and pastes


@pytest.mark.parametrize("mode", MODES)
async def test_an_album_is_one_turn(plan: Plan, mode: QueueMode) -> None:
    """R-TG-7: the pictures of an album are awaited briefly and thought about together, in every queue mode."""
    async with living(furnished(plan, queue_mode=mode)) as house:
        await house.say(photo(1), photo(2))
        await house.say("unrelated", chat=house.channel.chat("2"))
        await house.until(lambda: house.channel.texts("2"))
        await house.say(photo(3))
        assert house.runtime.prompts == ["unrelated"]
        await house.advance(0.9)
        await house.quiet()
        assert len(house.runtime.requests) == 2
        assert [part.count("[photo") for part in house.runtime.prompts[1].split("\n\n")] == [1, 1, 1]


async def test_an_album_is_found_behind_others(plan: Plan) -> None:
    """R-TG-7: in a group the pictures find their album though somebody else wrote between them."""
    async with living(plan) as house:
        ann, bob = house.channel.chat("1", "-5"), house.channel.chat("2", "-5")
        await house.say(photo(1), chat=ann)
        await house.say("nice", chat=bob)
        await house.say(photo(2), chat=ann)
        await house.advance(0.9)
        await house.quiet()
        assert len(house.runtime.requests) == 2
        assert "2.jpg" in house.runtime.prompts[0]


async def test_a_late_picture_is_not_lost(plan: Plan) -> None:
    """R-TG-7: a picture that comes when its album is thought about already waits for the next words."""
    async with living(plan) as house:
        hang = house.hang()
        await house.say(photo(1))
        await house.advance(0.9)
        await house.until(lambda: house.runtime.running)
        await house.say(photo(2))
        hang.set()
        await house.quiet()
        await house.say("and this?")
        await house.quiet()
        assert ["1.jpg" in prompt for prompt in house.runtime.prompts] == [True, False]
        assert "2.jpg" in house.runtime.prompts[1]


@pytest.mark.parametrize("mode", MODES)
async def test_a_split_paste_is_one_turn(plan: Plan, mode: QueueMode) -> None:
    """R-TG-7: a paste the vendor split is put together again, in every queue mode."""
    async with living(furnished(plan, queue_mode=mode)) as house:
        await house.say(Text("first half", "m1", more_expected=True))
        await house.advance(0.5)
        assert await house.ask(Text("second half", "m2")) == "echo: first half"
        await house.quiet()
        assert house.runtime.prompts == ["first half\n\nsecond half"]


async def test_a_paste_that_stays_alone_is_answered(plan: Plan) -> None:
    """R-TG-7: what looked like a first half is answered after the wait, if nothing follows."""
    async with living(plan) as house:
        await house.say(Text("all of it", "m1", more_expected=True))
        await house.advance(0.9)
        await house.quiet()
        assert house.runtime.prompts == ["all of it"]


async def test_a_message_does_not_join_a_turn_that_begins(plan: Plan) -> None:
    """R-CV-1: between its claim and its first prompt a turn takes nothing in any more: nobody would read it."""
    house = Household(plan)
    await house.open()
    await house.say("one")
    [opened] = await house.db.read(turns.open_in, ConversationId(1))
    [claimed] = await house.db.write(
        lambda c: jobs.claim(c, worker_id=1, limit=1, now=house.clock(), kinds=[lane.TURN])
    )
    assert claimed.id == opened.job_id
    await house.say("two")
    assert await turn_states(house) == [TurnState.QUEUED, TurnState.QUEUED]
    await house.stop()


# ---- limits


async def test_a_full_chat_says_so(plan: Plan) -> None:
    """R-CV-3: a chat takes so many waiting turns and no more, and says clearly that a message was not taken."""
    async with living(furnished(plan, queue_mode=QueueMode.QUEUE, max_queued_per_chat=2)) as house:
        hang = house.hang()
        await house.say("one")
        await house.until(lambda: house.runtime.running)
        await house.say("two", "three")
        assert "I still have 2 turns" in await house.ask("four")
        assert await house.ask("hello", chat=house.channel.chat("2")) == "echo: hello"
        hang.set()
        await house.quiet()
        assert "four" not in house.runtime.prompts
        await house.ask("four again")


async def test_a_full_house_says_so(plan: Plan) -> None:
    """R-CV-3: in all chats together there is a limit, too, and it holds for chats that wait already."""
    async with living(furnished(plan, queue_mode=QueueMode.QUEUE, max_queued=2)) as house:
        hang = house.hang()
        await house.say("one", "two")
        for user in ("2", "1"):
            assert "too busy" in await house.ask("hello", chat=house.channel.chat(user))
        hang.set()
        await house.quiet()
        assert await house.ask("hello", chat=house.channel.chat("2")) == "echo: hello"


# ---- /stop


@pytest.mark.parametrize("command", ["/stop", "/cancel", "/STOP now"])
async def test_stop_ends_everything_here(anywhere: Plan, command: str) -> None:
    """R-CV-2: `/stop` ends the turn, the queue and unsent parts; both are visible as stopped, and silence follows."""
    async with living(anywhere) as house:
        hang = house.hang()
        await house.say("one")
        await house.until(lambda: house.runtime.running)
        await house.say("two")
        assert await house.ask(command) == "Stopped: 2 turn(s), 0 unsent part(s)."
        hang.set()
        assert await house.ask("three") == "echo: three"
        await house.quiet()
        assert house.runtime.prompts == ["one", "three"]
        assert await turn_states(house) == ["stopped", "stopped", "done"]


async def test_stop_frees_the_lane_at_once(house: Household) -> None:
    """R-CV-2: after `/stop` a new message is answered though the old runtime still hangs in its cleaning up."""
    cleaning = house.stubborn()
    await house.say("one")
    await house.until(lambda: house.runtime.running)
    await house.ask("/stop")
    assert await house.ask("two") == "echo: two"
    assert house.runtime.running == 1
    cleaning.set()


async def test_stop_takes_back_what_was_not_sent(house: Household) -> None:
    """R-CV-2: parts of a long answer that wait are not sent after `/stop`, nor is one that is on its way and fails."""
    house.channel.gate.clear()
    house.runtime.then(Finished("a\n\nb\n\nc"))
    await house.say("one")
    await house.until(lambda: house.channel.tried)
    await house.say("/stop")
    house.channel.fail(SendLater(1, "slow down"))
    house.channel.gate.set()
    await house.quiet()
    await house.advance(2)
    await house.quiet()
    assert house.channel.texts() == ["Stopped: 0 turn(s), 3 unsent part(s)."]


async def test_a_restart_does_not_revive_what_was_stopped(anywhere: Plan) -> None:
    """R-CV-2: `/stop` is committed before it is confirmed: a crash right behind it brings nothing back."""
    house = Household(anywhere)
    await house.start()
    house.hang()
    await house.say("one")
    await house.until(lambda: house.runtime.running)
    house.channel.gate.clear()
    await house.say("/stop")
    await house.crash()
    house.channel.gate.set()
    following = await house.again()
    await following.quiet()
    assert following.runtime.requests == []
    [said] = house.channel.texts()
    assert said.startswith("Stopped: 1 turn(s), 0 unsent part(s).")
    await following.stop()


async def test_stop_is_for_this_conversation(house: Household) -> None:
    """R-CV-2: others go on."""
    hang = house.hang()
    await house.say("one", chat=house.channel.chat("2"))
    await house.until(lambda: house.runtime.running)
    assert await house.ask("/stop") == "Nothing is running here."
    hang.set()
    await house.quiet()
    assert house.channel.texts("2") == ["done"]
