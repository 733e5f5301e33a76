"""What every channel must do. Subclass `ChannelContract` and give it a harness; a vendor that fails, two suites."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from lar.channels.contract import Accept, Activity, Channel, MenuEntry
from lar.domain.conversation import Address
from lar.domain.delivery import Button, Part
from lar.domain.inbound import Attachment, AttachmentKind, Inbound, Text
from lar.errors import ChannelError, ChatGone, CommitFailed, FileTooLarge, SendLater, SendUncertain

PATIENCE = 10.0
"""Seconds anything may take before a test gives up."""


class Harness(Protocol):
    """A channel under test, and the hands of the person on its other side."""

    @property
    def channel(self) -> Channel:
        """The channel under test."""
        ...

    @property
    def address(self) -> Address:
        """Where the person is."""
        ...

    async def write(self, text: str) -> None:
        """The person writes."""
        ...

    async def attach(self, content: bytes, name: str) -> None:
        """The person sends a document."""
        ...

    def seen(self) -> Sequence[str]:
        """The texts the person sees from us now, oldest first."""
        ...


class FaultyHarness(Harness, Protocol):
    """A harness whose vendor can be made to fail."""

    def block(self) -> None:
        """The person wants to hear nothing more from us."""
        ...

    def lose_answer(self) -> None:
        """The next message arrives, but the vendor's answer does not."""
        ...

    def be_unwell(self) -> None:
        """The vendor refuses the next message because of its own troubles."""
        ...


@dataclass
class Inboxful:
    """An inbox that keeps what it was handed, and fails as often as it is told to."""

    failures: int = 0
    batches: list[tuple[Inbound, ...]] = field(default_factory=list[tuple[Inbound, ...]])
    refused: list[tuple[Inbound, ...]] = field(default_factory=list[tuple[Inbound, ...]])
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def accept(self, batch: Sequence[Inbound], /) -> None:
        """Keep the batch, or fail as a database that is away."""
        async with self.changed:
            self.changed.notify_all()
            if self.failures > 0:
                self.failures -= 1
                self.refused.append(tuple(batch))
                raise CommitFailed("the disk is full")
            self.batches.append(tuple(batch))

    @property
    def inbounds(self) -> list[Inbound]:
        """Everything that was taken."""
        return [inbound for batch in self.batches for inbound in batch]

    @property
    def texts(self) -> list[str]:
        """The texts of messages that were taken."""
        return [found.content.text for found in self.inbounds if isinstance(found.content, Text)]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that a batch can make true.

        Raises:
            TimeoutError: it does not come to hold.

        """
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(condition)


@asynccontextmanager
async def running(channel: Channel, accept: Accept) -> AsyncGenerator[None]:
    """The channel receiving, for the length of a block; an early end of it is an error."""
    task = asyncio.create_task(channel.run(accept))
    try:
        yield
        assert not task.done(), "the channel stopped receiving by itself"
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done(), "the channel does not stop when it is cancelled"


class ChannelContract:
    """The suite. Subclasses give `harness`."""

    @pytest.fixture
    def harness(self) -> Harness:
        """A running vendor and a channel to it."""
        raise NotImplementedError

    @pytest.fixture
    def inbox(self) -> Inboxful:
        """Where messages go."""
        return Inboxful()

    async def test_manifest(self, harness: Harness) -> None:
        """The manifest names the channel, and renders anything into something."""
        manifest = harness.channel.manifest
        assert manifest.name == harness.address.channel
        assert harness.channel.account == harness.address.account
        for text in ("hello **you**", "", " \n", "**", "x" * 20_000):
            assert manifest.render(text).parts
            assert all(part.text.strip() for part in manifest.render(text).parts)

    async def test_receives(self, harness: Harness, inbox: Inboxful) -> None:
        """What a person writes arrives once, with who and where."""
        async with running(harness.channel, inbox.accept):
            await harness.write("hello")
            await inbox.until(lambda: inbox.texts == ["hello"])
        [inbound] = inbox.inbounds
        assert inbound.address == harness.address
        assert inbound.sender
        assert inbound.update_id
        assert not inbound.problem

    async def test_hands_in_again(self, harness: Harness, inbox: Inboxful) -> None:
        """What could not be committed is handed in again, the same and unconfirmed."""
        inbox.failures = 2
        async with running(harness.channel, inbox.accept):
            await harness.write("keep me")
            await inbox.until(lambda: inbox.texts == ["keep me"])
            await harness.write("and me")
            await inbox.until(lambda: inbox.texts == ["keep me", "and me"])
        assert inbox.refused[0][0].update_id == inbox.inbounds[0].update_id

    async def test_sends(self, harness: Harness) -> None:
        """Every part of a long answer arrives, in order, nothing lost."""
        answer = "\n\n".join(f"Paragraph {number}. " + "words and **more** words " * 20 for number in range(15))
        parts = harness.channel.manifest.render(answer).parts
        receipts = [await harness.channel.send(harness.address, part) for part in parts]
        assert len({receipt.vendor_id for receipt in receipts}) == len(parts)
        assert list(harness.seen()) == [part.text for part in parts]
        together = " ".join(harness.seen())
        assert all(f"Paragraph {number}." in together for number in range(15))

    async def test_edits(self, harness: Harness) -> None:
        """A channel that can edit replaces a message; an edit that changes nothing is done already."""
        if not harness.channel.manifest.capabilities.edit:
            assert not harness.channel.manifest.capabilities.buttons, "a pressed message is edited to its outcome"
            return
        question = Part("Shall I?", buttons=((Button("Yes", "y:1"), Button("No", "n:1")),))
        receipt = await harness.channel.send(harness.address, question)
        for _ in range(2):
            edited = await harness.channel.send(harness.address, Part("Yes.", edit_of=receipt.vendor_id))
            assert edited == receipt
        assert list(harness.seen()) == ["Yes."]

    async def test_shows(self, harness: Harness) -> None:
        """Typing and preview never fail, and leave nothing behind when done."""
        message = ""
        for preview in ("", "one", "one two", "one two three"):
            message = await harness.channel.show(harness.address, Activity(preview, message))
        assert not await harness.channel.show(harness.address, Activity("", message, done=True))
        assert not harness.seen()

    async def test_fetches(self, harness: Harness, inbox: Inboxful, tmp_path: Path) -> None:
        """A file that came with a message can be had, and one over the limit says so."""
        if not harness.channel.manifest.capabilities.max_download:
            with pytest.raises(ChannelError):
                await harness.channel.fetch(Attachment(AttachmentKind.DOCUMENT, "1", "notes.txt"), tmp_path / "notes")
            return
        async with running(harness.channel, inbox.accept):
            await harness.attach(b"the content", "notes.txt")
            await inbox.until(lambda: bool(inbox.inbounds))
        attachment = _only_attachment(inbox)
        await harness.channel.fetch(attachment, tmp_path / "in" / "notes.txt")
        assert (tmp_path / "in" / "notes.txt").read_bytes() == b"the content"
        limit = harness.channel.manifest.capabilities.max_download
        large = Attachment(attachment.kind, attachment.ref, attachment.name, size=limit + 1)
        with pytest.raises(FileTooLarge):
            await harness.channel.fetch(large, tmp_path / "large")
        assert [path.name for path in (tmp_path / "in").iterdir()] == ["notes.txt"]
        assert not (tmp_path / "large").exists()

    async def test_announces(self, harness: Harness) -> None:
        """The command menu is taken in any language."""
        await harness.channel.announce(
            [
                MenuEntry("help", "What I can do", "en"),
                MenuEntry("help", "Lo que sé hacer", "es"),
                MenuEntry("problems", "What is wrong", "en", admin=True),
            ]
        )


class FaultyVendorContract:
    """What a channel whose vendor is another machine must do when that fails. Subclasses give `harness`."""

    @pytest.fixture
    def harness(self) -> FaultyHarness:
        """A running vendor that can be made to fail, and a channel to it."""
        raise NotImplementedError

    async def test_chat_gone(self, harness: FaultyHarness) -> None:
        """A person who blocked us is told apart from one who cannot be reached now."""
        harness.block()
        with pytest.raises(ChatGone):
            await harness.channel.send(harness.address, Part("are you there?"))
        assert await harness.channel.show(harness.address, Activity("typing")) == ""

    async def test_uncertain(self, harness: FaultyHarness) -> None:
        """A lost answer is called uncertain: the message may have arrived."""
        harness.lose_answer()
        with pytest.raises(SendUncertain):
            await harness.channel.send(harness.address, Part("did you get this?"))
        assert list(harness.seen()) == ["did you get this?"]

    async def test_later(self, harness: FaultyHarness) -> None:
        """A vendor in trouble has certainly not delivered: the message is to be sent later, and then arrives once."""
        harness.be_unwell()
        with pytest.raises(SendLater) as caught:
            await harness.channel.send(harness.address, Part("once"))
        assert caught.value.after >= 0
        assert not harness.seen()
        await harness.channel.send(harness.address, Part("once"))
        assert list(harness.seen()) == ["once"]


def _only_attachment(inbox: Inboxful) -> Attachment:
    [inbound] = inbox.inbounds
    assert isinstance(inbound.content, Text)
    [attachment] = inbound.content.attachments
    return attachment
