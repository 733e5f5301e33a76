"""What a model reads of a run."""

from dataclasses import replace

import pytest

from lar.sandboxes.contract import Limits, Result
from lar.tools.telling import readable, shortened, told

WELL = Result(0, None, b"hello\n", b"", 0.34)
KILLED = replace(WELL, exit_code=None, signal=9)
LIMITS = Limits(seconds=30, memory=512 << 20, output=1 << 20, disk=256 << 20, file_size=64 << 20)


def test_how_a_run_ended() -> None:
    """R-TO-4: exit code, time and both streams are told."""
    assert told(WELL, LIMITS, 100) == "exit code 0, after 0.3 s\nstdout:\nhello"
    failed = replace(WELL, exit_code=2, stdout=b"", stderr=b"no\n")
    assert told(failed, LIMITS, 100) == "exit code 2, after 0.3 s\nstderr:\nno"
    assert told(replace(WELL, stdout=b""), LIMITS, 100).endswith("It wrote nothing.")
    assert told(replace(KILLED, signal=64), LIMITS, 100).startswith("ended by signal SIGRTMAX")
    assert told(replace(KILLED, signal=99), LIMITS, 100).startswith("ended by signal 99")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (replace(KILLED, timed_out=True), "longer than 30 s"),
        (replace(KILLED, truncated=True), "more than 1MiB of output"),
        (replace(KILLED, out_of_memory=True), "more than 512MiB of memory"),
        (replace(KILLED, out_of_disk=True), "more than 256MiB to its folder"),
        (replace(KILLED, signal=25), "larger than 64MiB"),
        (replace(WELL, exit_code=127), "no such program"),
        (
            replace(WELL, exit_code=1, stderr=b"Trace\nModuleNotFoundError: No module named 'numpy'\n"),
            "numpy is not installed where commands run",
        ),
    ],
)
def test_limits_are_explained(result: Result, said: str) -> None:
    """R-TO-4: which limit ended a run, how much it is, and what to do instead."""
    assert said in told(result, LIMITS, 1000)


def test_output_is_text() -> None:
    """R-TO-4: colours, cursor movements and bytes that are no text do no harm to whoever shows it."""
    assert readable(b"\x1b[1;31mred\x1b[0m\r\n\x1b]0;title\x07a\0b\x1bc\xff\tok") == "red\na\ufffdb\ufffd\tok"


def test_long_output_loses_its_middle() -> None:
    """R-TO-4: the beginning and the end of a flood are told, and how much is missing."""
    text = shortened("a" * 100 + "b" * 100, 30)
    assert text == f"{'a' * 20}\n[… 170 characters left out …]\n{'b' * 10}"
    assert shortened("short\n", 30) == "short"
