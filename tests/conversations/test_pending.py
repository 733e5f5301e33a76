"""Files without a word wait for the next message of their sender, and belong to it once."""

import re
from dataclasses import replace
from typing import Any

import pytest

from lar.conversations.pending import HINT, HintHandler
from lar.conversations.settings import ConversationSettings
from lar.domain.conversation import QueueMode
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.store import jobs, pending
from lar.store.schema import message
from lar.testing.household import Household, Plan, living

HINTED = "📎 I have what you sent. What shall I do with it?"
MODES = list(QueueMode)


def file(number: int = 1, kind: AttachmentKind = AttachmentKind.PHOTO, text: str = "", **more: Any) -> Text:
    """A file, without a word unless there is a text."""
    mime = more.pop("mime", "image/jpeg")
    return Text(text, f"f{number}", (Attachment(kind, f"r{number}", f"{number}.jpg", mime),), **more)


def furnished(plan: Plan, **settings: Any) -> Plan:
    """The same household with other settings of conversations."""
    return replace(plan, settings=ConversationSettings(**settings))


def files_of(prompt: str) -> list[str]:
    """The names of the files a prompt tells of."""
    return re.findall(r"\[\w+: (\S+),", prompt)


@pytest.mark.parametrize("mode", MODES)
async def test_a_file_joins_the_next_words_once(plan: Plan, mode: QueueMode) -> None:
    """R-TG-8: in every queue mode a file waits for words, before them, and is gone after them."""
    async with living(furnished(plan, queue_mode=mode)) as house:
        await house.say(file(1), file(2))
        await house.quiet()
        assert house.runtime.requests == []
        assert house.channel.sent == []
        for text in ("what is it?", "and now?"):
            await house.say(text)
            await house.quiet()
        assert files_of(house.runtime.prompts[0]) == ["1.jpg", "2.jpg"]
        assert house.runtime.prompts[0].endswith("what is it?")
        assert house.runtime.prompts[1] == "and now?"


@pytest.mark.parametrize(
    "words",
    [file(2, text="these two?"), file(2, AttachmentKind.VOICE), file(2, AttachmentKind.STICKER)],
    ids=["caption", "voice", "sticker"],
)
async def test_what_speaks_for_itself(house: Household, words: Text) -> None:
    """R-TG-8: a caption, a recording and a sticker are handled at once, with what waited."""
    await house.say(file(1), words)
    await house.quiet()
    assert files_of(house.runtime.prompts[0]) == ["1.jpg", "2.jpg"]


async def test_a_sound_file_is_a_recording(house: Household) -> None:
    """R-TG-8: audio that was sent as a document is handled at once, too."""
    await house.say(file(1, AttachmentKind.DOCUMENT, mime="audio/x-m4a"))
    await house.quiet()
    assert len(house.runtime.prompts) == 1


async def test_it_waits_over_a_restart(anywhere: Plan) -> None:
    """R-TG-8: a crash between the file and the words changes nothing."""
    async with living(anywhere) as house:
        await house.say(file())
        await house.crash()
        following = await house.again()
        await following.ask("what is it?")
        assert files_of(following.runtime.prompts[0]) == ["1.jpg"]
        await following.stop()


async def test_everybody_waits_for_themselves(house: Household) -> None:
    """R-TG-8: in a group a file joins the words of the one who sent it, and no other chat's."""
    ann, bob = (house.channel.chat(user, "-5", name=name) for user, name in (("1", "Ann"), ("2", "Bob")))
    await house.say(file(), chat=ann)
    await house.say("mine", chat=bob)
    await house.say("private", chat=house.channel.chat("1"))
    await house.quiet()
    await house.say("look", chat=ann)
    await house.quiet()
    assert [files_of(prompt) for prompt in sorted(house.runtime.prompts, key=len)] == [[], [], ["1.jpg"]]


async def test_it_expires(plan: Plan) -> None:
    """R-TG-8: what waited too long is not taken, and a new thread begins without it."""
    async with living(furnished(plan, file_hours=1, file_hint_seconds=0)) as house:
        await house.say(file())
        house.clock.advance(3601)
        await house.say("what is it?")
        await house.say(file(2))
        await house.say("/new")
        await house.say("and this?")
        await house.quiet()
        assert [files_of(prompt) for prompt in house.runtime.prompts] == [[]] * len(house.runtime.prompts)
        assert await house.db.write(pending.prune, house.clock()) == 1
        assert await house.db.write(pending.prune, house.clock() + 1) == 1


async def test_who_says_nothing_is_asked(house: Household) -> None:
    """R-TG-8: a while after the last file its sender is asked what to do with it, once."""
    await house.say(file(1))
    await house.advance(15)
    await house.say(file(2))
    await house.advance(15)
    await house.until_stored(lambda c: jobs.count_open(c, HINT) == 1)
    assert house.channel.texts() == []
    await house.advance(10)
    await house.until(lambda: house.channel.texts() == [HINTED])
    await house.ask("thanks")
    assert files_of(house.runtime.prompts[0]) == ["1.jpg", "2.jpg"]


async def test_who_says_something_is_not_asked(house: Household) -> None:
    """R-TG-8: words in time spare the question, in the person's own language or not."""
    await house.say(file(1))
    await house.ask("what is it?")
    await house.advance(30)
    await house.until_stored(lambda c: not jobs.count_open(c, HINT))
    assert HINTED not in house.channel.texts()


async def test_a_question_that_cannot_be_asked_is_left(house: Household) -> None:
    """A hint that fails again and again is given up without a word."""
    await house.say(file(1))
    handler = HintHandler(house.plan.settings, house.clock)
    await house.db.write(lambda c: handler.give_up(c, jobs.get(c, 1), "broken"))  # pyright: ignore[reportArgumentType]  # the first job
    assert house.channel.texts() == []


@pytest.mark.parametrize("captioned", [0, 1, 2])
async def test_an_album_is_one_turn_whichever_part_speaks(house: Household, captioned: int) -> None:
    """R-TG-7: an album's caption may come with any of its parts."""
    for number in range(3):
        await house.say(file(number, text="see" if number == captioned else "", group_key="album"))
    await house.advance(0.9)
    await house.quiet()
    assert [files_of(prompt) for prompt in house.runtime.prompts] == [["0.jpg", "1.jpg", "2.jpg"]]


async def test_an_album_without_a_caption_waits_as_one(house: Household) -> None:
    """R-TG-8: all parts of an album join the next words together."""
    await house.say(file(1, group_key="album"), file(2, group_key="album"))
    await house.ask("these?")
    assert files_of(house.runtime.prompts[0]) == ["1.jpg", "2.jpg"]


async def test_words_that_are_added_later(house: Household) -> None:
    """R-TG-7: a caption that is added to a waiting file is its words; any other edit of it changes nothing."""
    await house.say(file(1))
    await house.say(file(1, edited=True))
    assert house.runtime.requests == []
    await house.say(file(1, text="what is it?", edited=True))
    await house.quiet()
    assert [files_of(prompt) for prompt in house.runtime.prompts] == [["1.jpg"]]
    assert len(await house.db.read(lambda c: c.execute(message.select()).all())) == 2


async def test_it_waits_where_the_queue_is_full(plan: Plan) -> None:
    """R-TG-8: words that are not taken leave the file where it is."""
    async with living(furnished(plan, max_queued_per_chat=1, queue_mode=QueueMode.QUEUE)) as house:
        hang = house.hang()
        await house.say("one")
        await house.until(lambda: house.runtime.running)
        await house.say("two", file(1), "three")
        hang.set()
        await house.quiet()
        await house.ask("four")
        assert [files_of(prompt) for prompt in house.runtime.prompts] == [[], [], ["1.jpg"]]
