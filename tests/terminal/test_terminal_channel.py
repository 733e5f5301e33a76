import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from lar.channels.contract import Activity, Channel
from lar.channels.terminal.adapter import MAX_BACKLOG, Closed, TerminalChannel
from lar.channels.terminal.frames import Hello
from lar.channels.terminal.manifest import ACCOUNT, NAME
from lar.domain.conversation import Address
from lar.domain.delivery import OutgoingFile, Part
from lar.domain.inbound import Attachment, AttachmentKind
from lar.domain.values import JsonObject
from lar.errors import ChannelError, SendLater, SendUncertain
from lar.testing.channel_contract import ChannelContract, Harness, Inboxful, running

PATIENCE = 10.0


class Terminal:
    """A client in memory: what it was sent, and what it says. `confirms`: whether it acknowledges parts by itself."""

    def __init__(self, channel: TerminalChannel, *, confirms: bool = True) -> None:
        self._channel = channel
        self._confirms = confirms
        self._said: asyncio.Queue[str | None] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._serving: asyncio.Task[None] | None = None
        self.frames: list[JsonObject] = []

    async def connect(self, after: str = "", client: str = "local") -> "Terminal":
        """Say hello, and wait for the welcome."""
        self._serving = asyncio.create_task(self._channel.serve(self, Hello(client, after=after)))
        await self.until(lambda: bool(self.frames))
        return self

    async def close(self) -> None:
        """Hang up, and wait until the channel has noticed."""
        self._said.put_nowait(None)
        if self._serving:
            await asyncio.wait_for(self._serving, PATIENCE)

    async def send(self, frame: JsonObject) -> None:
        """What the channel sends arrives here."""
        async with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()
        if frame["type"] == "part" and self._confirms:
            self.say({"type": "ack", "id": frame["id"]})

    async def receive(self) -> str:
        """What the channel reads."""
        said = await self._said.get()
        if said is None:
            raise Closed
        return said

    def say(self, frame: JsonObject | str) -> None:
        """Send a frame."""
        self._said.put_nowait(frame if isinstance(frame, str) else json.dumps(frame))

    def of(self, kind: str) -> list[JsonObject]:
        """The frames of a type that arrived."""
        return [frame for frame in self.frames if frame["type"] == kind]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that a frame makes true."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(condition)


HERE = Address(NAME, ACCOUNT, "local")


class TerminalHarness:
    """The contract's hands on a terminal."""

    def __init__(self, channel: TerminalChannel, terminal: Terminal) -> None:
        self.channel: Channel = channel
        self.address = HERE
        self._terminal = terminal
        self._count = 0

    async def write(self, text: str) -> None:
        """Type."""
        self._count += 1
        self._terminal.say({"type": "message", "id": str(self._count), "text": text})

    async def attach(self, content: bytes, name: str) -> None:
        """Terminals have no files."""
        raise NotImplementedError

    def seen(self) -> Sequence[str]:
        """What was shown."""
        return [str(part["text"]) for part in self._terminal.of("part")]


class TestTerminalContract(ChannelContract):
    """The terminal keeps the contract of channels."""

    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:  # pyright: ignore[reportIncompatibleMethodOverride]  # pytest resolves it
        """A connected terminal."""
        channel = TerminalChannel()
        terminal = await Terminal(channel).connect()
        yield TerminalHarness(channel, terminal)
        await terminal.close()


async def test_nobody_is_connected() -> None:
    """An answer to somebody who left is kept for later, not lost and not sent into the void."""
    with pytest.raises(SendLater):
        await TerminalChannel().send(HERE, Part("hello"))


async def test_connecting_wakes_what_waits() -> None:
    """Whoever connects gets what waited for them at once: the deliverer is told."""
    woken: list[tuple[str, str]] = []

    async def wake(channel: str, account: str) -> None:
        woken.append((channel, account))

    channel = TerminalChannel()
    channel.on_connect(wake)
    terminal = await Terminal(channel).connect()
    await terminal.close()
    assert woken == [(NAME, ACCOUNT)]


async def test_a_lost_connection_is_no_duplicate() -> None:
    """A part shown just before the connection broke is confirmed by the client's return, and not shown again."""
    channel = TerminalChannel(grace=PATIENCE)
    first = await Terminal(channel, confirms=False).connect()
    sending = asyncio.create_task(channel.send(HERE, Part("once")))
    await first.until(lambda: bool(first.of("part")))
    await first.close()
    second = await Terminal(channel).connect(after=str(first.of("part")[0]["id"]))
    assert (await asyncio.wait_for(sending, PATIENCE)).vendor_id == first.of("part")[0]["id"]
    assert not second.of("part")
    await second.close()


async def test_a_part_that_was_not_seen_is_shown_under_the_same_id() -> None:
    """A client that comes back without the part gets it, recognisable by its id."""
    channel = TerminalChannel(grace=PATIENCE)
    first = await Terminal(channel, confirms=False).connect()
    sending = asyncio.create_task(channel.send(HERE, Part("once")))
    await first.until(lambda: bool(first.of("part")))
    await first.close()
    second = await Terminal(channel).connect()
    receipt = await asyncio.wait_for(sending, PATIENCE)
    assert [part["id"] for part in second.of("part")] == [receipt.vendor_id]
    await second.close()


async def test_a_client_that_stays_away_leaves_it_uncertain() -> None:
    """A part that may have been seen is called uncertain, so that it comes again with a mark."""
    channel = TerminalChannel(grace=0.01)
    terminal = await Terminal(channel, confirms=False).connect()
    sending = asyncio.create_task(channel.send(HERE, Part("seen?")))
    await terminal.until(lambda: bool(terminal.of("part")))
    await terminal.close()
    with pytest.raises(SendUncertain):
        await asyncio.wait_for(sending, PATIENCE)


async def test_several_terminals_share_a_conversation() -> None:
    """Two terminals of one name both see the answer; terminals of another name see nothing of it."""
    channel = TerminalChannel()
    one, two, other = [await Terminal(channel).connect(client=name) for name in ("local", "local", "other")]
    await channel.send(HERE, Part("hello", file=OutgoingFile("a/b.txt", "b.txt")))
    for terminal in (one, two):
        await terminal.until(lambda terminal=terminal: bool(terminal.of("part")))
        assert terminal.of("part")[0]["file"]["path"] == "a/b.txt"
    assert not other.of("part")
    for terminal in (one, two, other):
        await terminal.close()


async def test_bad_frames_are_answered() -> None:
    """A client that talks nonsense is told so, and stays connected."""
    channel = TerminalChannel()
    terminal = await Terminal(channel).connect()
    for nonsense in ("", "[]", '{"type": "message", "id": "", "text": "x"}', '{"type": "unheard of"}'):
        terminal.say(nonsense)
    terminal.say({"type": "ack", "id": "stale"})
    inbox = Inboxful()
    async with running(channel, inbox.accept):
        terminal.say({"type": "message", "id": "1", "text": "still here"})
        await terminal.until(lambda: bool(terminal.of("accepted")))
    assert len(terminal.of("error")) == 3
    assert inbox.inbounds[0].update_id == "local:1"
    await terminal.close()


async def test_a_message_that_cannot_be_stored_is_told_and_kept() -> None:
    """While the disk is full the person sees why nothing happens; the message arrives once, afterwards."""
    channel, inbox = TerminalChannel(), Inboxful(failures=1)
    terminal = await Terminal(channel).connect()
    async with running(channel, inbox.accept):
        terminal.say({"type": "message", "id": "1", "text": "keep me"})
        await terminal.until(lambda: bool(terminal.of("accepted")))
    assert terminal.of("delayed")[0]["message"] == "the disk is full"
    assert inbox.texts == ["keep me"]
    await terminal.close()


async def test_a_slow_terminal_misses_previews_only() -> None:
    """A terminal that does not read costs no memory for previews; parts still reach it."""
    channel = TerminalChannel()
    terminal = await Terminal(channel).connect()
    for number in range(MAX_BACKLOG * 3):  # nothing awaits in between: the writer has no chance
        await channel.show(HERE, Activity(preview=f"so far {number}"))
    await channel.send(HERE, Part("the answer"))
    assert len(terminal.of("preview")) <= MAX_BACKLOG
    assert await channel.show(Address(NAME, ACCOUNT, "nobody"), Activity()) == ""
    await terminal.close()


async def test_terminals_carry_no_files_to_us(tmp_path: Path) -> None:
    """There is nothing to fetch from a terminal, and asking says so."""
    with pytest.raises(ChannelError):
        await TerminalChannel().fetch(Attachment(AttachmentKind.DOCUMENT, "x", "x"), tmp_path / "x")
