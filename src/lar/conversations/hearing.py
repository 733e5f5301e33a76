"""What people said, as a runtime gets it: their words, what came with them, and what there is to see and hear of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from lar.conversations.attachments import Fetching, describe, fetch
from lar.conversations.strings import say
from lar.domain.artifact import Artifact
from lar.domain.inbound import Attachment
from lar.domain.message import Message
from lar.domain.values import JsonObject
from lar.engine.contract import Journal
from lar.media.intake import SPOKEN, Intake, Seen, read_seen

TYPING_EVERY = 4.5
"""Seconds between two typing actions while files are looked at."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A file of which there is less than was hoped for: why, and how much or what, as `Seen` has them."""

    name: str
    kind: str
    detail: str

    def told(self, language: str) -> str:
        """A sentence for the person."""
        return say(language, f"media_{self.kind}", name=self.name, detail=self.detail)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a runtime gets. `sources` says where content from outside in it came from.

    `told` are the messages whose text now says what came with them: the transcript keeps it so.
    """

    prompt: str
    media: tuple[Artifact, ...] = ()
    sources: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    told: tuple[Message, ...] = ()


async def hear(
    said: Sequence[Message], spoken: Callable[[Message], str], fetching: Fetching, journal: Journal
) -> Heard:
    """Fetch what came with these messages, look at it and put all of it together. `spoken` says who says what."""
    prompts: list[str] = []
    found: list[tuple[Attachment, Seen]] = []
    sources = [message.source for message in said]
    told: list[Message] = []
    for message in said:
        seen_before = sum(sent.kind not in SPOKEN for sent, _ in found)
        looked = await _look_at_all(message, seen_before, fetching, journal)
        found += looked
        if looked and not _is_told(message):
            attachments = tuple(replace(sent, heard=seen.said) for sent, seen in looked)
            told.append(replace(message, text=describe(message.text, attachments), attachments=attachments))
            prompts.append(spoken(told[-1]) + _beside(looked))
        else:
            prompts.append(spoken(message) + _beside(looked))
    return Heard(
        prompt="\n\n".join(prompts),
        media=tuple(seen.shown for _, seen in found if seen.shown),
        sources=tuple(dict.fromkeys(filter(None, [*sources, *(seen.source for _, seen in found)]))),
        troubles=tuple(trouble for sent, seen in found for trouble in _troubles(sent, seen)),
        told=tuple(told),
    )


def _is_told(message: Message) -> bool:
    """Whether an earlier attempt has written into the message what came with it."""
    return all(attachment.path or attachment.problem for attachment in message.attachments)


async def _look_at_all(
    message: Message, before: int, fetching: Fetching, journal: Journal
) -> list[tuple[Attachment, Seen]]:
    """`before` is how many files were looked at already."""
    looked: list[tuple[Attachment, Seen]] = []
    for number, attachment in enumerate(message.attachments):
        key = f"{message.id}-{number}"
        sent = await fetch(replace(attachment, path="", problem="", saved=""), key, fetching, journal)
        if fetching.intake is None or not sent.path:
            seen = Seen()
        elif sent.kind not in SPOKEN and before >= fetching.intake.most:
            seen = fetching.intake.too_many()
        else:
            seen = await _look(fetching.intake, sent, key, fetching, journal)
        before += sent.kind not in SPOKEN
        looked.append((sent, seen))
    return looked


async def _look(intake: Intake, sent: Attachment, key: str, fetching: Fetching, journal: Journal) -> Seen:

    async def act() -> JsonObject:
        return (await intake.look(sent, fetching.takes, fetching.payer)).plain()

    asked = {"path": sent.path, "takes": sorted(fetching.takes)}
    return read_seen(await journal.step(f"look:{key}", "look", asked, act, repeatable=True))


def _beside(looked: Sequence[tuple[Attachment, Seen]]) -> str:
    """What the prompt says of files beyond what the transcript keeps."""
    lines = [f"\n[{sent.saved or sent.name}: {seen.note}]" for sent, seen in looked if seen.note]
    texts = [
        f"\n\n--- text of {sent.name} ---\n{seen.text}\n--- end of {sent.name} ---"
        for sent, seen in looked
        if seen.text
    ]
    return "".join((*lines, *texts))


def _troubles(sent: Attachment, seen: Seen) -> list[Trouble]:
    if sent.problem and not sent.path:
        return [Trouble(sent.name, "unavailable", sent.problem)]
    return [Trouble(sent.name, seen.problem, seen.detail)] if seen.problem else []


@asynccontextmanager
async def signs_of_life(
    typing: Callable[[], None], notice: Callable[[], Awaitable[None]], patience: float
) -> AsyncGenerator[None]:
    """Show typing meanwhile, and give notice once where it takes longer than `patience` seconds (0: never)."""

    async def live() -> None:
        waited = 0.0
        while True:
            typing()
            if patience and waited < patience <= waited + TYPING_EVERY:
                await asyncio.sleep(patience - waited)
                await notice()
                await asyncio.sleep(waited + TYPING_EVERY - patience)
            else:
                await asyncio.sleep(TYPING_EVERY)
            waited += TYPING_EVERY

    task = asyncio.create_task(live())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Unrecorded:
    """A journal inside of a step, which is recorded as a whole. A `Journal`."""

    def output(self, key: str) -> JsonObject | None:  # noqa: ARG002  # as in the contract
        """Nothing is known."""
        return None

    async def step(
        self,
        key: str,  # noqa: ARG002  # as in the contract
        kind: str,  # noqa: ARG002  # as in the contract
        input: JsonObject,  # noqa: A002, ARG002  # the field's name in the journal
        act: Callable[[], Awaitable[JsonObject]],
        *,
        repeatable: bool,  # noqa: ARG002  # as in the contract
    ) -> JsonObject:
        """Do it."""
        return await act()
