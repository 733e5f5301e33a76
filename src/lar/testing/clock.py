"""A clock that stands still until a test moves it."""


class FakeClock:
    """Stands in wherever a `Clock` is taken: a callable that returns seconds since the epoch.

    Starts at `now` (seconds since the epoch; by default a fixed moment in November 2023) and changes only by
    `advance` and `set`. It may be set back, as a real clock may jump.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time now."""
        return self.now

    def advance(self, seconds: float) -> float:
        """Move by `seconds` (not negative) and return the new time."""
        if seconds < 0:
            raise ValueError("a clock advances forwards; use set() for a clock that jumps back")
        self.now += seconds
        return self.now

    def set(self, now: float) -> None:
        """Jump to `now`, seconds since the epoch, in either direction."""
        self.now = now
