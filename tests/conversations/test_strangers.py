"""Who is not let in: told so, or not, and in no case heard."""

import re
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lar.conversations import pairing
from lar.conversations.inbox import STRANGERS_PER_MINUTE
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.domain.principal import Principal, Role
from lar.policy.access import AccessRules, Unknown
from lar.store import people
from lar.store.people import Known
from lar.store.schema import conversation, inbound, message
from lar.testing.channel import Sent
from lar.testing.household import Household, Plan, living

NONCE = "xyzzy-4711-plugh"
LONELY = "\ud800"


def closed_to(plan: Plan, unknown: Unknown, **more: Any) -> Plan:
    """A household that knows user 1 and admin 9 and treats all others like this."""
    rules = AccessRules(users=frozenset({"1"}), admins=frozenset({"9"}), unknown=unknown)
    return replace(plan, rules=replace(rules, **more))


def find_everywhere(folder: Path, nonce: str) -> list[str]:
    """The files that contain this text, in any encoding we write."""
    wanted = (nonce.encode(), nonce.encode("utf-16-le"))
    return [str(file) for file in folder.rglob("*") if file.is_file() and any(w in file.read_bytes() for w in wanted)]


@pytest.mark.parametrize("unknown", ["reply", "silent", "pairing"])
async def test_nothing_a_stranger_says_is_kept(
    plan: Plan, unknown: Unknown, logs: list[MutableMapping[str, Any]]
) -> None:
    """R-TG-3: of an unauthorised message nothing is stored, logged or thought about, whatever it is and does."""
    async with living(closed_to(plan, unknown)) as house:
        stranger = house.channel.chat("66")
        file = Attachment(AttachmentKind.DOCUMENT, f"ref-{NONCE}", f"{NONCE}.txt")
        await house.say(
            NONCE, f"/login {NONCE}", Text(NONCE, "m1", (file,)), Text(NONCE, "m1", edited=True), chat=stranger
        )
        await house.hear(stranger.presses(NONCE), house.channel.chat("66", "-5").says(NONCE))
        await house.hear(house.channel.chat("67", name=f"{LONELY}").says(NONCE))
        await house.say("hello", chat=house.channel.chat("1"))
        await house.quiet()
        assert house.runtime.prompts == ["hello"]
        await house.stop()
        assert find_everywhere(plan.folder, NONCE) == []
        assert NONCE not in repr(logs)


async def test_a_stranger_is_told_their_ids(plan: Plan) -> None:
    """R-TG-3: `reply` gives the ids that the owner has to put into the configuration, in the stranger's language."""
    async with living(closed_to(plan, "reply")) as house:
        said = await house.ask("hello", chat=house.channel.chat("66", "-5", language="es"))
        assert said == "No autorizado.\nuser_id: 66\nchat_id: -5"


async def test_silence_leaves_no_trace(plan: Plan) -> None:
    """R-TG-3: `silent` answers nothing and makes no conversation."""
    async with living(closed_to(plan, "silent")) as house:
        await house.say("hello?", "anybody?", chat=house.channel.chat("66"))
        await house.quiet()
        assert house.channel.sent == []
        assert await house.db.read(lambda c: c.execute(conversation.select()).all()) == []


async def test_strangers_in_a_group_are_answered_only_if_they_mean_us(plan: Plan) -> None:
    """R-TG-6: chatter of others in a group, and buttons they press, are none of our business."""
    async with living(closed_to(plan, "reply")) as house:
        stranger = house.channel.chat("66", "-5")
        await house.say(Text("chatter", "m1", addressed=False), chat=stranger)
        await house.hear(stranger.presses("anything"))
        await house.quiet()
        assert house.channel.sent == []


async def test_a_stranger_is_answered_once_a_minute(plan: Plan) -> None:
    """R-TG-3: who keeps writing gets one answer a minute, not a conversation."""
    async with living(closed_to(plan, "reply")) as house:
        stranger = house.channel.chat("66")
        await house.say("one", "two", "three", chat=stranger)
        await house.quiet()
        assert len(house.channel.sent) == 1
        await house.advance(61)
        await house.ask("four", chat=stranger)
        await house.quiet()
        assert len(house.channel.sent) == 2


async def test_many_strangers_are_not_all_answered(plan: Plan) -> None:
    """R-TG-3: a flood of strangers does not make us a flood; one who writes a lot takes no other's answer."""
    async with living(closed_to(plan, "reply")) as house:
        await house.say(*["again"] * STRANGERS_PER_MINUTE, chat=house.channel.chat("66"))
        for number in range(STRANGERS_PER_MINUTE):
            await house.say("hello", chat=house.channel.chat(f"7{number}"))
        await house.quiet()
        assert len(house.channel.sent) == STRANGERS_PER_MINUTE
        await house.advance(61)
        await house.ask("hello", chat=house.channel.chat("88"))


# ---- pairing


async def ask_in(house: Household, user: str = "66", name: str = "Mallory") -> str:
    """A stranger asks to be let in; the code they were given."""
    said = await house.ask("let me in", chat=house.channel.chat(user, name=name))
    found = re.search(r"code is (\w+)", said)
    assert found, said
    return found[1]


async def question(house: Household) -> Sent:
    """The question the admin was asked."""
    await house.until(lambda: any(sent.part.buttons for sent in house.channel.sent))
    return next(sent for sent in reversed(house.channel.sent) if sent.part.buttons)


async def test_a_pairing_code_lets_somebody_in(plan: Plan) -> None:
    """R-TG-3: an admin says yes by button: the stranger is welcomed and heard, and the question shows its outcome."""
    async with living(closed_to(plan, "pairing")) as house:
        admin = house.channel.chat("9", name="Eve")
        await house.ask("hello", chat=admin)
        code = await ask_in(house)
        assert re.fullmatch(rf"[{pairing.CODE_ALPHABET}]{{8}}", code)
        asked = await question(house)
        assert asked.to.chat == "9"
        assert code in asked.part.text
        yes, no = asked.part.buttons[0]
        assert (yes.label, no.label) == ("Let in", "Refuse")
        assert len(yes.data.encode()) <= 64
        await house.hear(admin.presses(yes.data, asked.vendor_id))
        await house.quiet()
        edited = house.channel.sent[-1].part if house.channel.sent[-1].part.edit_of else house.channel.sent[-2].part
        assert (edited.text, edited.edit_of, edited.buttons) == ("Mallory was let in by Eve.", asked.vendor_id, ())
        assert edited.answers_press
        assert house.channel.texts("66")[-1] == "You are in. Say hello!"
        assert await house.ask("thanks", chat=house.channel.chat("66")) == "echo: thanks"


async def test_a_refusal_keeps_somebody_out(plan: Plan) -> None:
    """R-TG-3: an admin says no: the code is void, and the stranger stays one."""
    async with living(closed_to(plan, "pairing")) as house:
        admin = house.channel.chat("9", name="Eve")
        await house.ask("hello", chat=admin)
        code = await ask_in(house)
        await house.hear(admin.presses(pairing.DENY + code, "m1"))
        await house.quiet()
        assert "Mallory was refused by Eve." in house.channel.texts("9")
        await house.hear(admin.presses(pairing.APPROVE + code, "m1"))
        await house.quiet()
        assert house.channel.texts("9")[-1] == "This question is no longer open."
        await house.advance(61)
        assert await ask_in(house) != code


async def test_a_button_works_after_a_restart(anywhere: Plan) -> None:
    """R-TG-13: the question survives the process that asked it."""
    async with living(closed_to(anywhere, "pairing")) as house:
        admin = house.channel.chat("9")
        await house.ask("hello", chat=admin)
        code = await ask_in(house)
        await house.quiet()
        await house.crash()
        following = await house.again()
        await following.hear(admin.presses(pairing.APPROVE + code.lower(), "m1"))
        await following.quiet()
        assert await following.ask("hi", chat=house.channel.chat("66")) == "echo: hi"
        await following.stop()


async def test_only_admins_let_people_in(plan: Plan) -> None:
    """R-TG-13: a button works only for those who may press it: not for a user, not for the stranger."""
    async with living(closed_to(plan, "pairing")) as house:
        await house.ask("hello", chat=house.channel.chat("9"))
        await house.ask("hello", chat=house.channel.chat("1"))
        code = await ask_in(house)
        await house.hear(house.channel.chat("1").presses(pairing.APPROVE + code, "m1"))
        await house.hear(house.channel.chat("66").presses(pairing.APPROVE + code, "m1"))
        await house.quiet()
        told = house.channel.sent[-1]
        assert (told.to.chat, told.part.text) == ("1", "Only an admin may answer this.")
        assert told.part.edit_of == ""
        assert await house.db.read(people.open_pairings, house.clock())


async def test_a_stale_press_is_said_to_be_one(plan: Plan) -> None:
    """R-TG-13: a button of a question that is decided, too old or not ours says so and does nothing."""
    async with living(closed_to(plan, "pairing")) as house:
        admin = house.channel.chat("9")
        await house.ask("hello", chat=admin)
        code = await ask_in(house)
        await house.advance(pairing.LIFETIME + 1)
        for data in (pairing.APPROVE + code, pairing.DENY + "UNKNOWN2", "approve:17"):
            await house.hear(admin.presses(data, "m1"))
            await house.quiet()
            assert house.channel.sent[-1].part.text == "This question is no longer open."
        assert house.channel.texts("66") == [
            f"This assistant is private. Your pairing code is {code} (valid for 1 hour). The owner can approve it."
        ]


async def test_a_code_stays_the_same_while_it_is_valid(plan: Plan) -> None:
    """R-TG-3: who asks again gets the code the admin already has, and the admin is asked once; later a new one."""
    async with living(closed_to(plan, "pairing")) as house:
        await house.ask("hello", chat=house.channel.chat("9"))
        code = await ask_in(house)
        await house.advance(61)
        assert await ask_in(house) == code
        await house.quiet()
        assert len([sent for sent in house.channel.sent if sent.part.buttons]) == 1
        await house.advance(pairing.LIFETIME)
        assert await ask_in(house) != code


async def test_only_three_wait_at_the_door(plan: Plan) -> None:
    """R-TG-3: a fourth stranger has to come back when the others were decided or their codes are void."""
    async with living(closed_to(plan, "pairing")) as house:
        for user in ("66", "67", "68"):
            await ask_in(house, user)
        fourth = house.channel.chat("69")
        assert "too many people are waiting" in await house.ask("me, too", chat=fourth)
        await house.advance(pairing.LIFETIME + 1)
        await ask_in(house, "69")


async def test_a_group_gives_out_no_codes(plan: Plan) -> None:
    """R-TG-3: a code is for one person, so that in a group strangers read their ids."""
    async with living(closed_to(plan, "pairing")) as house:
        assert "user_id: 66" in await house.ask("hello", chat=house.channel.chat("66", "-5"))


async def test_who_was_an_admin_is_not_asked(plan: Plan) -> None:
    """R-TG-3: a removed admin hears nothing more of who asks to be let in; one who was appointed here does."""
    async with living(closed_to(plan, "pairing", admins=frozenset({"9", "8"}))) as house:
        for user in ("9", "8"):
            await house.ask("hello", chat=house.channel.chat(user))
        await house.quiet()
        await house.stop()
        following = await house.again(rules=closed_to(plan, "pairing", admins=frozenset({"9"})).rules)
        await following.db.write(pairing.admit, "fake", "main", "7", "Root", Role.ADMIN, following.clock())
        await ask_in(following)
        await following.quiet()
        assert {sent.to.chat for sent in following.channel.sent if sent.part.buttons} == {"9", "7"}
        await following.stop()


async def test_who_is_known_already_can_be_let_in(plan: Plan) -> None:
    """R-TG-3: somebody the configuration dropped, and an admin appoints here, is the same person as before."""
    async with living(closed_to(plan, "reply")) as house:
        await house.ask("hello", chat=house.channel.chat("1", name="Ann"))
        await house.quiet()
        before = await house.db.read(people.find, "fake", "main", "1")
        await house.db.write(pairing.admit, "fake", "main", "1", "", Role.ADMIN, house.clock())
        after = await house.db.read(people.find, "fake", "main", "1")
        assert before
        assert after == Known(Principal(before.principal.id, "Ann", Role.ADMIN, "en"), granted=True)
        assert [one.user for one in await house.db.read(people.everyone)] == ["1"]
        assert not await house.db.write(people.grant, "fake", "main", "nobody", granted=True)


# ---- login


async def test_login_opens_a_session(plan: Plan) -> None:
    """R-TG-4: with a password set, nobody is heard before `/login`, and nobody after the session's time is over."""
    rules = AccessRules(users=frozenset({"1"}), password="open sesame", login_seconds=7200)  # noqa: S106  # a test's own
    async with living(replace(plan, rules=rules)) as house:
        assert "Please log in" in await house.ask(NONCE)
        assert "Please log in" in await house.ask("/status")
        assert "/login" in await house.ask("/help")
        assert await house.ask("/login wrong") == "Wrong password."
        assert await house.ask("/login open sesame") == "You are logged in for 2 h."
        assert await house.ask("hello") == "echo: hello"
        assert "Please log in" in await house.ask("hello", chat=house.channel.chat("1", "-5"))
        await house.advance(7201)
        assert "Please log in" in await house.ask("hello?")
        await house.ask("/login\nopen sesame")
        assert await house.ask("/logout") == "You are logged out."
        assert "Please log in" in await house.ask("hello??")
        await house.ask("/login open sesame")
        assert await house.ask("/logout ") == "You are logged out."
        kept = await house.db.read(lambda c: c.execute(inbound.select()).all())
        assert "sesame" not in repr(kept)
        assert NONCE not in repr(kept)
        assert house.runtime.prompts == ["hello"]


async def test_without_login_both_commands_say_so(house: Household) -> None:
    """R-TG-4: where no password is set, `/login` and `/logout` explain that there is nothing to do."""
    assert (await house.ask("/login")).startswith("Auth disabled")
    assert (await house.ask("/logout")).startswith("Auth disabled")
    assert await house.db.read(lambda c: c.execute(message.select()).all()) == []
