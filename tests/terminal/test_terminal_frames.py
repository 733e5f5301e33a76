import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.channels.terminal.frames import MAX_TEXT, BadFrame, Hello, Said, Seen, parse
from lar.channels.terminal.manifest import EMPTY_ANSWER, MAX_PART, render

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "id", "text", "client", "token"]), inner),
)


def test_frames_are_read() -> None:
    """The three frames a client may send."""
    assert parse('{"type": "hello", "token": "t", "after": "p"}') == Hello("local", "t", "p")
    assert parse('{"type": "message", "id": "1", "text": "hi"}') == Said("1", "hi")
    assert parse('{"type": "ack", "id": "1"}') == Seen("1")
    assert parse('{"type": "later invention"}') is None


@pytest.mark.parametrize(
    "raw",
    [
        "x",
        "[" * 100_000,
        '{"type": "hello", "client": "../x"}',
        '{"type": "hello", "client": 1}',
        '{"type": "message", "id": "1", "text": "  "}',
        '{"type": "ack", "id": "a b"}',
        json.dumps({"type": "message", "id": "1", "text": "x" * (MAX_TEXT + 1)}),
    ],
)
def test_nonsense_is_refused(raw: str) -> None:
    """What the protocol does not say is refused with a sentence for whoever wrote the client."""
    with pytest.raises(BadFrame):
        parse(raw)


@given(JSON)
def test_any_json_is_a_frame_or_refused(value: object) -> None:
    """No client can bring a connection down by what it sends, and every text that passes can be stored."""
    with suppress(BadFrame):
        frame = parse(json.dumps(value))
        assert not isinstance(frame, Said) or frame.text.encode()


@given(st.text())
def test_nothing_is_lost_in_rendering(text: str) -> None:
    """An answer arrives as it was written."""
    assert "".join(part.text for part in render(text).parts) == (text if text.strip() else EMPTY_ANSWER)


def test_long_answers_are_cut_at_line_ends() -> None:
    """A part never exceeds what a frame carries, and lines stay whole where they can."""
    text = "line\n" * 50_000 + "x" * 250_000
    parts = [part.text for part in render(text).parts]
    assert "".join(parts) == text
    assert max(map(len, parts)) <= MAX_PART
    assert parts[0].endswith("\n")
