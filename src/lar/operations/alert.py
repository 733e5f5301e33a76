"""Tell the admins something without a gateway: straight through the channels, within a bounded time."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lar.channels.contract import Channel
from lar.conversations import admins
from lar.domain.conversation import Address
from lar.domain.delivery import Part
from lar.errors import ChannelError, LarError, SendLater, SendUncertain
from lar.store import people
from lar.store.database import Database

LONGEST = 3500
"""Characters of an alert; of a longer one the beginning and the end are kept."""

PAUSE_LEAST, PAUSE_MOST = 1.0, 10.0
"""Seconds between two tries to reach the same chat."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom to tell: the first of `notify` that takes it, and if none does, everybody in `private`."""

    notify: tuple[Address, ...] = ()
    private: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """Where an alert arrived, and what was in the way elsewhere."""

    chats: tuple[Address, ...]
    problems: tuple[str, ...]


def notify_address(written: str, accounts: Iterable[tuple[str, str]]) -> Address | None:
    """The notification chat `channel:chat` of the configuration, on the first account of that channel."""
    channel, _, chat = written.partition(":")
    account = next((account for name, account in accounts if name == channel), "")
    return Address(channel, account, chat) if account else None


def configured(notify: Address | None, accounts: Mapping[tuple[str, str], frozenset[str]]) -> Reach:
    """What the configuration alone tells. `accounts` are the users who are admins of each; there a chat is a user."""
    private = [Address(channel, account, user) for (channel, account), users in accounts.items() for user in users]
    return Reach((notify,) if notify else (), tuple(sorted(private, key=lambda each: each.chat)))


def with_known(connection: Connection, reach: Reach, accounts: Sequence[tuple[str, str]]) -> Reach:
    """The same with what people told Lar: `/setnotify` comes first, and admins are also those made at run time."""
    chosen = admins.notify_chat(connection)
    granted = [
        Address(channel, account, user)
        for channel, account in accounts
        for user, known in people.admins_of(connection, channel, account)
        if known.granted
    ]
    first = (chosen,) if chosen and (chosen.channel, chosen.account) in accounts else ()
    return Reach(tuple(dict.fromkeys((*first, *reach.notify))), tuple(dict.fromkeys((*reach.private, *granted))))


async def look_up(db: Database, reach: Reach, accounts: Sequence[tuple[str, str]], seconds: float) -> tuple[Reach, str]:
    """`with_known` where the database can be read in time; what is wrong with it, empty if nothing."""
    try:
        async with asyncio.timeout(seconds):
            await db.open(read_only=True)
            return await db.read(with_known, reach, accounts), ""
    except TimeoutError:
        return reach, "the database does not answer"
    except LarError as error:
        return reach, str(error)
    finally:
        await db.close()


async def tell(text: str, reach: Reach, channels: Mapping[tuple[str, str], Channel], seconds: float) -> Told:
    """Send this to whom it reaches, in that time. A chat whose answer was lost may get it twice."""
    part, problems = Part(shortened(text)), list[str]()
    deadline = asyncio.get_running_loop().time() + seconds
    for chat in reach.notify:
        problem = await _deliver(part, chat, channels, seconds / 3)
        if not problem:
            return Told((chat,), tuple(problems))
        problems.append(problem)
    left = max(deadline - asyncio.get_running_loop().time(), 1.0)
    tried = await asyncio.gather(*(_deliver(part, chat, channels, left) for chat in reach.private))
    arrived = tuple(chat for chat, problem in zip(reach.private, tried, strict=True) if not problem)
    return Told(arrived, (*problems, *filter(None, tried)))


def shortened(text: str) -> str:
    """The text as one message carries it."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}\n[…]\n{text[-LONGEST // 2 :]}"


async def _deliver(part: Part, to: Address, channels: Mapping[tuple[str, str], Channel], seconds: float) -> str:
    """Send it; what was in the way if it did not arrive."""
    channel, where = channels.get((to.channel, to.account)), f"{to.channel}:{to.chat}"
    if channel is None:
        return f"{where}: there is no such channel here"
    problem = "no answer"
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await channel.send(to, part)
                except SendLater as error:
                    problem, pause = str(error), error.after
                except SendUncertain as error:
                    problem, pause = str(error), 0.0
                else:
                    return ""
                await asyncio.sleep(min(max(pause, PAUSE_LEAST), PAUSE_MOST))
    except TimeoutError:
        return f"{where}: not within {seconds:.0f} s ({problem})"
    except ChannelError as error:
        return f"{where}: {error}"
