"""Telegram's limits as buckets."""

from hypothesis import given
from hypothesis import strategies as st

from lar.channels.telegram.pacing import Pacer
from lar.testing.clock import FakeClock


def sends(pacer: Pacer, clock: FakeClock, chat: str, count: int) -> list[float]:
    """When `count` messages to one chat go out, in seconds from now, each as soon as it may."""
    began, times = clock(), list[float]()
    for _ in range(count):
        clock.advance(pacer.wait(chat))
        pacer.take(chat)
        times.append(round(clock() - began, 3))
    return times


def test_no_wait_until_told() -> None:
    """Nothing is delayed as long as Telegram does not mind."""
    clock = FakeClock()
    assert sends(Pacer(clock), clock, "1", 500)[-1] == 0


def test_a_refusal_is_respected() -> None:
    """R-TG-12: after a 429 the chat waits as long as asked, and from then on the published limits hold everywhere."""
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.refused("1", 7)
    assert pacer.wait("1") == 7
    assert pacer.wait("2") == 0
    assert sends(pacer, clock, "1", 3) == [7, 8, 9]
    assert sends(pacer, clock, "2", 5) == [0, 0, 0, 1, 2]


def test_strictness_ends() -> None:
    """Ten minutes after the last complaint, nothing is delayed any more."""
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.refused("1", 1)
    clock.advance(601)
    assert sends(pacer, clock, "1", 50)[-1] == 0


def test_published_limits() -> None:
    """A second per private message after a burst, twenty a minute in a group, thirty a second in all."""
    clock = FakeClock()
    pacer = Pacer(clock, strict=True)
    assert sends(pacer, clock, "1", 6) == [0, 0, 0, 1, 2, 3]
    group = sends(pacer, clock, "-1", 23)
    assert group[19] == 0
    assert group[22] == 9
    clock.advance(100)
    began = clock()
    for chat in range(61):
        sends(pacer, clock, str(1000 + chat), 1)
    assert 1 <= clock() - began < 1.1


@given(st.lists(st.floats(-4000, 4000), max_size=30))
def test_a_jumping_clock_lengthens_nothing(jumps: list[float]) -> None:
    """However the clock jumps, nobody waits longer than was asked, or than a bucket needs."""
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.refused("1", 5)
    for jump in jumps:
        clock.set(clock() + jump)
        assert 0 <= pacer.wait("1") <= 5
    clock.advance(5.001)
    assert pacer.wait("1") == 0
