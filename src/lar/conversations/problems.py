"""What is wrong right now: one sentence per source, gone when the source is well again."""

from collections.abc import Mapping


class Problems:
    """The open problems of this process. Shown in `/status`, `lar status` and `/health`."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}

    def report(self, source: str, sentence: str | None) -> None:
        """Open or replace the problem of a source; None closes it."""
        if sentence is None:
            self._open.pop(source, None)
        else:
            self._open[source] = sentence

    @property
    def open(self) -> Mapping[str, str]:
        """Source → sentence."""
        return dict(self._open)
