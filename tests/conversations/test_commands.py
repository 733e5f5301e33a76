"""Control commands: answered at once, outside the lane, in the language of whoever asks."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.conversations import admins
from lar.conversations.commands import COMMANDS, listed, menu, parse
from lar.conversations.inbox import Inbox
from lar.conversations.problems import Report
from lar.conversations.strings import CATALOGUES
from lar.conversations.timing import NoTimekeeper
from lar.domain.ids import PrincipalId
from lar.domain.inbound import Attachment, AttachmentKind, Text
from lar.domain.principal import Principal, Role
from lar.errors import SendLater
from lar.policy.access import AccessRules
from lar.store.schema import conversation
from lar.testing.household import Household, Plan, living

RULES = AccessRules(users=frozenset({"1"}), admins=frozenset({"9"}))
LOGIN = replace(RULES, password="secret")  # noqa: S106  # a test's own
ANN = Principal(PrincipalId(1), "Ann", Role.USER)
EVE = Principal(PrincipalId(2), "Eve", Role.ADMIN)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("/stop", ("stop", "")),
        ("/STOP  now please", ("stop", "now please")),
        ("/login\nopen sesame", ("login", "open sesame")),
        ("/new\n", ("new", "")),
        ("/set_model x", ("set_model", "x")),
        ("/_x", ("_x", "")),
        ("/", None),
        ("/1", None),
        ("/usr/bin/env", None),
        ("/stop.", None),
        (" /stop", None),
        ("stop", None),
        ("", None),
    ],
)
def test_what_a_command_is(text: str, parsed: tuple[str, str] | None) -> None:
    """R-CV-2: a command is one word behind a slash; a path or a thought with a slash goes to the assistant."""
    assert parse(text) == parsed


@given(st.text())
def test_parsing_takes_anything(text: str) -> None:
    """Whatever somebody types is a command or a message, and never an error."""
    found = parse(text)
    assert found is None or text.lower().startswith(f"/{found[0]}")


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_answers_in_both_languages(plan: Plan, name: str, language: str) -> None:
    """R-CV-2: each command gives a sentence without holes, in English and Spanish, to those who may use it."""
    async with living(plan) as house:
        said = await house.ask(f"/{name}", chat=house.channel.chat("9", language=language))
        assert said
        assert "{" not in said
        other = await house.ask(f"/{name}", chat=house.channel.chat("1", language=language))
        assert ("admin" in other) == COMMANDS[name].admin or name == "whoami"


async def test_commands_are_answered_during_a_turn(house: Household) -> None:
    """R-CV-2: a command does not wait for the assistant, and is nothing it hears of."""
    hang = house.hang()
    await house.say("think hard")
    await house.until(lambda: house.runtime.running)
    assert await house.ask("/queue") == "Open turns here:\n1: running, 0 s old"
    await house.say("and then this")
    await house.advance(50)
    assert await house.ask("/queue") == "Open turns here:\n1: running, 50 s old\n2: queued, 50 s old"
    hang.set()
    await house.quiet()
    assert await house.ask("/queue") == "Nothing is waiting here."
    assert [line for request in house.runtime.requests for line in request.history if "/queue" in line.text] == []


async def test_help_lists_what_this_person_may_use(house: Household) -> None:
    """R-CV-2: `/help` and the start of a talk show what there is, and to an admin more."""
    mine = await house.ask("/help")
    admins = await house.ask("/help", chat=house.channel.chat("9"))
    assert "/stop - stop what runs" in mine
    assert "/synccommands" not in mine
    assert "/synccommands" in admins
    assert "/login" not in admins
    assert await house.ask("/start", chat=house.channel.chat("1", name="Ann")) == (
        "Hello Ann! I am Lar. Write to me in your own words; /help lists the commands."
    )


async def test_unknown_commands_are_said_to_be_unknown(house: Household) -> None:
    """R-CV-2: a typing error is answered at once instead of costing a model call."""
    assert await house.ask("/stpo it") == "I do not know /stpo. /help lists the commands."
    assert house.runtime.requests == []


async def test_a_caption_is_no_command(house: Household) -> None:
    """A file whose caption looks like a command goes to the assistant with its file."""
    file = Attachment(AttachmentKind.DOCUMENT, "ref", "a.txt")
    house.channel.files["ref"] = b"text"
    await house.say(Text("/stop", "m1", (file,)))
    await house.quiet()
    assert house.runtime.prompts[0].startswith("/stop\n[document: a.txt")


async def test_who_and_where(house: Household) -> None:
    """R-CV-2: `/whoami` shows the ids that the configuration needs, `/where` the conversation."""
    group = house.channel.chat("1", "-5", name="Ann")
    assert await house.ask("/whoami", chat=group) == "name: Ann\nrole: user\nuser_id: 1\nchat_id: -5"
    assert await house.ask("/where", chat=group) == "conversation: 1\nthread: 1\nagent: main\nplace: group"


async def test_status_tells_how_things_are(house: Household) -> None:
    """R-SU-1: `/status` counts turns and deliveries, shows the last turn and what is wrong."""
    said = await house.ask("/status")
    assert "last" not in said
    assert "no turn yet\nno problems" in said
    await house.ask("hello")
    await house.quiet()
    house.problems.report("telegram", "cannot be reached")
    house.channel.fail(SendLater(600, "flood"))
    await house.say("hello again", chat=house.channel.chat("2"))
    await house.until(lambda: "end hello again" in house.runtime.log)
    await house.advance(3600)
    said = await house.ask("/status")
    assert said.startswith("Lar 1.2.3, up 1 h\nagent: main (scripted), mode: rw\nturns open here: 0, in all: 0\n")
    assert "delivered: 2, sent twice for a lost receipt: 0\nlast turn: 1, done\n" in said
    assert said.endswith("⚠️ telegram: cannot be reached")


async def test_a_conversation_outlives_its_agent(house: Household) -> None:
    """A conversation whose agent was taken out of the configuration is served, and described, by the default one."""
    await house.ask("hello")
    await house.db.write(lambda c: c.execute(conversation.update().values(agent="retired")).close())
    assert "agent: main (scripted)" in await house.ask("/status")
    assert "agent: main" in await house.ask("/where")
    assert await house.ask("still there?") == "echo: still there?"


async def test_new_begins_a_thread(house: Household) -> None:
    """R-CV-2: after `/new` what was said is kept, and no longer looked at; what runs and waits is stopped."""
    await house.ask("remember 42")
    await house.quiet()
    house.hang()
    await house.say("hang")
    await house.until(lambda: house.runtime.running)
    assert "number 2" in await house.ask("/new")
    await house.ask("what was it?")
    last = house.runtime.requests[-1]
    assert last.history == ()
    assert last.system == "main serves Ann in thread 2"
    assert "number 3" in await house.ask("/new", chat=house.channel.chat())
    fresh = await house.ask("/new", chat=house.channel.chat("2"))
    assert "number 2" in fresh


def test_the_menu_is_for_everybody_who_may_see_it() -> None:
    """R-TG-11: the menu has every command in every language, and says which are an admin's."""
    entries = menu(RULES)
    assert {entry.language for entry in entries} == set(CATALOGUES)
    admins_only = {"synccommands", "emergency_stop", "resume", "problems", "setnotify", "solve", "runbooks"}
    assert {entry.command for entry in entries if entry.admin} == admins_only
    assert "login" not in {entry.command for entry in entries}
    assert "login" in {entry.command for entry in menu(LOGIN)}


@pytest.mark.parametrize(
    ("rules", "who", "sees"),
    [
        (RULES, ANN, set[str]()),
        (RULES, EVE, {"synccommands", "emergency_stop", "resume"}),
        (LOGIN, ANN, {"login", "logout"}),
    ],
)
def test_who_is_told_of_which_commands(rules: AccessRules, who: Principal, sees: set[str]) -> None:
    """R-TG-4: commands that are of no use to somebody are not shown to them."""
    special: Any = {"synccommands", "emergency_stop", "resume", "login", "logout"}
    assert set(listed(rules, who)) & special == sees


class Kept:
    """Some error reports."""

    def __init__(self, *reports: Report) -> None:
        self.reports = reports

    def latest(self) -> tuple[Report, ...]:
        """All of them."""
        return self.reports

    def excerpt(self, name: str) -> str:
        """What stands in one."""
        return f"excerpt of {name}"


async def test_problems_are_listed_and_shown(house: Household) -> None:
    """R-SU-1: an admin sees what is wrong now and what failed before, and one report in short."""
    eve = house.channel.chat("9")
    assert await house.ask("/problems", chat=eve) == "no problems\nno error reports"
    assert "There is no report 1" in await house.ask("/problems 1", chat=eve)
    house.problems.report("telegram", "cannot be reached")
    told = house.clock() - 300
    reports = Kept(Report("b.md", "tool failed: KeyError", "00ff00ff", 3, told), Report("a.md", "t", "f", 1, 0))
    house.inbox = Inbox(
        house.db,
        {("fake", "main"): house.plan.rules},
        house.plan.settings,
        replace(house.facts, reports=reports),
        house.clock,
    )
    said = await house.ask("/problems", chat=eve)
    assert said.startswith("⚠️ telegram: cannot be reached\n\nError reports")
    assert "1. tool failed: KeyError (3 in all, the last 5 min ago) [00ff00ff]" in said
    assert await house.ask("/problems 2", chat=eve) == "excerpt of a.md"
    assert "There is no report x" in await house.ask("/problems x", chat=eve)
    assert "admin" in await house.ask("/problems 2")


async def test_unreadable_reports_are_said_to_be(house: Household) -> None:
    """R-SU-1: reports that cannot be read are a sentence, not a failure of the inbox."""

    class Unreadable(Kept):
        def latest(self) -> tuple[Report, ...]:
            raise PermissionError(13, "Permission denied")

    house.inbox = Inbox(
        house.db,
        {("fake", "main"): house.plan.rules},
        house.plan.settings,
        replace(house.facts, reports=Unreadable()),
        house.clock,
    )
    said = await house.ask("/problems", chat=house.channel.chat("9"))
    assert said == "The error reports cannot be read: Permission denied"


async def test_the_notification_chat(house: Household) -> None:
    """R-SU-3: an admin makes any chat the notification chat, and ends that again; nobody else does."""
    group = house.channel.chat("9", "-5")
    assert "admin" in await house.ask("/setnotify", chat=house.channel.chat("1", "-5"))
    assert await house.db.read(admins.notify_chat) is None
    assert "now the notification chat" in await house.ask("/setnotify", chat=group)
    kept = await house.db.read(admins.notify_chat)
    assert kept
    assert kept.chat == "-5"
    assert "no notification chat any more" in await house.ask("/setnotify off", chat=house.channel.chat("9"))
    assert "No notification chat" in await house.ask("/setnotify OFF", chat=group)
    assert await house.db.read(admins.notify_chat) is None


async def test_without_schedules() -> None:
    """R-SC-1: where nobody keeps schedules, commands and buttons about them say so."""
    asking: Any = SimpleNamespace(language="en")
    nobody = NoTimekeeper()
    none = "No reminders and no scheduled prompts."
    assert nobody.reminders(asking, "").text == nobody.zone(asking, "") == none
    assert nobody.pressed(asking, "r:1:1:1:done").text == "This question is no longer open."
    assert nobody.absence(asking) == ""
    assert "no runbooks" in nobody.runbooks(asking)
