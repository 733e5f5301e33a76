"""Error reports: one file for each kind of failure, with where it happened and how often; few, small and private."""

import fcntl
import os
import platform
import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from lar import __version__
from lar.conversations.problems import Report
from lar.operations.incidents import Incident

FOLDER = Path("admin") / "error_reports"
"""Where reports are, below `LAR_HOME/files`."""

LARGEST = 30_000
"""Characters of a report; what is appended has half of it."""

_HEAD = 4000
_ENTRY = re.compile(r"^- (\w+): (.*)$", re.MULTILINE)
_TRACE, _END = "\n## Trace\n\n```text\n", "\n```\n"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class ReportFolder:
    """The reports below one folder. What it writes goes through `redact`; at most `most` files are kept.

    Its methods read and write files: call them off the event loop. Each may raise OSError.
    """

    def __init__(self, folder: Path, redact: Callable[[str], str] = str, most: int = 100) -> None:
        self._folder = folder
        self._redact = redact
        self._most = most

    def note(
        self, found: Incident, spoken: Iterable[str] | None, times: int = 1, *, only_known: bool = False
    ) -> tuple[Report | None, bool]:
        """Write a report, or count on in the one there is; `spoken` as in `Incident.trace`.

        The report, None where it would be a new one and `only_known` is set; and whether it is new.
        """
        with self._locked():
            known = next((report for report in self._all() if report.fingerprint == found.fingerprint), None)
            if known is None and only_known:
                return None, False
            if known is None:
                name = self._free_name(found.at)
                self._write(name, self._redact(_worded(found, spoken, times))[:LARGEST])
                self._prune()
                return _read(self._folder / name), True
            text = (self._folder / known.name).read_text(encoding="utf-8")
            text = re.sub(r"^- times: .*$", f"- times: {known.times + times}", text, count=1, flags=re.MULTILINE)
            text = re.sub(r"^- last: .*$", f"- last: {_stamp(found.at)}", text, count=1, flags=re.MULTILINE)
            self._write(known.name, text)
            return _read(self._folder / known.name), False

    def append(self, name: str, heading: str, text: str) -> None:
        """Add a chapter to a report, once; if the report is gone, nothing."""
        with self._locked(), suppress(FileNotFoundError):
            before = (self._folder / name).read_text(encoding="utf-8")
            if f"\n## {heading}\n" not in before:
                self._write(name, f"{before}\n## {heading}\n\n{self._redact(text)[: LARGEST // 2]}\n")

    def latest(self) -> list[Report]:
        """All reports, the one that happened last first."""
        return sorted(self._all(), key=lambda report: (report.last, report.name), reverse=True)

    def text(self, name: str) -> str:
        """A whole report; empty if it is gone."""
        with suppress(FileNotFoundError):
            return (self._folder / Path(name).name).read_text(encoding="utf-8")
        return ""

    def excerpt(self, name: str) -> str:
        """A report as a chat shows it: its head, the end of its trace, the beginning of what came after."""
        head, _, rest = self.text(name).partition(_TRACE)
        trace, _, after = rest.partition(_END)
        shown = f"…{trace[-1000:]}" if len(trace) > 1000 else trace  # noqa: PLR2004  # as it stands there
        return "\n\n".join(filter(None, (head.strip()[:800], shown.strip(), after.strip()[:1500])))

    def _all(self) -> list[Report]:
        found = list[Report]()
        for path in self._folder.glob("*.md"):
            with suppress(FileNotFoundError):
                found.append(_read(path))
        return found

    def _free_name(self, at: float) -> str:
        stem = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        taken = {path.name for path in self._folder.glob(f"{stem}*")}
        return next(name for number in range(len(taken) + 1) if (name := f"{stem}{-number or ''}.md") not in taken)

    def _prune(self) -> None:
        for old in self.latest()[self._most :]:
            (self._folder / old.name).unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        fresh = self._folder / f".{name}.{os.getpid()}"
        try:
            fresh.touch(mode=0o600)
            fresh.write_text(text, encoding="utf-8", errors="replace")
            fresh.replace(self._folder / name)
        finally:
            fresh.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Generator[None]:
        """Hold the folder: one process writes at a time."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _worded(found: Incident, spoken: Iterable[str] | None, times: int) -> str:
    version = f"{__version__}, Python {platform.python_version()}, {platform.system()}"
    entries = {
        "fingerprint": found.fingerprint,
        "times": times,
        "first": _stamp(found.at),
        "last": _stamp(found.at),
        "version": version,
        **({"quota": "yes"} if found.quota else {}),
        **found.context,
    }
    head = "\n".join(f"- {name}: {_one_line(value)}" for name, value in entries.items())
    trace = found.trace(spoken).replace("```", "'''")[: LARGEST // 2]
    return f"# {_one_line(found.title)}\n\n{head}\n{_TRACE}{trace}{_END}"


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(_TIME)


def _read(path: Path) -> Report:
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.read(_HEAD).partition(_TRACE)[0]
    entries = dict(_ENTRY.findall(head))
    title = head.partition("\n")[0].removeprefix("# ")
    times, job = entries.get("times", ""), entries.get("job", "")
    return Report(
        path.name,
        title,
        entries.get("fingerprint", ""),
        int(times) if times.isdecimal() else 1,
        _seconds(entries.get("last", "")),
        quota="quota" in entries,
        job=entries.get("kind", ""),
        job_id=int(job) if job.isdecimal() else 0,
        agent=entries.get("agent", ""),
    )


def _seconds(stamp: str) -> float:
    with suppress(ValueError):
        return datetime.strptime(stamp, _TIME).replace(tzinfo=UTC).timestamp()
    return 0.0
