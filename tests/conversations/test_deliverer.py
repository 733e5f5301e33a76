"""What leaves: in order, until it is confirmed, and never twice without saying so."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from lar.conversations import deliverer
from lar.conversations.deliverer import MOST_FAILURES, RETRY_FIRST, RETRY_MOST
from lar.domain.conversation import Address, Place
from lar.domain.delivery import OutgoingFile, Part
from lar.domain.ids import ConversationId
from lar.errors import ChatGone, FileTooLarge, SendLater, SendRefused, SendUncertain
from lar.store import conversations, deliveries
from lar.store.database import notify
from lar.store.schema import conversation, delivery
from lar.testing.household import Household, Plan, living
from lar.testing.postgres import PostgresServer

AGAIN = "\n\n↻ Sent again: the receipt of the first try was lost."


def put(connection: Connection, chat: str, *parts: str | Part) -> ConversationId:
    """Put parts into the outbox of a chat."""
    found = conversations.ensure(connection, Address("fake", "main", chat), Place.PRIVATE, "", 0.0)
    deliveries.add(connection, found.id, [part if isinstance(part, Part) else Part(part) for part in parts], 0.0)
    return found.id


async def ended(house: Household) -> list[tuple[str, str]]:
    """The state of every part and its error, oldest first."""
    found = await house.db.read(lambda c: c.execute(delivery.select().order_by(delivery.c.id)).all())
    return [(row.state, row.error) for row in found]


async def until_tried(house: Household, times: int) -> None:
    """Wait until so many sends were tried, and what came of the last is written."""
    await house.until(lambda: len(house.channel.tried) >= times)
    await house.until_stored(lambda c: not deliveries.counts(c).get("sending"))


async def test_parts_leave_in_order(anywhere: Plan) -> None:
    """R-TG-9: the parts of a long answer arrive in their order, each once, with the vendor's id kept."""
    async with living(anywhere) as house:
        await house.db.write(put, "1", *"abcdef")
        await house.quiet()
        assert house.channel.texts() == list("abcdef")
        found = await house.db.read(lambda c: c.execute(delivery.select().order_by(delivery.c.id)).all())
        assert [row.vendor_id for row in found] == [sent.vendor_id for sent in house.channel.sent]


async def test_chats_are_sent_to_side_by_side(house: Household) -> None:
    """R-CV-1: a send that hangs in one chat holds up no other, and fifty chats get theirs at the same time."""
    house.channel.gate.clear()
    for chat in range(50):
        await house.db.write(put, str(chat), "a", "b")
    await house.until(lambda: len(house.channel.tried) == 50)
    house.channel.gate.set()
    await house.quiet()
    assert all(house.channel.texts(str(chat)) == ["a", "b"] for chat in range(50))


async def test_what_waited_leaves_at_start(anywhere: Plan) -> None:
    """R-CV-8: an answer that was stored is sent by whichever process comes next."""
    house = Household(anywhere)
    await house.open()
    await house.db.write(put, "1", "a", "b")
    house.deliver()
    await house.quiet()
    assert house.channel.texts() == ["a", "b"]
    await house.stop()


async def test_later_means_later(house: Household) -> None:
    """R-TG-12: a `retry_after` is respected, and what comes behind waits in order; no mark, for nothing was sent."""
    house.channel.fail(SendLater(30, "flood"), SendLater(300, "flood"))
    await house.db.write(put, "1", "a", "b")
    await until_tried(house, 1)
    await house.advance(29)
    assert len(house.channel.tried) == 1
    await house.advance(2)
    await until_tried(house, 2)
    await house.quiet(passing=61)  # however long the wait is, the clock is looked at once a minute
    assert house.channel.texts() == ["a", "b"]
    assert len(house.channel.tried) == 4


async def test_no_answer_means_again_and_marked(house: Household) -> None:
    """R-CV-7: a part whose receipt never came is sent again after growing pauses, and says that it was."""
    house.channel.fail(*[SendUncertain("timeout")] * 3)
    await house.db.write(put, "1", "a", "b")
    for tries, pause in ((1, RETRY_FIRST), (2, RETRY_FIRST * 2), (3, RETRY_FIRST * 4)):
        await until_tried(house, tries)
        await house.advance(pause + 0.01)
    await house.quiet()
    assert house.channel.texts() == ["a" + AGAIN, "b"]
    assert (await house.db.read(deliveries.counts))["resent"] == 1


async def test_the_pause_has_an_end(house: Household) -> None:
    """R-TG-12: a vendor that stays silent for days is asked once a minute, not ever more rarely."""
    house.channel.fail(SendUncertain("timeout"), SendUncertain("timeout"))
    await house.db.write(put, "1", "a")
    await until_tried(house, 1)
    await house.db.write(lambda c: c.execute(delivery.update().values(attempts=5000)).close())
    await house.advance(RETRY_MOST)
    await until_tried(house, 2)
    row = await house.db.read(lambda c: c.execute(delivery.select()).one())
    assert row.not_before == house.clock() + RETRY_MOST


async def test_what_cannot_be_marked_is_not(house: Household) -> None:
    """A file gets the mark as its caption; an edit and the answer to a button are repeated as they are."""
    parts = (Part(file=OutgoingFile("a.txt", "a.txt")), Part("done", edit_of="m1"), Part("seen", answers_press="p1"))
    for chat, part in enumerate(parts):
        house.channel.fail(SendUncertain("timeout"))
        await house.db.write(put, str(chat), part)
        await until_tried(house, chat + 1)
    await house.quiet(passing=1)
    assert [house.channel.texts(str(chat)) for chat in range(3)] == [[AGAIN.strip()], ["done"], ["seen"]]


async def test_a_mark_never_costs_the_message(house: Household) -> None:
    """R-TG-9: where the mark makes a full message too long, the message is sent again without it."""
    house.channel.fail(SendUncertain("timeout"), SendRefused("message is too long"))
    await house.db.write(put, "1", "a" * 4096)
    await until_tried(house, 1)
    await house.advance(RETRY_FIRST + 0.01)
    await house.quiet()
    assert house.channel.texts() == ["a" * 4096]


async def test_a_refused_part_is_recorded_and_passed(house: Household) -> None:
    """R-TG-12: what the vendor refuses for good holds nothing up, is shown as a problem, and is not tried again."""
    house.channel.fail(SendRefused("bad entities"))
    await house.db.write(put, "1", "a")
    await until_tried(house, 1)
    assert [sentence for sentence in house.problems.open.values() if "bad entities" in sentence]
    await house.db.write(put, "1", "b")
    await house.quiet()
    assert house.channel.texts() == ["b"]
    assert await ended(house) == [("refused", "bad entities"), ("sent", "")]
    assert house.problems.open == {}


async def test_a_file_too_large_is_told_in_its_place(house: Household) -> None:
    """R-TG-14: who does not get a file reads why, where the file would have been."""
    house.channel.fail(FileTooLarge("60 MB is over the limit of 50 MB"))
    await house.db.write(put, "1", Part(file=OutgoingFile("a.bin", "a.bin")), "behind it")
    await house.quiet()
    assert house.channel.texts() == ["A file could not be sent: 60 MB is over the limit of 50 MB", "behind it"]


async def test_a_chat_that_is_gone_is_closed(house: Household) -> None:
    """R-TG-12: who blocked us is not written to for ever, and is answered when they come back."""
    house.channel.fail(ChatGone("bot was blocked by the user"))
    await house.db.write(put, "1", "a", "b", "c")
    await house.quiet()
    assert house.channel.texts() == []
    assert [state for state, _ in await ended(house)] == ["gone"] * 3
    assert await house.db.read(lambda c: c.execute(conversation.select()).one().gone)
    assert await house.ask("I am back") == "echo: I am back"
    assert not await house.db.read(lambda c: c.execute(conversation.select()).one().gone)


async def test_a_channel_that_fails_unforeseen_is_tried_again(
    house: Household, logs: list[MutableMapping[str, Any]]
) -> None:
    """A fault of an adapter is recorded and taken for a lost receipt; the conversation goes on by itself."""
    house.channel.fail(RuntimeError("a bug"))
    await house.db.write(put, "1", "a", "b")
    await until_tried(house, 1)
    await house.advance(RETRY_FIRST + 0.01)
    await house.quiet()
    assert house.channel.texts() == ["a" + AGAIN, "b"]
    assert [entry["event"] for entry in logs if "a bug" in entry.get("exception", "")]


async def test_a_part_that_always_trips_its_adapter_holds_nobody_up(house: Household) -> None:
    """A part no adapter can handle is given up after some tries, and said to be refused; the next one leaves."""
    house.channel.fail(*[RuntimeError("a bug")] * MOST_FAILURES)
    await house.db.write(put, "1", "a", "b")
    for tries in range(1, MOST_FAILURES):
        await until_tried(house, tries)
        await house.advance(RETRY_MOST)
    await house.quiet()
    assert house.channel.texts() == ["b"]
    assert await ended(house) == [("refused", "RuntimeError: a bug"), ("sent", "")]


# ---- coming and going


async def test_a_crash_in_the_middle_of_a_send_is_marked(anywhere: Plan) -> None:
    """R-CV-7: the one part whose receipt a crash swallowed is sent again and marked; all others arrive once."""
    house = Household(anywhere)
    await house.start()
    house.channel.gate.clear()
    await house.db.write(put, "1", "a", "b", "c")
    await house.until(lambda: house.channel.tried)
    await house.crash()
    house.channel.gate.set()
    following = await house.again()
    await following.quiet()
    assert house.channel.texts() == ["a" + AGAIN, "b", "c"]
    await following.stop()


async def test_a_stop_lets_a_send_end(house: Household) -> None:
    """A restart in good order repeats nothing: the send on its way is confirmed, what is behind it waits unmarked."""
    house.channel.gate.clear()
    await house.db.write(put, "1", "a", "b", "c")
    await house.until(lambda: house.channel.tried)
    stopping = asyncio.create_task(house.stop())
    await asyncio.sleep(0)
    house.channel.gate.set()
    await stopping
    assert house.channel.texts() == ["a"]
    following = await house.again()
    await following.quiet()
    assert house.channel.texts() == ["a", "b", "c"]
    await following.stop()


async def test_a_stop_does_not_wait_for_ever(house: Household) -> None:
    """A send that hangs at a stop is cut off after some seconds, and sent again by the next process, marked."""
    house.channel.gate.clear()
    await house.db.write(put, "1", "a")
    await house.until(lambda: house.channel.tried)
    stopping = asyncio.create_task(house.stop())
    await asyncio.sleep(0)
    await house.db.write(put, "2", "too late for this process")
    await house.deliverer.hurry("fake", "main")
    await house.advance(deliverer.LAST_SEND + 0.1)
    await stopping
    house.channel.gate.set()
    following = await house.again()
    await following.quiet()
    assert house.channel.texts() == ["a" + AGAIN]
    assert house.channel.texts("2") == ["too late for this process"]
    await following.stop()


async def test_a_timer_ends_with_its_process(house: Household) -> None:
    """What waits for its time when we stop is sent by the next process, in its time."""
    house.channel.fail(SendLater(30, "flood"))
    await house.db.write(put, "1", "a")
    await until_tried(house, 1)
    await house.stop()
    following = await house.again()
    await following.quiet()
    assert house.channel.texts() == ["a"]
    await following.stop()


async def test_hurry_overrules_later(house: Household) -> None:
    """A channel whose client came back need not wait for what it said about later."""
    house.channel.fail(SendLater(86400, "nobody is here"))
    await house.db.write(put, "1", "a", "b")
    await until_tried(house, 1)
    await house.deliverer.hurry("fake", "main")
    await house.quiet()
    assert house.channel.texts() == ["a", "b"]


async def test_hurry_counts_while_a_send_is_failing(house: Household) -> None:
    """A client that comes in the very moment in which a part finds nobody gets it."""
    house.channel.gate.clear()
    house.channel.fail(SendLater(86400, "nobody is here"))
    await house.db.write(put, "1", "a")
    await house.until(lambda: house.channel.tried)
    await house.deliverer.hurry("fake", "main")
    house.channel.gate.set()
    await house.quiet()
    assert house.channel.texts() == ["a"]


async def test_a_part_added_during_a_send_is_noticed(house: Household) -> None:
    """What is put behind a part that is being sent leaves right after it."""
    house.channel.gate.clear()
    house.channel.fail(SendLater(1, "flood"))
    await house.db.write(put, "1", "a")
    await house.until(lambda: house.channel.tried)
    await house.db.write(put, "1", "b")
    house.channel.gate.set()
    await until_tried(house, 1)
    await house.advance(1.1)
    await house.quiet()
    assert house.channel.texts() == ["a", "b"]


async def test_a_process_without_the_channel_leaves_its_parts_alone(house: Household) -> None:
    """A process that does not have the account neither sends nor puts off what another one is to send."""
    stranger = Address("other", "main", "1")
    await house.db.write(
        lambda c: deliveries.add(c, conversations.ensure(c, stranger, Place.PRIVATE, "", 0.0).id, [Part("a")], 0.0)
    )
    await house.ask("hello")
    rows = await house.db.read(lambda c: c.execute(delivery.select()).all())
    assert [(row.state, row.attempts, row.not_before) for row in rows if row.part["text"] == "a"] == [
        ("pending", 0, 0.0)
    ]


async def test_who_may_have_missed_something_looks(house: Household) -> None:
    """Notices that were lost with a connection delay nothing: everything that waits is looked for."""
    await house.db.write(lambda c: put_quietly(c, "1", "a"))
    await house.db.write(lambda c: notify(c, "deliveries"))
    await house.quiet()
    assert house.channel.texts() == ["a"]


def put_quietly(connection: Connection, chat: str, text: str) -> None:
    """Put a part into an outbox without a notice of it."""
    found = conversations.ensure(connection, Address("fake", "main", chat), Place.PRIVATE, "", 0.0)
    row = {
        "conversation_id": found.id,
        "part": Part(text).to_json(),
        "state": "pending",
        "not_before": 0,
        "created_at": 0,
    }
    connection.execute(delivery.insert(), row)


# ---- the database fails


async def test_a_receipt_is_written_however_long_it_takes(house: Household) -> None:
    """A part that was sent while the disk was full is not sent again: its receipt is written when that is possible."""
    house.db.fail("_sent", times=3)
    await house.db.write(put, "1", "a", "b")
    await house.until(lambda: house.db.failed)
    await house.quiet(passing=RETRY_MOST)
    assert house.channel.texts() == ["a", "b"]


async def test_an_outbox_that_cannot_be_read_is_tried_again(house: Household) -> None:
    """While the database cannot be written nothing is sent, and afterwards everything."""
    house.db.fail("take", times=2)
    await house.db.write(put, "1", "a")
    await house.quiet(passing=RETRY_MOST)
    assert house.channel.texts() == ["a"]


async def test_an_outbox_with_a_broken_row_is_tried_again(
    house: Household, logs: list[MutableMapping[str, Any]]
) -> None:
    """A row nobody understands is recorded, holds up its conversation alone, and can be mended."""
    await house.db.write(put, "1", "a")
    await house.quiet()
    broken = {"text": "b", "buttons": 7}
    await house.db.write(lambda c: put_quietly(c, "1", "b"))
    await house.db.write(lambda c: c.execute(delivery.update().where(delivery.c.id == 2).values(part=broken)).close())
    await house.db.write(lambda c: notify(c, "deliveries", "1"))
    await house.until(lambda: any(entry["event"] == "delivery failed" for entry in logs))
    await house.db.write(put, "2", "others go on")
    await house.until(lambda: house.channel.texts("2"))
    await house.db.write(
        lambda c: c.execute(delivery.update().where(delivery.c.id == 2).values(part={"text": "b"})).close()
    )
    await house.quiet(passing=RETRY_MOST)
    assert house.channel.texts() == ["a", "b"]


async def test_a_start_waits_for_the_database(plan: Plan) -> None:
    """A database that is away when we start is waited for."""
    house = Household(plan)
    await house.open()
    await house.db.write(put, "1", "a")
    house.db.fail("recover", times=2)
    house.deliver()
    await house.quiet(passing=1)
    assert house.channel.texts() == ["a"]
    await house.stop()


@pytest.mark.postgres
async def test_two_processes_never_take_the_same_part(plan: Plan, postgres_server: PostgresServer) -> None:
    """R-TG-12: where two gateways reach for a part at the same moment, the one that waits for the other gets none."""
    url = postgres_server.new_database(like="lar_1")
    house = Household(replace(plan, url=url))
    await house.open()
    where = await house.db.write(put, "1", "a")
    mine = [("fake", "main")]
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as other:
        assert deliveries.take(other, where, mine, 0.0)[0]
        second = asyncio.create_task(house.db.write(deliveries.take, where, mine, 0.0))
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        await house.until_stored(lambda c: c.execute(waiting).scalar())
        other.commit()
        assert await second == (None, 0.0)
    engine.dispose()
    await house.stop()


async def test_nobody_takes_a_part_twice(plan: Plan) -> None:
    """Two takers get one part once: the second finds it being sent."""
    house = Household(plan)
    await house.open()
    where = await house.db.write(put, "1", "a", "b")
    mine = [("fake", "main")]
    first, _ = await house.db.write(deliveries.take, where, mine, 0.0)
    assert first
    assert await house.db.write(deliveries.take, where, mine, 0.0) == (None, 0.0)
    assert await house.db.write(deliveries.take, ConversationId(99), mine, 0.0) == (None, 0.0)
    await house.stop()
