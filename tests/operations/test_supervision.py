"""Parts that fail, and go on."""

import pytest

from lar.conversations.problems import Problems
from lar.operations.supervision import Supervisor


class _EnoughError(BaseException):
    """Ends a loop that nothing ends."""


async def test_a_part_that_fails_is_started_again() -> None:
    """R-SU-1: a failing part is shown and started again, after pauses that double up to a minute."""
    problems, pauses, shown, runs = Problems(), list[float](), list[object](), list[int]()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        shown.append(problems.open.get("mill"))

    async def serve() -> None:
        runs.append(1)
        assert "mill" not in problems.open
        if len(runs) == 9:
            raise _EnoughError
        if len(runs) != 2:
            raise ValueError("a tooth broke")

    with pytest.raises(_EnoughError):
        await Supervisor(problems, sleep).forever("mill", serve)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert shown[0] == "failed: a tooth broke; it is started again"
    assert shown[1] is None


async def test_what_is_done_once_may_fail() -> None:
    """R-SU-1: Lar starts without what it can live without, and shows what failed."""
    problems = Problems()

    async def good() -> None:
        done.append("swept")

    async def bad() -> None:
        raise OSError("no room")

    done = list[str]()
    await Supervisor(problems).once("sweeping", good)
    assert (done, problems.open) == (["swept"], {})
    await Supervisor(problems).once("sweeping", bad)
    assert problems.open == {"sweeping": "failed: no room"}
