"""R-SU-1: error reports: what they say, what they never say, and how few they are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.errors import ThinkingError
from lar.operations.incidents import LINKS, Incident, incident
from lar.operations.redaction import MASK, Redactor
from lar.operations.reports import LARGEST, ReportFolder

AT = 1_700_000_000.0
SECRET = "correct horse battery"  # noqa: S105  # a test's own


def fail(text: str) -> None:
    """Fail with this message."""
    raise ValueError(text)


def caught(text: str = "it broke", *, at: float = AT, event: str = "tool failed", **given: object) -> Incident:
    """An incident of `fail`."""
    try:
        fail(text)
    except ValueError as error:
        return incident(event, error, given, at)
    raise AssertionError


def test_a_report_tells_where_and_in_which_work(tmp_path: Path) -> None:
    """R-SU-1: trace, turn, conversation, tool and version are in the file, whose name is its time."""
    folder = ReportFolder(tmp_path / "reports")
    report, new = folder.note(caught(turn=7, conversation=3, tool="fetch", secret="x"), ())  # noqa: S106  # not one
    assert report
    assert new
    assert report.name == "2023-11-14T22-13-20Z.md"
    assert (report.title, report.times, report.last) == ("tool failed: ValueError", 1, AT)
    text = folder.text(report.name)
    for line in ("- turn: 7", "- conversation: 3", "- tool: fetch", "ValueError: it broke", "raise ValueError(text)"):
        assert line in text
    assert "test_reports.py:" in text
    assert "secret" not in text
    assert "- version: " in text
    path = tmp_path / "reports" / report.name
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_same_failure_is_counted(tmp_path: Path) -> None:
    """R-SU-1: one file per kind of failure, whatever its message says; another place or event is another kind."""
    folder = ReportFolder(tmp_path)
    first, _ = folder.note(caught("one"), ())
    again, new = folder.note(caught("two", at=AT + 60), (), 3)
    other, _ = folder.note(caught("two", event="part failed"), ())
    assert first
    assert again
    assert other
    assert (again.name, again.times, again.last, new) == (first.name, 4, AT + 60, False)
    assert other.name == "2023-11-14T22-13-20Z-1.md"
    assert [report.name for report in folder.latest()] == [first.name, other.name]
    assert folder.note(caught(event="third"), (), only_known=True) == (None, False)


def test_reports_are_few_and_small(tmp_path: Path) -> None:
    """R-SU-1: the oldest go when there are too many, and neither a trace nor an analysis grows without end."""
    folder = ReportFolder(tmp_path, most=3)
    for number in range(6):
        folder.note(caught(at=AT + number, event=f"event {number}"), ())
    assert [report.title[:7] for report in folder.latest()] == ["event 5", "event 4", "event 3"]
    newest = folder.latest()[0].name
    folder.append(newest, "Analysis", "a" * 10 * LARGEST)
    folder.append(newest, "Analysis", "once only")
    assert len(folder.text(newest)) < 1.5 * LARGEST + 100
    assert "once only" not in folder.text(newest)
    folder.append("gone.md", "Analysis", "text")
    assert folder.text("gone.md") == folder.text("../../etc/passwd") == ""
    assert len(folder.excerpt(newest)) < 3800


def test_no_secret_and_no_word_of_people(tmp_path: Path) -> None:
    """R-SU-1: secrets are masked; what people said, and what an exception quotes, is left out."""
    folder = ReportFolder(tmp_path, Redactor((SECRET,)))
    spoken = ["My diagnosis is Influenza"]
    report, _ = folder.note(caught(f"influenza: {SECRET} and sk-proj-{'a' * 20}, 'a letter'"), spoken)
    assert report
    text = folder.text(report.name)
    assert "nfluenza" not in text
    assert "letter" not in text
    assert SECRET not in text
    assert "a" * 20 not in text
    assert MASK in text
    assert "it broke" not in caught().trace(None)
    assert "ValueError" in caught().trace(None)
    with pytest.raises(AttributeError) as raised:
        _ = getattr(None, "nothing")  # noqa: B009  # meant
    assert "'NoneType' object has no attribute 'nothing'" in incident("x", raised.value, {}, AT).trace(())


@given(st.text(min_size=1).filter(str.strip), st.text())
def test_words_of_a_turn_never_come_back(said: str, around: str) -> None:
    """Whatever somebody said in a turn, no word of three letters or more of it is repeated."""
    shown = caught(f"{around} {said}").trace([said]).partition("\n")[0].removeprefix("ValueError")
    words = {word for word in shown.replace("…", " ").replace(":", " ").split() if word.isalnum() and len(word) > 2}
    assert not words & set(said.split())


def test_what_led_to_it_is_told_but_not_without_end() -> None:
    """A chain of causes and a group of failures are shown; a long or circular one is cut."""
    group = ExceptionGroup("both", [KeyError("a"), OSError(2, "gone")])
    group.__cause__ = ValueError("first")
    trace = incident("part failed", group, {}, AT).trace(())
    for kind in ("ExceptionGroup: both", "KeyError", "FileNotFoundError: [Errno 2] gone", "ValueError: first"):
        assert kind in trace
    error = ValueError("0")
    for number in range(2 * LINKS):
        later = ValueError(str(number))
        later.__cause__ = error
        error = later
    error.__cause__.__cause__ = error  # pyright: ignore[reportOptionalMemberAccess]  # there is one
    assert len(incident("x", error, {}, AT).links) == 2


class VendorRateLimitError(Exception):
    """As a vendor would call it."""


@pytest.mark.parametrize(
    ("error", "quota"),
    [
        (ThinkingError("quota", "used up"), True),
        (ThinkingError("rate", "slower"), True),
        (ThinkingError("network", "away"), False),
        (VendorRateLimitError(), True),
        (ValueError("quota"), False),
    ],
)
def test_a_quota_is_told_apart(error: Exception, quota: bool) -> None:  # a case
    """R-SU-2: a provider's limit is no fault to look into, also where something else failed because of it."""
    outer = RuntimeError("it failed")
    outer.__cause__ = error
    assert incident("x", outer, {}, AT).quota is quota


def test_a_full_disk_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SU-1: where a report cannot be written, what was there stays whole."""
    folder = ReportFolder(tmp_path)
    folder.note(caught(), ())
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    def full(*_arguments: object, **_named: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        folder.note(caught(), ())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
