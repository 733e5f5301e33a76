"""The turn machine as a playbook: this event in, those commands out."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.conversations.machine import (
    PREVIEW_EVERY,
    PREVIEW_MIN,
    TYPING_EVERY,
    TYPING_FIRST,
    Command,
    Crashed,
    Event,
    Failed,
    Finish,
    Frame,
    SendNotice,
    ShowPreview,
    ShowTyping,
    State,
    Tick,
    advance,
    begin,
)
from lar.domain.artifact import Outgoing
from lar.domain.turn import Limits, TurnState, Usage
from lar.errors import LimitReached, ThinkingError, ThinkingKind
from lar.runtimes.contract import Finished, ModelCalled, TextDelta, TextReset, ToolEnded, ToolStarted
from lar.tools.contract import ToolStatus

START = 1000.0
FRAME = Frame(turn_id=7, language="en", limits=Limits(seconds=300), started_at=START)


def play(frame: Frame, *moves: tuple[float, Event]) -> tuple[State, list[Command]]:
    """Play events at seconds after the start; all commands they gave."""
    state, said = begin(frame), list[Command]()
    for seconds, event in moves:
        state, commands = advance(state, event, frame.started_at + seconds)
        said += commands
    return state, said


def ending(frame: Frame, *events: Event) -> Finish:
    """What a turn of these events ends with; the last must end it."""
    _, commands = play(frame, *((1.0, event) for event in events))
    assert len(commands) == 1
    last = commands[0]
    assert isinstance(last, Finish)
    return last


def test_an_answer_ends_the_turn() -> None:
    """What the runtime finished with is the reply, whatever was shown before."""
    assert ending(FRAME, TextDelta("Hel"), Finished("Hello")) == Finish(TurnState.DONE, "Hello")


def test_an_empty_answer_is_explained() -> None:
    """A model that says nothing leaves nobody waiting for an answer."""
    assert ending(FRAME, Finished(" \n")).reply.startswith("I have no answer")


def test_silence_is_respected() -> None:
    """R-CV-4: an assistant that decided not to reply sends nothing."""
    assert ending(FRAME, Finished("ignored", silent=True)) == Finish(TurnState.DONE, "")


def test_what_tools_send_goes_with_the_reply() -> None:
    """R-TO-7: what successful calls send leaves when the turn ends, however that is; not that of a refused one."""
    sent, not_sent = Outgoing("one"), Outgoing("two")
    done = ToolEnded("send", "1.1", ToolStatus.OK, (sent,))
    refused = ToolEnded("send", "1.2", ToolStatus.DENIED, (not_sent,))
    assert ending(FRAME, done, refused, Finished("Sent.")).outgoing == (sent,)
    assert ending(FRAME, done, Crashed()).outgoing == (sent,)


def test_nothing_happens_after_the_end() -> None:
    """A turn has one end: what a runtime still yields, or fails with, changes nothing."""
    state, commands = play(FRAME, (1, Finished("Hello")), (2, Crashed()), (999, Tick()), (999, Finished("again")))
    assert commands == [Finish(TurnState.DONE, "Hello")]
    assert state.finished


def test_usage_is_added_up() -> None:
    """R-CV-6: the turn's record counts every model call and every tool call, and knows when a price is unknown."""
    state, _ = play(
        FRAME,
        (1, ModelCalled(Usage(1, 0, 10, 5, 0.5))),
        (2, ToolEnded("look", "1", ToolStatus.ERROR)),
        (3, ModelCalled(Usage(1, 0, 20, 7, 0.25))),
    )
    assert state.usage == Usage(2, 1, 30, 12, 0.75)
    unpriced, _ = advance(state, ModelCalled(Usage(1, usd=None)), START + 4)
    assert unpriced.usage.usd is None


def test_typing_is_shown_and_repeated() -> None:
    """R-TG-10: typing is shown until the turn ends, but not for an answer that comes at once."""
    state, commands = play(FRAME, (TYPING_FIRST - 0.01, Tick()))
    assert commands == []
    state, commands = advance(state, Tick(), START + TYPING_FIRST)
    assert commands == [ShowTyping()]
    assert state.wake_at == START + TYPING_FIRST + TYPING_EVERY


def test_previews_wait_for_something_to_show() -> None:
    """R-TG-10: a preview comes when there is a sentence to read, not with every word, and not where none are shown."""
    text = "x" * PREVIEW_MIN
    showing = replace(FRAME, previews=True)
    moves: list[tuple[float, Event]] = [
        (1, TextDelta(text[1:])),
        (PREVIEW_EVERY, Tick()),
        (2, TextDelta("x")),
        (2, Tick()),
    ]
    state, commands = play(showing, *moves)
    assert ShowPreview(text) in commands
    state, commands = advance(state, TextDelta(text), START + 2)
    assert state.wake_at == START + 2 + PREVIEW_EVERY
    assert ShowPreview(text + text) in advance(state, Tick(), state.wake_at)[1]
    _, commands = play(FRAME, *moves)
    assert [command for command in commands if isinstance(command, ShowPreview)] == []


def test_a_reset_takes_back_what_was_shown() -> None:
    """R-LM-7: a stream that broke and began anew never shows or keeps its first half."""
    state, _ = play(replace(FRAME, previews=True), (1, TextDelta("wrong" * 40)), (2, Tick()), (2, TextReset()))
    assert (state.text, state.previewed) == ("", 0)
    assert "Half of" not in ending(FRAME, TextDelta("Half of"), TextReset(), Crashed()).reply


def test_a_sign_of_life_comes_ever_more_rarely() -> None:
    """R-CV-3: long work says that it goes on, at doubling intervals, and names the tool it is at."""
    beating = replace(FRAME, heartbeat=60.0)
    _, commands = play(
        beating, (59, Tick()), (60, Tick()), (119, ToolStarted("fetch", "1")), (179, Tick()), (180, Tick())
    )
    notices = [command.text for command in commands if isinstance(command, SendNotice)]
    assert notices == ["⏳ Still working (1 min).", "⏳ Still working (3 min): fetch."]


def test_no_sign_of_life_where_it_is_off() -> None:
    """R-CV-3: a heartbeat of 0 sends none."""
    _, commands = play(FRAME, (299, Tick()))
    assert commands == [ShowTyping()]


@pytest.mark.parametrize("status", ToolStatus)
def test_a_tool_that_ended_is_no_longer_named(status: ToolStatus) -> None:
    """A sign of life names what runs now, not what ended before."""
    beating = replace(FRAME, heartbeat=60.0)
    _, commands = play(beating, (1, ToolStarted("fetch", "1")), (2, ToolEnded("fetch", "1", status)), (60, Tick()))
    assert SendNotice("⏳ Still working (1 min).") in commands


def test_time_ends_a_turn() -> None:
    """R-CV-5: the time limit ends the turn with an explanation, what was said and what was done so far."""
    _, commands = play(
        FRAME,
        (1, ToolEnded("look", "1", ToolStatus.OK)),
        (2, ToolEnded("act", "2", ToolStatus.ERROR)),
        (3, TextDelta("So far")),
        (300, Tick()),
    )
    assert commands == [
        Finish(
            TurnState.FAILED,
            "So far\n\nI stopped: this turn reached its limit of 300 seconds.\n\nDone so far: look.",
            "limit: seconds",
        )
    ]


@pytest.mark.parametrize(
    ("which", "said"),
    [("model_calls", "12 model calls"), ("tool_calls", "20 tool calls"), ("seconds", "300 seconds"), ("usd", "$0.5")],
)
def test_each_limit_is_named(which: str, said: str) -> None:
    """R-CV-5: whoever reaches a limit is told which one, and how high it is."""
    frame = replace(FRAME, limits=Limits(usd=0.5))
    end = ending(frame, Failed(LimitReached(which, "too much")))
    assert said in end.reply
    assert (end.state, end.error) == (TurnState.FAILED, "too much")


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", get_args(ThinkingKind))
def test_each_failure_has_a_sentence(kind: ThinkingKind, language: str) -> None:
    """R-LM-3: whatever a model does, the person reads a friendly sentence in their language and no traceback."""
    end = ending(replace(FRAME, language=language), Failed(ThinkingError(kind, "vendor says no")))
    assert end.state is TurnState.FAILED
    assert end.error == f"{kind}: vendor says no"
    assert len(end.reply) > 20
    assert "{" not in end.reply


def test_a_failure_says_when_to_come_back() -> None:
    """R-LM-3: where the provider said when it is back, so do we."""
    end = ending(FRAME, Failed(ThinkingError("rate", "slow down", retry_after=29.6)))
    assert "about 30 s more" in end.reply


def test_what_was_said_survives_a_failure() -> None:
    """R-LM-7: partial output is kept when the runtime fails or crashes behind it."""
    assert ending(FRAME, TextDelta("Half "), TextDelta("an answer"), Crashed()).reply.startswith(
        "Half an answer\n\nSome"
    )
    failed = ending(FRAME, TextDelta("Half"), Failed(ThinkingError("network", "gone")))
    assert failed.reply.startswith("Half\n\nI cannot reach")


def test_an_unknown_outcome_is_told() -> None:
    """R-CV-7: an effect whose outcome nobody knows is told to the person, even if the assistant stays silent."""
    unknown = ToolEnded("send_mail", "1", ToolStatus.UNKNOWN)
    assert "send_mail was interrupted" in ending(FRAME, unknown, Finished("Sent.")).reply
    assert "send_mail was interrupted" in ending(FRAME, unknown, Finished("", silent=True)).reply


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(TextDelta, st.text(min_size=1, max_size=200)),
    st.just(TextReset()),
    st.builds(ModelCalled, st.builds(Usage, st.integers(0, 3), usd=st.none() | st.floats(0, 1))),
    st.just(ToolStarted("look", "1")),
    st.builds(ToolEnded, st.just("look"), st.just("1"), st.sampled_from(ToolStatus)),
    st.builds(Finished, st.text(max_size=20), st.booleans()),
    st.builds(Failed, st.builds(ThinkingError, st.sampled_from(get_args(ThinkingKind)), st.just("no"))),
    st.builds(Failed, st.builds(LimitReached, st.sampled_from(["model_calls", "seconds", "usd"]), st.just("no"))),
    st.just(Crashed()),
    st.just(Tick()),
)
FRAMES = st.builds(
    Frame,
    turn_id=st.just(7),
    language=st.sampled_from(["en", "es", "xx", ""]),
    limits=st.builds(Limits, seconds=st.floats(0, 1e4)),
    started_at=st.floats(0, 1e9),
    heartbeat=st.just(0.0) | st.floats(0.1, 1e4),
    previews=st.booleans(),
)


@given(FRAMES, st.lists(st.tuples(st.floats(0, 100), EVENTS), max_size=40))
def test_a_turn_ends_once(frame: Frame, moves: list[tuple[float, Event]]) -> None:
    """Whatever happens, in whatever order: at most one end, and nothing after it."""
    state, now, said = begin(frame), frame.started_at, list[Command]()
    for seconds, event in moves:
        now += seconds
        state, commands = advance(state, event, now)
        said += commands
    ends = [place for place, command in enumerate(said) if isinstance(command, Finish)]
    assert ends in ([], [len(said) - 1])


@given(FRAMES, st.lists(st.tuples(st.floats(0, 100), EVENTS), max_size=20))
def test_a_tick_never_calls_for_itself(frame: Frame, moves: list[tuple[float, Event]]) -> None:
    """After a tick at the time it was due, the next is later, or the turn is over: the driver never spins."""
    state, now = begin(frame), frame.started_at
    for seconds, event in moves:
        now += seconds
        state, _ = advance(state, event, now)
        now = max(now, state.wake_at)
        state, _ = advance(state, Tick(), now)
        assert state.finished or state.wake_at > now


@given(st.lists(st.text(min_size=1), max_size=20), st.sampled_from([Crashed(), Failed(ThinkingError("network", "no"))]))
def test_no_text_is_lost_to_a_failure(deltas: list[str], failure: Event) -> None:
    """Whatever was streamed when the runtime failed is in the reply, whole and in order."""
    state = begin(FRAME)
    for delta in deltas:
        state, _ = advance(state, TextDelta(delta), START)
    _, commands = advance(state, failure, START)
    assert isinstance(commands[0], Finish)
    assert commands[0].reply.startswith("".join(deltas).strip())
