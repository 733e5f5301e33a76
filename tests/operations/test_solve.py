"""R-SU-2: `/solve` plans, asks about each command, runs after a yes and skips after a no, and tells all of it."""

import asyncio
import json
import os
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from lar.conversations.replay import replay
from lar.conversations.settings import ConversationSettings
from lar.domain.conversation import QueueMode
from lar.domain.ids import JobId, TurnId
from lar.domain.job import Step, StepState
from lar.domain.spend import Payer
from lar.domain.turn import TurnState
from lar.errors import SandboxError, ThinkingError
from lar.memory.settings import MemorySettings
from lar.operations import host
from lar.operations.plans import NoPlan, read
from lar.operations.solve import ROUNDS
from lar.policy.access import AccessRules
from lar.store import jobs, steps
from lar.store.records import turn_record
from lar.store.schema import job, turn
from lar.testing.channel import Chat
from lar.testing.household import Household, Plan, living


def plan_of(*commands: str, says: str = "The disk may be full.") -> str:
    """What a model answers that plans these commands."""
    return json.dumps({"says": says, "commands": [{"command": each, "purpose": "to see"} for each in commands]})


@dataclass
class Model:
    """Plans what it is told to, in this order; sums up with one sentence. A `PaidAsk`."""

    plans: list[str | Exception] = field(default_factory=list[str | Exception])
    summary: str | Exception = "It is solved."
    asked: list[str] = field(default_factory=list[str])
    payers: set[Payer] = field(default_factory=set[Payer])

    def paid_by(self, payer: Payer, /) -> "Model":
        """The same."""
        self.payers.add(payer)
        return self

    async def __call__(self, system: str, prompt: str, /) -> str:
        """The next answer."""
        self.asked.append(prompt)
        answer = self.summary if system.startswith("You sum up") else self.plans.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def model() -> Model:
    """The model."""
    return Model()


@pytest.fixture
def plan(tmp_path: Path, model: Model) -> Plan:
    """A household with two admins and a model that solves."""
    rules = AccessRules(users=frozenset({"1", "2"}), admins=frozenset({"8", "9"}), chats=frozenset({"-7"}))
    return Plan(tmp_path, rules=rules, solver=model)


@pytest.fixture
async def house(plan: Plan) -> AsyncGenerator[Household]:
    """The same, alive."""
    async with living(plan) as household:
        yield household


def root(house: Household) -> Chat:
    """The admin's private chat."""
    return house.channel.chat("9", name="Root")


def questions(house: Household, chat: str = "9") -> list[str]:
    """What was asked about in a chat, oldest first."""
    return [sent.part.text for sent in house.channel.sent if sent.to.chat == chat and sent.part.buttons]


def texts(house: Household, chat: str = "9") -> str:
    """All that was said there."""
    return "\n".join(sent.part.text for sent in house.channel.sent if sent.to.chat == chat)


async def solving(house: Household, problem: str = "the disk is full", count: int = 1) -> None:
    """Write `/solve`, and wait for the question."""
    await house.say(f"/solve {problem}", chat=root(house))
    await house.until(lambda: len(questions(house)) >= count)


def buttons(house: Household, chat: str = "9") -> dict[str, str]:
    """The newest buttons in a chat: label → data."""
    newest = [sent.part for sent in house.channel.sent if sent.to.chat == chat and sent.part.buttons][-1]
    return {button.label: button.data for row in newest.buttons for button in row}


async def press(house: Household, label: str, by: Chat | None = None, *, following: bool = False) -> None:
    """Press a button of the newest question; `following`: and wait for the next one."""
    before = len(questions(house))
    await house.hear((by or root(house)).presses(buttons(house)[label]))
    if following:
        await house.until(lambda: len(questions(house)) > before)
    else:
        await house.quiet()


async def test_yes_runs_and_no_skips(house: Household, model: Model, tmp_path: Path) -> None:
    """R-SU-2: the question names host and exact command; yes runs it, no skips it; the end tells all of it."""
    one, two = tmp_path / "one", tmp_path / "two"
    model.plans.append(plan_of(f"echo a >> {one}; echo made; exit 3", f"touch {two}"))
    await solving(house)
    assert "1. echo a" in texts(house)
    assert f"On {host.host_name()}, from /, by /bin/sh:\necho a >> {one}; echo made; exit 3\n" in questions(house)[0]
    assert list(buttons(house)) == ["Yes", "No"]
    assert not one.exists()
    await press(house, "Yes", following=True)
    assert one.read_text() == "a\n"
    assert "exit code 3" in texts(house)
    assert "made" in texts(house)
    await press(house, "No")
    assert not two.exists()
    last = house.channel.texts("9")[-1] + texts(house)
    assert "It is solved." in last
    assert re.search(r"1\. ✅ .*exit code 3", last)
    assert re.search(r"2\. ⏭ .*skipped", last)
    assert "made" in model.asked[-1]


async def test_only_admins_solve(house: Household, model: Model, tmp_path: Path) -> None:
    """R-SU-2: nobody else may begin, nor press Yes: not in a group where they see the question either."""
    made = tmp_path / "made"
    assert "Only an admin" in await house.ask("/solve it")
    model.plans.append(plan_of(f"touch {made}"))
    here = house.channel.chat("9", chat="-7", name="Root")
    await house.say("/solve it", chat=here)
    await house.until(lambda: questions(house, "-7"))
    data = buttons(house, "-7")["Yes"]
    await house.hear(house.channel.chat("1", chat="-7", name="Ann").presses(data))
    await house.until(lambda: any("Only an admin" in sent.part.text for sent in house.channel.sent))
    assert not made.exists()
    await house.hear(house.channel.chat("8", chat="-7", name="Eve").presses(data))
    await house.quiet()
    assert made.exists()


async def test_who_is_no_admin_any_more_cannot_say_yes(plan: Plan, model: Model, tmp_path: Path) -> None:
    """R-SU-2: whoever began as an admin and is none any more decides about nothing, by button or in words."""
    made = tmp_path / "made"
    house = Household(plan)
    await house.start()
    model.plans.append(plan_of(f"touch {made}"))
    await solving(house)
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    await house.crash()
    following = await house.again(rules=AccessRules(users=frozenset({"9"}), admins=frozenset({"8"})))
    await following.hear(root(following).presses(buttons(following)["Yes"]))
    await following.until(lambda: any("Only an admin" in sent.part.text for sent in following.channel.sent))
    await following.say("/approve 1", chat=root(following))
    await following.until(lambda: "No question is open." in texts(following))
    assert not made.exists()
    await following.stop()


async def test_an_answer_survives_a_restart(plan: Plan, model: Model, tmp_path: Path) -> None:
    """R-SU-2: asked before a crash, answered after it; what ran before does not run again."""
    one, two = tmp_path / "one", tmp_path / "two"
    model.plans.append(plan_of(f"echo x >> {one}", f"echo x >> {two}"))
    house = Household(plan)
    await house.start()
    await solving(house)
    await press(house, "Yes", following=True)
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    await house.crash()
    following = await house.again()
    await press(following, "Yes")
    assert (one.read_text(), two.read_text()) == ("x\n", "x\n")
    assert "It is solved." in texts(following)
    assert len(model.asked) == 2
    await following.stop()


async def test_a_crash_in_the_middle_is_asked_about(plan: Plan, model: Model, tmp_path: Path) -> None:
    """R-SU-2: a command that a crash interrupted is told as unknown and runs again only after another yes."""
    one = tmp_path / "one"
    model.plans.append(plan_of(f"echo x >> {one}; sleep 60"))
    house = Household(plan)
    await house.start()
    await solving(house)
    await house.hear(root(house).presses(buttons(house)["Yes"]))
    await house.until(one.exists)
    await house.crash()
    following = await house.again()
    await following.until(lambda: len(questions(following)) == 2)
    assert "it may have happened, or not" in texts(following)
    assert one.read_text() == "x\n"
    await press(following, "No")
    assert one.read_text() == "x\n"
    assert re.search(r"1\. ❓ .*outcome unknown", texts(following))
    await following.stop()


async def test_words_instead_of_an_answer_make_another_plan(house: Household, model: Model, tmp_path: Path) -> None:
    """R-SU-2: whoever writes instead of pressing is listened to: the rest is dropped, and the plan made anew."""
    one, two = tmp_path / "one", tmp_path / "two"
    model.plans += [plan_of(f"touch {one}", f"touch {one}"), plan_of(f"touch {two}")]
    await solving(house)
    await house.say("not there, at two", chat=root(house))
    await house.until(lambda: len(questions(house)) == 2)
    assert "not there, at two" in model.asked[-1]
    await press(house, "Yes")
    assert (one.exists(), two.exists()) == (False, True)
    assert re.search(r"1\. ⏭ .*\n2\. ▫️ .*not asked\n3\. ✅", texts(house))


async def test_nobody_answers_in_time(house: Household, model: Model, tmp_path: Path) -> None:
    """R-SU-2: a question expires; nothing more is asked, nothing ran, and a late press is told so."""
    one = tmp_path / "one"
    model.plans.append(plan_of(f"touch {one}", f"touch {one}"))
    await solving(house)
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    data = buttons(house)["Yes"]
    await house.advance(house.prompting.ask_seconds + 1)
    await house.quiet(passing=5)
    await house.until(lambda: "Nobody answered in time, so I asked no further." in texts(house))
    await house.hear(root(house).presses(data))
    await house.until(lambda: any("expired" in s.part.text for s in house.channel.sent if s.part.answers_press))
    assert (one.exists(), len(model.asked), len(questions(house))) == (False, 1, 1)


async def test_a_proposal_is_gone_through(house: Household, model: Model, tmp_path: Path) -> None:
    """R-SU-2: an admin's press goes through the plan as it was proposed, once; nobody else's does."""
    one = tmp_path / "one"
    made = {"plan": {"says": "Oil it.", "commands": [{"command": f"touch {one}", "purpose": ""}]}}

    def propose(connection: Connection) -> JobId:
        number = jobs.enqueue(connection, kind="other", lane="other", payload={"title": "it creaks"}, now=1.0)
        begun = Step(number, "plan", "model", StepState.STARTED, {}, None, 1, house.clock())
        steps.start(connection, begun, seq=1)
        steps.finish(connection, number, "plan", output=made, now=house.clock())
        return number

    data = f"s:{await house.db.write(propose)}"
    await house.hear(house.channel.chat("1").presses(data))
    await house.until(lambda: "Only an admin may answer this." in texts(house, "1"))
    await house.hear(root(house).presses(data), root(house).presses(data))
    await house.until(lambda: questions(house))
    assert "taken up already" in texts(house)
    await press(house, "Yes")
    assert one.exists()
    assert model.asked[-1].startswith("/solve it creaks")
    assert len(model.asked) == 1


async def test_whoever_never_agrees_is_not_asked_for_ever(house: Household, model: Model) -> None:
    """R-SU-2: words make new plans only so often."""
    model.plans += [plan_of("true")] * ROUNDS
    await solving(house)
    for number in range(2, ROUNDS + 1):
        await house.say("no, other", chat=root(house))
        await house.until(lambda number=number: len(questions(house)) == number)
    await house.say("no, other", chat=root(house))
    await house.quiet()
    assert len(model.asked) == ROUNDS
    assert f"{ROUNDS}. ⏭" in texts(house)


async def test_interrupted_twice_is_not_asked_a_third_time(plan: Plan, model: Model, tmp_path: Path) -> None:
    """R-SU-2: a command that two crashes interrupted stays unknown."""
    one = tmp_path / "one"
    model.plans.append(plan_of(f"echo x >> {one}; sleep 60"))
    house = Household(plan)
    await house.start()
    await solving(house)
    for times in (1, 2):
        await house.hear(root(house).presses(buttons(house)["Yes"]))
        await house.until(lambda times=times: one.exists() and one.read_text() == "x\n" * times)
        await house.crash()
        house = await house.again()
        if times == 1:
            await house.until(lambda: len(questions(house)) == 2)  # noqa: B023  # waited for at once
    await house.quiet()
    assert re.search(r"1\. ❓ .*outcome unknown", texts(house))
    assert one.read_text() == "x\n" * 2
    await house.stop()


async def test_what_cannot_be_started_is_told(house: Household, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SU-2: where there is no shell, the reason is listed, and nothing is claimed."""

    async def no_shell(*_arguments: object) -> None:
        raise SandboxError("/bin/sh cannot be started: no such file")

    monkeypatch.setattr(host, "run", no_shell)
    model.plans.append(plan_of("true"))
    await solving(house)
    await press(house, "Yes")
    assert re.search(r"1\. 🚫 .*cannot be started", texts(house))


async def test_who_lost_the_role_while_others_agreed(plan: Plan, model: Model, tmp_path: Path) -> None:
    """R-SU-2: an admin's yes to the plan of somebody who is none any more runs nothing."""
    one = tmp_path / "one"
    model.plans.append(plan_of(f"touch {one}"))
    house = Household(plan)
    await house.start()
    await solving(house)
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    await house.crash()
    following = await house.again(rules=AccessRules(users=frozenset({"9"}), admins=frozenset({"8"})))
    await following.ask("/whoami", chat=root(following))
    await following.say("/approve 1", chat=following.channel.chat("8", name="Eve"))
    await following.quiet()
    assert re.search(r"1\. 🚫 .*Only an admin", texts(following))
    assert not one.exists()
    await following.stop()


def test_hidden_whitespace_is_refused() -> None:
    """R-SU-2: what is pushed out of sight by white space is no plan."""
    with pytest.raises(NoPlan, match="white space"):
        read(plan_of("true" + " " * 60 + "; false"), 8)


async def test_a_second_press_explains_itself(house: Household, model: Model, tmp_path: Path) -> None:
    """R-SU-2: pressed twice, it runs once."""
    one = tmp_path / "one"
    model.plans.append(plan_of(f"echo x >> {one}"))
    await solving(house)
    data = buttons(house)
    await house.hear(root(house).presses(data["Yes"]), root(house).presses(data["No"]))
    await house.quiet()
    assert one.read_text() == "x\n"
    assert any("approved this already" in sent.part.text for sent in house.channel.sent if sent.part.answers_press)


@pytest.mark.parametrize("command", ["/stop", "/emergency_stop"])
async def test_stopping_ends_all_of_it(house: Household, model: Model, tmp_path: Path, command: str) -> None:
    """R-SU-2: a running command ends with everything it started, even what left its session."""
    one = tmp_path / "one"
    loud = f"while true; do echo x >> {one}; sleep 0.01; done"
    model.plans.append(plan_of(f"(setsid sh -c '{loud}' &) ; sleep 60"))
    await solving(house)
    await house.hear(root(house).presses(buttons(house)["Yes"]))
    await house.until(one.exists)
    await house.say(command, chat=root(house))
    await house.quiet()

    def calm() -> bool:
        return not any(_is_about(path, one) for path in Path("/proc").glob("[0-9]*/cmdline"))

    await house.until(calm)
    rows = await house.db.read(lambda c: c.execute(turn.select()).all())
    assert [row.state for row in rows] == [TurnState.STOPPED]


def _is_about(path: Path, what: Path) -> bool:
    with suppress(OSError):
        return str(what).encode() in path.read_bytes()
    return False


async def test_garbage_is_asked_again_once(house: Household, model: Model, tmp_path: Path) -> None:
    """R-SU-2: a model that answers no plan is told why and asked once more; then the admin is told plainly."""
    one = tmp_path / "one"
    model.plans += ["Sure! I will help.", f"```json\n{plan_of(f'touch {one}')}\n```"]
    await solving(house)
    assert "could not be used: it is not one JSON object" in model.asked[1]
    await press(house, "Yes")
    assert one.exists()
    model.plans += [plan_of(*["true"] * 9), plan_of("tr\u202eue")]
    await house.ask("/solve again", chat=root(house))
    await house.quiet()
    assert "9 commands, and 8 are the most" in model.asked[-1]
    assert "no plan that can be used, twice: commands.0.command: Value error, it contains invisible" in texts(house)
    assert len(questions(house)) == 1


async def test_a_plan_without_commands_is_an_answer(house: Household, model: Model) -> None:
    """R-SU-2: where commands cannot help, the model's explanation is the reply."""
    model.plans.append(plan_of(says="That is a bug of Lar's own."))
    await house.say("/solve it", chat=root(house))
    await house.until(lambda: "There is nothing to run." in texts(house))
    assert "That is a bug of Lar's own." in texts(house)


async def test_without_a_summary_there_is_the_list(house: Household, model: Model) -> None:
    """R-SU-2: where the model cannot sum up, what ran is listed all the same."""
    model.plans.append(plan_of("printf '`'"))
    model.summary = ThinkingError("quota", "used up")
    await solving(house)
    await press(house, "Yes")
    assert "The model did not sum this up." in texts(house)
    assert "1. ✅ `` printf '`' ``: exit code 0" in texts(house)


async def test_whoever_asks_pays(house: Household, model: Model) -> None:
    """R-LM-5: what solving asks a model goes on the account of the admin who wanted it solved."""
    model.plans.append(plan_of(says="Nothing."))
    await house.say("/solve it", chat=root(house))
    await house.quiet()
    [payer] = model.payers
    assert (payer.principal_id > 0, payer.agent, payer.conversation_id > 0) == (True, "/solve", True)


async def test_a_quota_is_told(house: Household, model: Model) -> None:
    """A model that cannot be asked for a plan is explained, and nothing is asked."""
    model.plans.append(ThinkingError("quota", "used up"))
    await house.say("/solve it", chat=root(house))
    await house.until(lambda: "quota" in texts(house))
    assert questions(house) == []


async def test_what_a_command_sees(house: Household, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SU-2: commands run from /, and of Lar's environment they see nothing."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    model.plans.append(plan_of("pwd; env"))
    await solving(house)
    await press(house, "Yes")
    output = model.asked[-1].partition("\n/\n")[2]
    names = {line.partition("=")[0] for line in output.splitlines() if "=" in line}
    plain = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PAGER"}
    assert plain <= names <= plain | {"XDG_RUNTIME_DIR", "LAR_COMMAND", "PWD", "OLDPWD", "SHLVL", "_"}


async def test_read_only_stays_read_only(house: Household, model: Model, tmp_path: Path) -> None:
    """R-PO-1: the gate decides here, too: in mode ro nothing is asked and nothing runs."""
    model.plans.append(plan_of(f"touch {tmp_path}/one", "true"))
    await house.ask("/mode ro", chat=root(house))
    await house.say("/solve it", chat=root(house))
    await house.until(lambda: "Nothing more was asked: Not permitted: this conversation is read-only" in texts(house))
    assert (questions(house), (tmp_path / "one").exists()) == ([], False)


async def test_one_at_a_time_and_nothing_joins_it(plan: Plan, model: Model) -> None:
    """What is written while a plan is being made is a turn of its own, and a second /solve is refused."""
    settings = ConversationSettings(queue_mode=QueueMode.STEER)
    async with living(replace(plan, settings=settings)) as house:
        assert "what is wrong" in await house.ask("/solve", chat=root(house))
        held = house.hang()
        await house.say("work", chat=root(house))
        await house.until(lambda: house.runtime.running)
        await house.say("/solve it", "hello", "/solve more", chat=root(house))
        model.plans.append(plan_of(says="Nothing."))
        held.set()
        await house.quiet()
        assert "gone through here already" in texts(house)
        assert model.asked == ["/solve it"]
        assert house.runtime.prompts == ["work", "hello"]


async def test_without_a_model_it_says_so(plan: Plan) -> None:
    """Where no model is configured, /solve says what is missing."""
    async with living(replace(plan, solver=None)) as house:
        assert "models.solve" in await house.ask("/solve it", chat=root(house))


async def test_while_everything_is_stopped(house: Household, model: Model) -> None:
    """R-PO-4: under the emergency stop a plan waits for /resume."""
    model.plans.append(plan_of(says="Nothing."))
    await house.ask("/emergency_stop", chat=root(house))
    assert "emergency stop holds" in await house.ask("/solve it", chat=root(house))
    assert model.asked == []
    await house.say("/resume", chat=root(house))
    await house.until(lambda: "nothing to run" in texts(house))


async def test_it_is_replayed(house: Household, model: Model) -> None:
    """R-CV-8: a recorded /solve turn runs again offline, and nothing of it happens."""
    model.plans.append(plan_of("echo a", "echo b"))
    await solving(house)
    await press(house, "Yes", following=True)
    await press(house, "No")
    [row] = await house.db.read(lambda c: c.execute(turn.select()).all())
    record = await house.db.read(turn_record, TurnId(row.id))
    assert record is not None
    assert row.agent == "/solve"
    found = await replay(json.loads(json.dumps(record, default=str)), house.agents.of("/solve"), house.prompting)
    assert found.differences == ()
    assert found.steps >= 5


async def test_another_machine_does_not_run_it(
    house: Household, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-SU-2: what was approved for one host is not run on another."""
    model.plans.append(plan_of(f"touch {tmp_path}/one"))
    await solving(house)
    monkeypatch.setattr(host, "host_name", lambda: "elsewhere")
    await press(house, "Yes")
    assert "and this is elsewhere" in texts(house)
    assert not (tmp_path / "one").exists()


async def test_a_command_ends_at_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SU-2: timeout and output cap end a command with all it started; a signal and strange bytes are told."""
    monkeypatch.setattr(host, "OUTPUT", 100_000)
    slow, loud, killed, odd = await asyncio.gather(
        host.run("sleep 30 & sleep 30", 0.2, "limits-1"),
        host.run("yes", 30, "limits-2"),
        host.run("kill -9 $$", 30, "limits-3"),
        host.run("printf '\\033[2J\\377'; echo no >&2", 30, "limits-4"),
    )
    assert host.worded(slow, "en").startswith("ended after 0.")
    assert "it wrote too much" in host.worded(loud, "en")
    assert "characters left out" in host.worded(loud, "en")
    assert host.worded(killed, "en").startswith("ended by signal 9")
    assert host.worded(odd, "en").endswith("\n\ufffd[2J\ufffd\nno")


async def test_what_a_killed_lar_left_is_ended() -> None:
    """R-SU-2: a command that outlived its Lar is found by its mark and ended; nothing else is."""
    mark = f"left-{os.getpid()}"
    left = await asyncio.create_subprocess_exec("sleep", "60", env={"LAR_COMMAND": mark})
    other = await asyncio.create_subprocess_exec("sleep", "60", env={"LAR_COMMAND": f"{mark}-other"})
    await host.end(mark)
    assert await left.wait() == -9
    assert other.returncode is None
    other.kill()
    await other.wait()


def test_a_container_without_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the user has no entry, commands have a plain environment all the same."""

    def nobody(_user: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert host.environment()["HOME"] == "/"


async def test_what_was_solved_is_remembered(plan: Plan, model: Model, tmp_path: Path) -> None:
    """R-ME-3: a turn of `/solve` becomes a sentence like any other, which taints: it tells what commands said."""

    async def summing(_system: str, _prompt: str, /) -> str:
        return "The disk was full."

    made = tmp_path / "made"
    model.plans.append(plan_of(f"echo done > {made}"))
    async with living(replace(plan, memory=MemorySettings(exchanges=1), ask=summing)) as house:
        await solving(house)
        await press(house, "Yes")
        assert made.exists()
        await house.ask("thank you", chat=root(house))
        await house.remember()
        await house.ask("good night", chat=root(house))
        request = house.runtime.requests[-1]
        assert "- The disk was full." in request.system
        assert request.toolbox.taint == (f"host {host.host_name()}",)
