"""What is wrong right now: one sentence per source, gone when the source is well again; and what went wrong before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


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


@dataclass(frozen=True, slots=True)
class Report:
    """An error report: the name of its file, and what failed how often, last at `last` (seconds since the epoch).

    `quota`: a provider's limit is behind it. `job` is the kind of job that failed, `job_id` its number (0: it was
    no job), `agent` whose turn it was; empty where that is not known.
    """

    name: str
    title: str
    fingerprint: str
    times: int
    last: float
    quota: bool = False
    job: str = ""
    job_id: int = 0
    agent: str = ""


class Reports(Protocol):
    """The error reports of this Lar. Each method may raise OSError."""

    def latest(self) -> Sequence[Report]:
        """All of them, the one that happened last first."""
        ...

    def excerpt(self, name: str) -> str:
        """A report, short enough for a chat; empty if it is gone."""
        ...


class NoReports:
    """Where reports are not kept."""

    def latest(self) -> Sequence[Report]:
        """None."""
        return ()

    def excerpt(self, name: str) -> str:  # noqa: ARG002  # as the protocol has it
        """Nothing."""
        return ""
