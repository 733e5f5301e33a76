from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.domain.bytesize import format_bytes, parse_bytes


@given(st.integers(0, 10**18))
def test_a_size_survives_writing_and_reading(size: int) -> None:
    """What is shown in the reference can be typed in again and means exactly the same."""
    assert parse_bytes(format_bytes(size)) == size


@given(st.text())
def test_any_text_is_a_size_or_an_explanation(text: str) -> None:
    """No text can make the parser fail in another way than by saying what it wants."""
    with suppress(ValueError):
        assert parse_bytes(text) >= 0


@pytest.mark.parametrize(
    ("text", "size"),
    [("512", 512), ("16KB", 16_000), ("16 kb", 16_000), ("5MiB", 5_242_880), ("1.5GiB", 1_610_612_736), (7, 7)],
)
def test_si_and_iec(text: str | int, size: int) -> None:
    """KB counts in thousands, KiB in 1024s, in any case."""
    assert parse_bytes(text) == size


@pytest.mark.parametrize("value", ["-1", "5 potatoes", "", "KB", "1e3", -1, True, 1.5, None])
def test_refused(value: object) -> None:
    """What is no size is refused rather than guessed at."""
    with pytest.raises(ValueError, match="should be a size"):
        parse_bytes(value)
