"""Questions: asked durably, answered once by who may, and the turn goes on as if it had never waited."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from lar.conversations import answers
from lar.conversations.agents import Agent
from lar.conversations.replay import replay
from lar.conversations.settings import ConversationSettings
from lar.domain.conversation import QueueMode
from lar.domain.ids import TurnId
from lar.domain.risk import Deed, Risk
from lar.domain.turn import TurnState
from lar.domain.values import JsonObject
from lar.errors import StoreError
from lar.runtimes.contract import Finished, RuntimeEvent, TurnRequest
from lar.store import signals
from lar.store.records import turn_record
from lar.store.schema import job, permission, question, turn
from lar.testing.channel import Chat
from lar.testing.household import Household, Plan, living
from lar.testing.runtime import ScriptedRuntime
from lar.tools.asking import ask_person
from lar.tools.contract import Effect, Tool, ToolCall, ToolContext, ToolResult
from lar.tools.define import tool
from lar.tools.execute import Registry


class Post:
    """Two tools that reach out, one only for admins to permit, and one that brings something in; what they did."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.ran: list[str] = []

    def tools(self) -> tuple[Tool, ...]:
        """They, and the one that asks."""

        def sending(arguments: JsonObject) -> Effect:
            return Effect(Deed.SEND, f"write {arguments['text']!r} to Bob", "bob")

        def running(arguments: JsonObject) -> Effect:
            return Effect(Deed.RUN_OUT, f"run {arguments['command']}", "host")

        @tool(risk=Risk.REACH, repeatable=False, effect=sending)
        async def send(_context: ToolContext, text: str) -> str:
            """Send."""
            self.sent.append(text)
            return "sent"

        @tool(risk=Risk.EXEC, repeatable=False, effect=running)
        async def run(_context: ToolContext, command: str) -> ToolResult:
            """Run."""
            self.ran.append(command)
            return ToolResult(f"ran {command}", source="host")

        @tool(risk=Risk.READ, repeatable=True)
        async def read_page(_context: ToolContext) -> ToolResult:
            """Read a page."""
            return ToolResult("buy now", source="web: example.org")

        @tool(risk=Risk.WRITE, repeatable=True, effect=lambda _: Effect(Deed.REMEMBER, "remember it"))
        async def remember(_context: ToolContext) -> str:
            """Remember."""
            return "remembered"

        return send, run, read_page, remember, ask_person


@pytest.fixture
def post() -> Post:
    """What was done."""
    return Post()


@pytest.fixture
def plan(anywhere: Plan, post: Post) -> Plan:
    """A household with these tools, on either database."""
    return replace(anywhere, registry=Registry(post.tools()))


def calls(*wanted: ToolCall) -> Callable[[TurnRequest], Awaitable[RuntimeEvent | None]]:
    """Think by these calls, and answer with what they gave."""

    async def think(request: TurnRequest) -> RuntimeEvent:
        return Finished(" | ".join([(await request.toolbox.execute(call)).text for call in wanted]))

    return think


SEND = ToolCall("1.1", "send", {"text": "hello"})


def buttons(house: Household, chat: str = "1") -> dict[str, str]:
    """The labels and data of the newest buttons in a chat."""
    parts = [sent.part for sent in house.channel.sent if sent.to.chat == chat and sent.part.buttons]
    return {button.label: button.data for row in parts[-1].buttons for button in row}


def edits(house: Household, chat: str = "1") -> list[str]:
    """What messages were edited to."""
    return [sent.part.text for sent in house.channel.sent if sent.to.chat == chat and sent.part.edit_of]


async def asked(house: Household, *wanted: ToolCall, chat: Chat | None = None, goes_on: bool = True) -> None:
    """Let a turn make these calls, until it asks; and the same again when it is resumed."""
    house.runtime.then(calls(*wanted))
    if goes_on:
        house.runtime.then(calls(*wanted))
    before = sum(bool(sent.part.buttons) for sent in house.channel.sent)
    await house.say("do it", chat=chat)
    await house.until(lambda: sum(bool(sent.part.buttons) for sent in house.channel.sent) > before)


async def press(house: Household, label: str, by: Chat | None = None, at: str = "1") -> None:
    """Press a button of the newest question."""
    somebody = by or house.channel.chat()
    await house.hear(somebody.presses(buttons(house, at)[label]))


async def test_what_is_approved_is_done_once(house: Household, post: Post) -> None:
    """R-PO-2: the question names the act, waits without a task, and the turn goes on when it is answered."""
    await asked(house, SEND)
    assert "write 'hello' to Bob" in house.channel.texts()[-1]
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    assert (house.runtime.running, post.sent) == (0, [])
    await press(house, "Once")
    await house.quiet()
    assert post.sent == ["hello"]
    assert house.channel.texts()[-1] == "sent" or "sent" in house.channel.texts()
    assert any("Approved by Ann (once)" in text for text in edits(house))


async def test_a_refusal_reaches_the_model(house: Household, post: Post) -> None:
    """R-PO-2: denied by command with a reason, the model reads the reason, and nothing happens."""
    await asked(house, SEND)
    await house.say("/deny 1 not to Bob")
    await house.quiet()
    assert post.sent == []
    assert any("they said: 'not to Bob'" in text for text in house.channel.texts())


async def test_other_words_withdraw_the_question(house: Household, post: Post) -> None:
    """Who was asked writes something else: that is the answer, the turn goes on, and the message is not lost."""
    await asked(house, SEND)
    await house.say("write to Carol instead")
    await house.quiet()
    assert post.sent == []
    assert any("they wrote: 'write to Carol instead'" in text for text in house.channel.texts())
    assert any("wrote something else" in text for text in edits(house))
    assert len(await house.db.read(lambda c: c.execute(turn.select()).all())) == 1


async def test_an_answer_survives_a_restart(house: Household, post: Post) -> None:
    """R-PO-2: asked before a crash, pressed after it, done once."""
    await asked(house, SEND)
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    data = buttons(house)["Once"]
    await house.crash()
    following = await house.again()
    following.runtime.then(calls(SEND))
    await following.hear(following.channel.chat().presses(data))
    await following.quiet()
    assert post.sent == ["hello"]
    await following.stop()


async def test_a_second_press_explains_itself(house: Household, post: Post) -> None:
    """R-PO-2: pressed twice, it is done once, and the second press is told who decided."""
    await asked(house, SEND)
    somebody = house.channel.chat()
    data = buttons(house)
    await house.hear(somebody.presses(data["Once"]), somebody.presses(data["Do not"]))
    await house.quiet()
    assert post.sent == ["hello"]
    told = [sent.part.text for sent in house.channel.sent if sent.part.answers_press]
    assert "Ann has approved this already." in told


async def test_somebody_else_may_not_press(house: Household, post: Post) -> None:
    """R-PO-2, R-TG-13: a button works only for who was asked, and for admins."""
    await asked(house, SEND)
    await press(house, "Once", by=house.channel.chat("2", chat="1", name="Bob"))
    await house.until(lambda: any("somebody else" in sent.part.text for sent in house.channel.sent))
    assert post.sent == []
    await press(house, "Once", by=house.channel.chat("9", chat="1", name="Root"))
    await house.quiet()
    assert post.sent == ["hello"]


async def test_nobody_answers_in_time(house: Household, post: Post) -> None:
    """R-PO-2: a question expires; the turn goes on without, and a late press is told so."""
    await asked(house, SEND)
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    data = buttons(house)["Once"]
    await house.advance(house.prompting.ask_seconds + 1)
    await house.quiet(passing=5)
    assert any("nobody answered" in text for text in house.channel.texts())
    await house.hear(house.channel.chat().presses(data))
    await house.until(
        lambda: any("expired" in sent.part.text for sent in house.channel.sent if sent.part.answers_press)
    )
    assert post.sent == []


async def test_always_is_not_asked_again(house: Household, post: Post) -> None:
    """R-PO-2: "always" covers this tool and target from then on, "in this conversation" only there."""
    await asked(house, SEND)
    await press(house, "Always")
    await house.quiet()
    house.runtime.then(calls(ToolCall("1.1", "send", {"text": "again"})))
    await house.say("once more")
    await house.quiet()
    assert post.sent == ["hello", "again"]
    rows = await house.db.read(lambda c: c.execute(permission.select()).all())
    assert [(row.tool, row.target, row.conversation_id) for row in rows] == [("send", "bob", None)]


async def test_stop_takes_the_question_back(house: Household, post: Post) -> None:
    """R-CV-2: `/stop` ends a waiting turn at once; its question is edited and no press revives it."""
    await asked(house, SEND, goes_on=False)
    data = buttons(house)["Once"]
    await house.say("/stop")
    await house.until(lambda: any("Stopped" in text for text in edits(house)))
    await house.hear(house.channel.chat().presses(data))
    await house.quiet()
    assert post.sent == []


async def test_an_admin_decides_for_somebody_else(house: Household, post: Post) -> None:
    """R-PO-2: the turn ends and frees the lane; the admin's yes starts one that makes the recorded call, once."""
    root = house.channel.chat("9", name="Root")
    await house.ask("/help", chat=root)
    house.runtime.then(calls(ToolCall("1.1", "run", {"command": "make"})))
    assert "An admin has to agree" in await house.ask("build it")
    await house.until(lambda: any(sent.part.buttons for sent in house.channel.sent if sent.to.chat == "9"))
    assert "Ann asks for this" in house.channel.texts("9")[-1]
    assert await house.ask("are you free?") == "echo: are you free?"
    await press(house, "Once", by=root, at="9")
    await house.until(lambda: post.ran == ["make"])
    await house.quiet()
    assert house.runtime.prompts[-1] == "[Root has approved: run make]\n\nWhat came of it:\nran make"
    turns = await house.db.read(lambda c: c.execute(turn.select().order_by(turn.c.id)).all())
    assert [row.state for row in turns] == [TurnState.DONE] * 3
    assert turns[-1].taint == ["host"]


async def test_an_admins_no_is_told(house: Household, post: Post) -> None:
    """R-PO-2: who asked hears that it was refused, and why; nothing runs."""
    root = house.channel.chat("9", name="Root")
    await house.ask("/help", chat=root)
    house.runtime.then(calls(ToolCall("1.1", "run", {"command": "make"})))
    await house.ask("build it")
    await house.ask("/deny 1 too early", chat=root)
    await house.until(lambda: "too early" in house.channel.texts()[-1])
    assert post.ran == []


async def test_a_tainted_turn_asks_where_a_clean_one_does_not(house: Household) -> None:
    """R-PO-3: after a page was read, remembering asks, in this turn and while that turn is in the history."""
    remember = ToolCall("1.2", "remember", {})
    house.runtime.then(calls(remember))
    assert await house.ask("remember") == "remembered"
    await asked(house, ToolCall("1.1", "read_page", {}), remember)
    assert "web: example.org" in house.channel.texts()[-1]
    await press(house, "Once")
    await house.quiet()
    await asked(house, remember)
    await press(house, "Do not")
    await house.quiet()
    await house.ask("/new")
    house.runtime.then(calls(remember))
    await house.ask("remember")
    await house.quiet()
    assert "remembered" in house.channel.texts()


async def test_a_question_of_the_assistant_waits_for_words_or_buttons(house: Household) -> None:
    """R-TO-7: a choice is offered as buttons; pressing one, or writing something else, is the answer."""
    which = ToolCall("1.1", "ask_person", {"question": "Which one?", "options": ["red", "blue"]})
    await asked(house, which)
    await press(house, "blue")
    await house.quiet()
    assert any("The person answered: blue" in text for text in house.channel.texts())
    await asked(house, which)
    await house.say("green, please")
    await house.quiet()
    assert any("The person answered: green, please" in text for text in house.channel.texts())


async def test_a_long_command_is_shown_whole(house: Household, post: Post) -> None:
    """Nothing hides at the end of a long command: it is shown in several messages, or not asked about at all."""
    text = "x" * 5000 + "THE END"
    await asked(house, ToolCall("1.1", "send", {"text": text}))
    assert text in "".join(house.channel.texts())
    await press(house, "Do not")
    await house.quiet()
    house.runtime.then(calls(ToolCall("1.1", "send", {"text": "x" * 30_000})))
    await house.say("more")
    await house.quiet()
    assert any("too long to be shown" in text for text in house.channel.texts())
    assert post.sent == []


async def test_emergency_stop_holds_across_a_restart(house: Household, post: Post) -> None:
    """R-PO-4: everything ends at once and nothing starts until `/resume`, also after a restart; nothing is lost."""
    root = house.channel.chat("9", name="Root")
    await house.ask("/help", chat=root)
    await asked(house, SEND, goes_on=False)
    house.hang()
    bob = house.channel.chat("2", name="Bob")
    await house.say("work", chat=bob)
    await house.until(lambda: house.runtime.running)
    assert "2 turn(s)" in await house.ask("/emergency_stop", chat=root)
    await house.until(lambda: not house.runtime.running)
    assert "emergency stop" in await house.ask("are you there?", chat=bob)
    await house.crash()
    following = await house.again()
    await following.until_stored(lambda c: c.execute(job.select().where(job.c.state == "queued")).all())
    assert following.runtime.log == []
    assert "Work goes on" in await following.ask("/resume", chat=root)
    await following.until(lambda: "echo: are you there?" in following.channel.texts("2"))
    assert post.sent == []
    assert "Nothing is held up" in await following.ask("/resume", chat=root)
    await following.stop()


async def test_mode_is_per_conversation(house: Household, post: Post) -> None:
    """R-PO-1: `/mode ro` refuses what changes anything, here and nowhere else; full is for admins."""
    assert "Read-only" in await house.ask("/mode ro")
    house.runtime.then(calls(SEND))
    assert "read-only" in await house.ask("send it")
    assert "Only an admin" in await house.ask("/mode full")
    assert "no mode 'fast'" in await house.ask("/mode fast")
    assert "mode: ro" in await house.ask("/status")
    root = house.channel.chat("9", name="Root")
    assert "rw" in await house.ask("/mode", chat=root)
    await house.ask("/mode full", chat=root)
    house.runtime.then(calls(SEND))
    assert await house.ask("send it", chat=root) == "sent"
    assert post.sent == ["hello"]


async def test_questions_are_listed_and_answered_without_buttons(house: Household, post: Post) -> None:
    """R-PO-2: `/approvals` lists what is open, `/approve` answers it; what is unknown is explained."""
    assert "No question" in await house.ask("/approvals")
    await asked(house, SEND)
    assert "write 'hello' to Bob" in await house.ask("/approvals")
    assert "no answer" in await house.ask("/approve 1 forever")
    await house.say("/approve 1 conversation")
    await house.quiet()
    assert post.sent == ["hello"]
    assert await house.db.read(lambda c: c.execute(question.select()).one().state) == "approved"


async def test_a_group_lists_its_own_questions(house: Household, post: Post) -> None:
    """R-ME-9: in a group nobody, not even an admin, is told what is asked elsewhere; an admin in private is."""
    await asked(house, SEND)
    group, admin = house.channel.chat("9", "-5"), house.channel.chat("9")
    assert "No question" in await house.ask("/approvals", chat=group)
    assert "No question" in await house.ask("/approve 1", chat=group)
    assert "write 'hello' to Bob" in await house.ask("/approvals", chat=admin)
    await asked(house, SEND, chat=group)
    assert "/approve 2" in await house.ask("/approvals", chat=group)
    await house.say("/approve 2", chat=group)
    await house.say("/deny 1")
    await house.quiet()
    assert post.sent == ["hello"]


async def told_privately(house: Household, data: str, by: Chat | None = None) -> str:
    """Press a button with this data; what the presser is told."""
    before = [sent for sent in house.channel.sent if sent.part.answers_press and sent.part.text]
    await house.hear((by or house.channel.chat()).presses(data))

    def told() -> list[str]:
        return [sent.part.text for sent in house.channel.sent if sent.part.answers_press and sent.part.text]

    await house.until(lambda: len(told()) > len(before))
    return told()[-1]


async def test_a_button_of_no_question_is_explained(house: Household) -> None:
    """R-TG-13: a button whose question is gone, or an answer it never had, does nothing and says so."""
    await asked(house, ToolCall("1.1", "ask_person", {"question": "Which?", "options": ["red"]}), goes_on=False)
    for data in ("q:99:once", "q:1:7", "q:1:once"):
        assert "no longer open" in await told_privately(house, data)


async def test_a_question_of_the_assistant_expires(house: Household) -> None:
    """R-TO-7: where nobody answers a choice in time, the model is told, and goes on."""
    await asked(house, ToolCall("1.1", "ask_person", {"question": "Which?", "options": ["red"]}))
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    await house.advance(house.prompting.ask_seconds + 1)
    await house.quiet(passing=5)
    assert any("Nobody answered in time" in text for text in house.channel.texts())


async def for_an_admin(house: Household) -> Chat:
    """Ask what only an admin may permit; their chat."""
    root = house.channel.chat("9", name="Root")
    await house.ask("/help", chat=root)
    house.runtime.then(calls(ToolCall("1.1", "run", {"command": "make"})))
    await house.ask("build it")
    await house.until(lambda: any(sent.part.buttons for sent in house.channel.sent if sent.to.chat == "9"))
    return root


async def test_an_admin_comes_too_late(house: Household, post: Post) -> None:
    """R-PO-2: after its time an admin's press only says that it is over; who asked is told."""
    root = await for_an_admin(house)
    house.clock.advance(house.prompting.ask_seconds + 1)
    assert "expired" in await told_privately(house, buttons(house, "9")["Once"], root)
    await house.until(lambda: "Nobody approved in time" in house.channel.texts()[-1])
    assert post.ran == []


async def test_housekeeping_closes_what_nobody_answered(house: Household, post: Post) -> None:
    """R-PO-2: a question no turn waits for is closed when its time is over, without anybody pressing."""
    await for_an_admin(house)
    assert await house.db.write(answers.sweep, house.clock()) == 0
    house.clock.advance(house.prompting.ask_seconds + 1)
    assert await house.db.write(answers.sweep, house.clock()) == 1
    await house.until(lambda: "Nobody approved in time" in house.channel.texts()[-1])
    assert post.ran == []


async def test_turns_that_asked_can_be_replayed(house: Household) -> None:
    """R-CV-6: what a person approved, permitted for good or had an admin decide replays from the record alone."""
    await asked(house, SEND)
    await press(house, "Always")
    await house.quiet()
    again = ToolCall("1.1", "send", {"text": "again"})
    house.runtime.then(calls(again))
    await house.ask("once more")
    await house.quiet()
    root = await for_an_admin(house)
    await press(house, "Once", by=root, at="9")
    await house.until(lambda: "[Root has approved" in house.runtime.prompts[-1])
    await house.quiet()
    for number, moves in ((1, (calls(SEND),)), (2, (calls(again),)), (4, ())):
        record = await house.db.read(turn_record, TurnId(number))
        assert record
        runtime = ScriptedRuntime()
        if moves:
            runtime.then(*moves)
        agent = Agent("main", "scripted", runtime, registry=house.plan.registry)
        assert (await replay(record, agent, house.prompting)).differences == ()


async def test_a_decision_that_overtakes_its_turn_is_carried_out_once(anywhere: Plan, post: Post) -> None:
    """R-PO-2, R-CV-7: an admin approves while the turn that asked has yet to end: the call is still made once."""
    plan = replace(anywhere, registry=Registry(post.tools()))
    house = Household(plan)
    await house.start()
    root = house.channel.chat("9", name="Root")
    await house.ask("/help", chat=root)
    call = calls(ToolCall("1.1", "run", {"command": "make"}))
    house.db.fail("_end", times=1000)  # the end of the turn is never kept
    house.runtime.then(call)
    await house.say("build it")
    await house.until(lambda: any(sent.part.buttons for sent in house.channel.sent if sent.to.chat == "9"))
    data = buttons(house, "9")["Once"]
    await house.crash()
    following = Household(plan, house.channel)
    following.runtime.then(call)
    await following.open()
    await following.hear(root.presses(data))
    following.deliver()
    following.work()
    await following.until(lambda: post.ran)
    await following.quiet()
    assert post.ran == ["make"]
    await following.stop()


async def test_a_question_ends_with_its_turn(house: Household) -> None:
    """What is written after a turn gave up is not taken for the answer to what it once asked: it is answered."""
    house.runtime.then(calls(SEND))
    for _ in range(house.plan.engine.max_failures):
        house.runtime.then(StoreError("away"))
    await house.say("do it")
    await house.until(lambda: any(sent.part.buttons for sent in house.channel.sent))
    await press(house, "Once")
    await house.quiet(passing=60)
    house.runtime.then(Finished("hello yourself"))
    assert "hello yourself" in await house.ask("hello")


async def test_a_turn_that_no_longer_asks_takes_its_question_back(house: Household) -> None:
    """A resumed turn that ends without asking again leaves no open question behind, and loses no later message."""
    await asked(house, SEND, goes_on=False)
    await house.until_stored(lambda c: c.execute(job.select().where(job.c.state == "waiting")).all())
    row = await house.db.read(lambda c: c.execute(job.select().where(job.c.state == "waiting")).one())
    house.runtime.then(Finished("never mind"))
    await house.db.write(signals.send, row.id, "nudge", {}, house.clock())
    await house.until(lambda: "never mind" in house.channel.texts())
    await house.quiet()
    assert any("Stopped" in text for text in edits(house))
    assert await house.ask("hello") == "echo: hello"


async def test_words_that_answer_are_not_answered_again(anywhere: Plan, post: Post) -> None:
    """R-CV-1: where messages steer a running turn, the one that answered its question is no message of its own."""
    steering = ConversationSettings(queue_mode=QueueMode.STEER)
    async with living(replace(anywhere, registry=Registry(post.tools()), settings=steering)) as house:
        await asked(house, SEND)
        await house.say("not now")
        await house.quiet()
        assert house.runtime.prompts == ["do it", "do it"]
        assert any("they wrote: 'not now'" in text for text in house.channel.texts())


@pytest.mark.parametrize("way", ["/approve 1", "press"])
async def test_late_is_late_whatever_the_way(house: Household, post: Post, way: str) -> None:
    """R-PO-2: an expired question cannot be approved by command either."""
    root = await for_an_admin(house)
    house.clock.advance(house.prompting.ask_seconds + 1)
    if way == "press":
        assert "expired" in await told_privately(house, buttons(house, "9")["Once"], root)
    else:
        await house.say(way, chat=root)
        await house.until(lambda: any("has expired" in text for text in house.channel.texts("9")))
    await house.quiet()
    assert post.ran == []


async def test_read_only_holds_at_once(house: Household, post: Post) -> None:
    """R-PO-2: `/mode ro` refuses the running turn's next call, also one that was approved; looking goes on."""
    await asked(house, SEND)
    await house.say("/mode ro")
    await press(house, "Once")
    await house.quiet()
    assert post.sent == []
    assert any("read-only" in text for text in house.channel.texts())


async def test_a_milder_mode_holds_from_the_next_turn_on(house: Household, post: Post) -> None:
    """R-PO-2: `/mode full` opens nothing for a turn that began under a stricter mode."""
    admin = house.channel.chat("9")

    async def widen(_request: TurnRequest) -> None:
        await house.say("/mode full", chat=admin)

    house.runtime.then(widen, calls(SEND))
    house.runtime.then(calls(SEND))
    await house.say("do it", chat=admin)
    await house.until(lambda: any(sent.part.buttons for sent in house.channel.sent))
    assert post.sent == []
    await press(house, "Once", admin, "9")
    await house.quiet()
    house.runtime.then(calls(SEND))
    await house.say("again", chat=admin)
    await house.quiet()
    assert post.sent == ["hello", "hello"]
