"""Alerts: whom they reach, and what is said where they do not arrive."""

import asyncio
from pathlib import Path

import pytest

from lar.conversations import admins
from lar.domain.conversation import Address
from lar.domain.ids import PrincipalId
from lar.domain.principal import Principal, Role
from lar.errors import ChatGone, SendLater, SendUncertain
from lar.operations.alert import LONGEST, Reach, configured, look_up, shortened, tell
from lar.store import people
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.channel import FakeChannel

HERE = ("fake", "main")
GROUP, ANN, BOB = (Address(*HERE, chat) for chat in ("-100", "1", "2"))


@pytest.fixture
def channel() -> FakeChannel:
    """A channel."""
    return FakeChannel()


async def test_the_notification_chat_comes_first(channel: FakeChannel) -> None:
    """R-SU-3: an alert goes to the notification chat alone, where that takes it."""
    told = await tell("down", Reach((GROUP,), (ANN, BOB)), {HERE: channel}, 5)
    assert (told.chats, told.problems) == ((GROUP,), ())
    assert [(sent.to, sent.part.text) for sent in channel.sent] == [(GROUP, "down")]


async def test_admins_are_told_where_it_is_closed(channel: FakeChannel) -> None:
    """R-SU-3: a notification chat that is gone, or of a channel that is not there, is no reason to tell nobody."""
    channel.fail(ChatGone("kicked"))
    told = await tell("down", Reach((GROUP, Address("elsewhere", "main", "7")), (ANN, BOB)), {HERE: channel}, 5)
    assert told.chats == (ANN, BOB)
    assert told.problems == ("fake:-100: kicked", "elsewhere:7: there is no such channel here")


async def test_it_tries_again_until_its_time_is_over(channel: FakeChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SU-3: trouble that passes is waited out; trouble that does not ends in time, and is named."""
    monkeypatch.setattr("lar.operations.alert.PAUSE_LEAST", 0.01)
    channel.fail(SendLater(0, "busy"), SendUncertain("no answer"))
    assert (await tell("down", Reach((), (ANN,)), {HERE: channel}, 5)).chats == (ANN,)
    channel.fail(*[SendLater(60, "the network is away")] * 9)
    told = await asyncio.wait_for(tell("down", Reach((GROUP,), (ANN,)), {HERE: channel}, 0.3), 5)
    assert told.chats == ()
    assert [problem.partition(" (")[2] for problem in told.problems] == ["the network is away)"] * 2


async def test_what_the_database_adds(sqlite_db: Database) -> None:
    """R-SU-3: `/setnotify` wins over the configuration; admins made at run time count, removed ones do not."""
    admin = Principal(PrincipalId(0), "Eve", Role.ADMIN)
    await sqlite_db.write(people.add, *HERE, "8", admin, 1.0, granted=True)
    await sqlite_db.write(people.add, *HERE, "9", admin, 1.0)
    await sqlite_db.write(admins.set_notify_chat, GROUP)
    by_file = configured(BOB, {HERE: frozenset({"1"})})
    assert by_file == Reach((BOB,), (ANN,))
    reach, problem = await look_up(sqlite_db, by_file, [HERE], 5)
    assert (reach, problem) == (Reach((GROUP, BOB), (ANN, Address(*HERE, "8"))), "")


async def test_without_a_database(tmp_path: Path) -> None:
    """R-SU-3: a database that cannot be read is said, and what the configuration knows is used."""
    reach, problem = await look_up(
        Database(StoreSettings(url=f"sqlite:///{tmp_path}/none.db")), Reach((), (ANN,)), [HERE], 5
    )
    assert reach.private == (ANN,)
    assert "there is no database" in problem
    reach, problem = await look_up(
        Database(StoreSettings(url=f"sqlite:///{tmp_path}/none.db")), Reach((), (ANN,)), [HERE], 0
    )
    assert (reach.private, problem) == ((ANN,), "the database does not answer")


def test_a_long_one_keeps_both_ends() -> None:
    """R-SU-3: what failed stands at the beginning, why at the end; one message carries both."""
    text = shortened("begin " + "x" * 9000 + " end")
    assert len(text) <= LONGEST + 10
    assert text.startswith("begin")
    assert text.endswith("end")
    assert shortened("short") == "short"
