"""A runbook as a YAML file: read, and refused with the line where the mistake is."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from lar.domain.conversation import Mode
from lar.domain.schedule import Every, Missed, Quiet, Rule, Timing
from lar.errors import ScheduleError
from lar.schedules import grammar
from lar.schedules.rules import cron, zone_of

T = TypeVar("T")

LONGEST = 8000
"""Characters of a prompt."""

MOST_JITTER = 86_400.0

KEYS = ("prompt", "schedule", "every", "zone", "quiet", "missed", "role", "mode", "dedupe", "jitter", "enabled")


class RunbookError(ScheduleError):
    """A file that is no runbook. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Runbook:
    """What a file says. `role` is an agent, empty: that of the conversation; `dedupe` and `jitter` are in seconds."""

    prompt: str
    timing: Timing
    role: str = ""
    mode: Mode | None = None
    missed: Missed = Missed.SKIP
    dedupe: float = 0.0
    jitter: float = 0.0
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class _Entry:
    value: str
    line: int


def read(text: str, roles: frozenset[str], least: float) -> Runbook:
    """What a file says. `roles` are the agents there are, `least` the least seconds between two runs.

    Raises:
        RunbookError: it cannot be used; says why, and in which line.

    """
    found = _entries(text)
    for key, entry in found.items():
        if key not in KEYS:
            raise RunbookError(entry.line, f"there is no key {key!r}; there are {', '.join(KEYS)}")
    prompt = found.get("prompt")
    if prompt is None or not prompt.value.strip():
        raise RunbookError(prompt.line if prompt else 1, "a prompt is missing")
    if len(prompt.value) > LONGEST:
        raise RunbookError(prompt.line, f"the prompt is longer than {LONGEST} characters")
    zone = found.get("zone", _Entry("", 1))
    if zone.value:
        _or(zone, lambda: zone_of(zone.value))
    return Runbook(
        prompt.value.strip(),
        Timing(_rule(found, least), zone.value, quiet=_quiet(found.get("quiet"))),
        _one_of(found.get("role"), sorted(roles), "role"),
        Mode(mode) if (mode := _one_of(found.get("mode"), list(Mode), "mode")) else None,
        Missed(_one_of(found.get("missed"), list(Missed), "missed") or Missed.SKIP),
        _seconds(found["dedupe"]) if "dedupe" in found else 0.0,
        _or(found["jitter"], lambda: jitter_of(found["jitter"].value)) if "jitter" in found else 0.0,
        _one_of(found.get("enabled"), ["true", "false"], "enabled") != "false",
    )


def _entries(text: str) -> Mapping[str, _Entry]:
    """The keys of the file with their lines; values as they are written."""
    yaml: Any = import_module("yaml")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RunbookError(mark.line + 1 if mark else 1, error.problem or "this is no YAML") from None
    except yaml.YAMLError as error:
        raise RunbookError(1, str(error).splitlines()[0]) from None
    if not isinstance(root, yaml.MappingNode):
        raise RunbookError(1, "a runbook is a list of keys, such as `prompt: ...`")
    found: dict[str, _Entry] = {}
    for key, value in root.value:
        line = key.start_mark.line + 1
        if not isinstance(value, yaml.ScalarNode):
            raise RunbookError(line, f"{key.value} takes one value")
        if key.value in found:
            raise RunbookError(line, f"{key.value} is there twice")
        found[str(key.value)] = _Entry(str(value.value), line)
    return found


def _rule(found: Mapping[str, _Entry], least: float) -> Rule:
    if ("schedule" in found) == ("every" in found):
        line = found["every"].line if "every" in found else 1
        raise RunbookError(line, "give either `schedule` (a cron line) or `every` (such as 2h)")
    if "schedule" in found:
        entry = found["schedule"]
        return _or(entry, lambda: cron(entry.value))
    seconds = _seconds(found["every"])
    if seconds < least:
        raise RunbookError(found["every"].line, f"at least {least:g} seconds must be between two runs")
    return Every(seconds, 0.0)


def _seconds(entry: _Entry) -> float:
    return _or(entry, lambda: seconds_of(entry.value))


def seconds_of(text: str) -> float:
    """A length of time as it is written, in seconds.

    Raises:
        ScheduleError: it is none.

    """
    known = grammar.length(text.strip().lower()) if re.search(r"\d", text) else None
    seconds = known.seconds + known.days * 86400 if known and not known.months else 0.0
    if not seconds:
        raise ScheduleError(f"{text!r} is no length of time; write it like 90 minutes, 2h or 1 day")
    return seconds


def jitter_of(text: str) -> float:
    """How much later a firing may begin, in seconds; of an empty text, not at all.

    Raises:
        ScheduleError: it is no length of time, or longer than a day.

    """
    seconds = seconds_of(text) if text.strip() else 0.0
    if seconds > MOST_JITTER:
        raise ScheduleError("a jitter is at most a day")
    return seconds


def _quiet(entry: _Entry | None) -> Quiet | None:
    if entry is None:
        return None
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", entry.value)
    if match is None:
        raise RunbookError(entry.line, f"{entry.value!r} are no hours; write them like 22:00-07:00")
    first, second, third, fourth = map(int, match.groups())
    return Quiet(first * 60 + second, third * 60 + fourth)


def _one_of(entry: _Entry | None, known: list[Any], key: str) -> str:
    if entry is None or not entry.value:
        return ""
    if entry.value not in known:
        raise RunbookError(entry.line, f"there is no {key} {entry.value!r}; there is {', '.join(map(str, known))}")
    return entry.value


def _or(entry: _Entry, make: Callable[[], T]) -> T:
    """What `make` gives; what it refuses is a mistake in this line."""
    try:
        return make()
    except ScheduleError as error:
        raise RunbookError(entry.line, str(error)) from None
