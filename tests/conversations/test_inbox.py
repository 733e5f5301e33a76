"""What comes in: committed before it is acknowledged, each update once, and nobody's trouble is another's."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table

from lar.domain.conversation import QueueMode
from lar.domain.inbound import ChatStatus, Inbound, Text
from lar.errors import StoreError
from lar.policy.access import AccessRules
from lar.store import inbound as ledger
from lar.store.schema import conversation, inbound, message, principal
from lar.testing.household import Household, Plan, living

LONELY = "\ud800"
"""Half a character: no database stores it."""


async def rows(house: Household, table: Table) -> list[dict[str, Any]]:
    """All rows of a table, oldest first."""
    found = await house.db.read(lambda c: c.execute(table.select()).mappings().all())
    return [dict(row) for row in found]


async def states(house: Household) -> list[str]:
    """What became of each update."""
    return [row["state"] for row in await rows(house, inbound)]


async def test_a_message_is_answered(anywhere: Plan) -> None:
    """Somebody writes, the runtime thinks, an answer arrives; both are in the transcript."""
    async with living(anywhere) as house:
        assert await house.ask("hello") == "echo: hello"
        await house.quiet()
        said = await rows(house, message)
        assert [(row["author"], row["text"]) for row in said] == [("user", "hello"), ("assistant", "echo: hello")]


async def test_the_same_update_twice_is_one_message(anywhere: Plan) -> None:
    """R-TG-2: what a channel hands in again, in one batch, later or after a restart, is answered once."""
    async with living(anywhere) as house:
        update = house.channel.chat().says("once")
        await house.hear(update, update)
        await house.hear(update)
        await house.quiet()
        await house.stop()
        following = await house.again()
        await following.hear(update)
        await following.quiet()
        assert house.channel.texts() == ["echo: once"]
        await following.stop()


async def test_what_came_in_is_answered_after_a_restart(anywhere: Plan) -> None:
    """R-TG-2: a message that was acknowledged is answered by the next process if this one dies first."""
    house = Household(anywhere)
    await house.open()
    await house.say("are you there?")
    await house.crash()
    following = await house.again()
    await following.quiet()
    assert following.channel.texts() == ["echo: are you there?"]
    await following.stop()


async def test_ten_messages_at_once_are_all_answered_in_order(anywhere: Plan) -> None:
    """R-CV-1: a burst in one chat is taken in whole and in order."""
    async with living(anywhere) as house:
        chat = house.channel.chat()
        await house.hear(*[chat.says(f"line {number}") for number in range(10)])
        await house.quiet()
        heard = "\n\n".join(house.runtime.prompts)
        assert heard == "\n\n".join(f"line {number}" for number in range(10))


async def test_the_database_failing_is_not_an_acknowledgement(house: Household) -> None:
    """R-TG-2: while nothing can be stored the channel is told so, and the batch counts when it is handed in again."""
    update = house.channel.chat().says("hello")
    house.db.broken = True
    with pytest.raises(StoreError):
        await house.hear(update)
    house.db.broken = False
    await house.hear(update)
    await house.quiet()
    assert house.channel.texts() == ["echo: hello"]


async def test_the_database_failing_over_poison_is_not_an_acknowledgement(house: Household) -> None:
    """R-TG-2: the same while the updates of a poisoned batch are taken one by one."""
    chat = house.channel.chat()
    batch = [chat.says("before"), chat.says(f"bad {LONELY}")]
    house.db.fail("_take_all", after=1)
    with pytest.raises(StoreError):
        await house.hear(*batch)
    await house.hear(*batch)
    await house.quiet()
    assert house.channel.texts() == ["echo: before"]


async def test_a_poison_update_is_recorded_and_passed(house: Household) -> None:
    """An update that trips us up is kept for whoever looks into it, and its neighbours are answered."""
    chat = house.channel.chat()
    await house.hear(chat.says("before"), chat.says(f"bad {LONELY}"), chat.says("after"))
    await house.quiet()
    assert "\n\n".join(house.runtime.prompts) == "before\n\nafter"
    found = await rows(house, inbound)
    assert [row["state"] for row in found] == ["taken", "poison", "taken"]
    assert "UnicodeEncodeError" in found[1]["problem"]
    assert found[1]["raw"]["text"].startswith("bad")
    await house.hear(chat.says("still here"))
    await house.quiet()
    assert house.channel.texts()[-1] == "echo: still here"


async def test_an_update_nobody_understood_is_kept(house: Household) -> None:
    """What a channel could not parse is recorded, as it came if somebody sent it who is let in."""
    nobody = Inbound("fake", "main", "u2", raw={"odd": "thing"}, problem="KeyError: chat")
    somebody = replace(nobody, update_id="u1", sender=house.channel.chat().says("").sender)
    boring = Inbound("fake", "main", "u3", raw={"poll": "thing"})
    await house.hear(somebody, nobody, boring, somebody, nobody, boring)
    found = await rows(house, inbound)
    assert [(row["state"], row["problem"], row["raw"]) for row in found] == [
        ("poison", "KeyError: chat", {"odd": "thing"}),
        ("poison", "KeyError", {}),
        ("ignored", "", {}),
    ]


async def test_an_update_of_an_unknown_account_is_poison(house: Household) -> None:
    """A channel that names an account nobody configured does no harm, and keeps nothing."""
    stray = replace(house.channel.chat().says("hello"), account="other")
    await house.hear(stray)
    found = await rows(house, inbound)
    assert [(row["state"], row["problem"], row["raw"]) for row in found] == [("poison", "KeyError", {})]


async def test_raw_updates_are_forgotten_in_time(house: Household) -> None:
    """The raw text of updates goes first, the ledger that recognises repeats later."""
    await house.say("hello")
    assert await house.db.write(ledger.forget_raw, house.clock() + 1) == 1
    assert [row["raw"] for row in await rows(house, inbound)] == [None]
    assert await house.db.write(ledger.prune, house.clock()) == 0
    assert await house.db.write(ledger.prune, house.clock() + 1) == 1


async def test_chats_do_not_wait_for_each_other(plan: Plan) -> None:
    """R-CV-1: many conversations run in parallel; one that hangs holds nobody up."""
    async with living(plan) as house:
        hang = house.hang()
        await house.say("hold on", chat=house.channel.chat("1"))
        await house.until(lambda: house.runtime.running)
        assert await house.ask("quick", chat=house.channel.chat("2")) == "echo: quick"
        hang.set()
        await house.quiet()
        assert house.runtime.most == 2


async def test_threads_are_conversations(house: Household) -> None:
    """R-TG-6: each topic of a group is a conversation of its own."""
    for thread in ("a", "b"):
        await house.say("hello", chat=house.channel.chat("1", "-5", thread=thread))
    await house.quiet()
    assert len(await rows(house, conversation)) == 2
    assert {sent.to.thread for sent in house.channel.sent} == {"a", "b"}


async def test_who_is_not_addressed_is_not_answered(house: Household) -> None:
    """R-TG-6: in a group Lar takes in only what is meant for it, and keeps nothing else."""
    group = house.channel.chat("1", "-5")
    await house.say(Text("just chatting", "m1", addressed=False), chat=group)
    await house.quiet()
    assert house.channel.sent == []
    assert [(row["state"], row["raw"]) for row in await rows(house, inbound)] == [("ignored", None)]
    assert await rows(house, message) == []


async def test_a_chat_that_opens_again_is_marked(house: Household) -> None:
    """R-TG-12: the vendor's news that a chat closed or opened is kept with its conversations."""
    chat = house.channel.chat()
    await house.ask("hello")
    await house.hear(chat.update(ChatStatus(reachable=False)))
    assert [row["gone"] for row in await rows(house, conversation)] == [True]
    await house.hear(chat.update(ChatStatus(reachable=True)))
    assert [row["gone"] for row in await rows(house, conversation)] == [False]


# ---- who is who


async def test_an_alias_names_a_person(plan: Plan) -> None:
    """R-TG-5: a configured alias is what the prompt calls somebody, whatever they call themselves."""
    rules = AccessRules(users=frozenset({"1", "2"}), aliases={"1": "Grandma"})
    async with living(replace(plan, rules=rules)) as house:
        await house.say("hello", chat=house.channel.chat("1", name="xX_granny_Xx"))
        await house.say("hello", chat=house.channel.chat("2", name="Bob"))
        await house.quiet()
        assert {request.system for request in house.runtime.requests} == {
            "main serves Grandma in thread 1",
            "main serves Bob in thread 1",
        }


async def test_a_person_is_kept_up_to_date(house: Household) -> None:
    """A new name or language is noticed with the next message; a channel that reports no language changes none."""
    await house.ask("one", chat=house.channel.chat(name="Ann", language="en"))
    await house.ask("two", chat=house.channel.chat(name="Anna", language="es"))
    await house.ask("three", chat=house.channel.chat(name="Anna", language=""))
    known = await rows(house, principal)
    assert [(row["name"], row["language"]) for row in known] == [("Anna", "es")]


async def test_an_admin_by_configuration_is_one_only_while_it_says_so(house: Household) -> None:
    """R-TG-3: taking somebody off the list of admins takes effect with the next start."""
    nine = house.channel.chat("9", name="Eve")
    assert "role: admin" in await house.ask("/whoami", chat=nine)
    await house.quiet()
    await house.stop()
    following = await house.again(rules=AccessRules(users=frozenset({"9"})))
    assert "role: user" in await following.ask("/whoami", chat=nine)
    await following.stop()


# ---- edits


async def waiting(plan: Plan, mode: QueueMode = QueueMode.COLLECT) -> Household:
    """A household that takes in and does nothing yet."""
    house = Household(replace(plan, settings=plan.settings.model_copy(update={"queue_mode": mode})))
    await house.open()
    return house


async def test_an_edit_counts_while_its_message_waits(plan: Plan) -> None:
    """R-TG-7: who corrects a message before it is thought about is answered as corrected, quote and all."""
    house = await waiting(plan)
    await house.say(
        Text("teh cat", "m1", reply_to_text="which?"), Text("the cat", "m1", edited=True, reply_to_text="which?")
    )
    house.work()
    await house.until(lambda: house.runtime.prompts)
    assert house.runtime.prompts == ["> which?\n\nthe cat"]
    await house.stop()


async def test_an_edit_changes_nothing_later(house: Household) -> None:
    """What was answered stays as it was asked; an edit of something unknown is nothing."""
    await house.ask(Text("first", "m1"))
    await house.quiet()
    await house.say(Text("second", "m1", edited=True), Text("what?", "m99", edited=True))
    await house.quiet()
    assert house.channel.texts() == ["echo: first"]
    assert (await states(house))[1:] == ["ignored", "ignored"]


async def test_only_its_author_edits_a_message(plan: Plan) -> None:
    """R-CV-1: nobody else's words get into somebody's turn."""
    house = await waiting(plan)
    await house.say(Text("mine", "m1"), chat=house.channel.chat("1", "-5"))
    await house.say(Text("not mine", "m1", edited=True), chat=house.channel.chat("2", "-5"))
    house.work()
    await house.until(lambda: house.runtime.prompts)
    assert "not mine" not in house.runtime.prompts[0]
    await house.stop()


async def test_an_edit_of_a_message_without_a_turn_is_ignored(house: Household) -> None:
    """Messages whose turn was pruned can be edited without harm."""
    await house.ask(Text("first", "m1"))
    await house.quiet()
    await house.db.write(lambda c: c.execute(message.update().values(turn_id=None)).close())
    await house.say(Text("second", "m1", edited=True))
    await house.db.write(lambda c: c.execute(message.update().values(turn_id=999)).close())
    await house.say(Text("third", "m1", edited=True))
    assert (await states(house))[1:] == ["ignored", "ignored"]
