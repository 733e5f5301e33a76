"""What is wrong with a channel right now, told once per change."""

from collections.abc import Callable

import structlog

_log = structlog.get_logger(__name__)

Report = Callable[[str | None], None]
"""Is told what is wrong, in a sentence for the operator; None when all is well again."""


class Health:
    """Remembers the last problem, so that a repeated one is reported once."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._problem: str | None = None

    def problem(self, text: str) -> None:
        """Something is wrong."""
        if text != self._problem:
            self._problem = text
            _log.warning("telegram.problem", problem=text)
            self._report(text)

    def fine(self) -> None:
        """All is well."""
        if self._problem is not None:
            self._problem = None
            _log.info("telegram.recovered")
            self._report(None)
