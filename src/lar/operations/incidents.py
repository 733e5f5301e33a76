"""What an exception tells that may be written down: where it happened, in which work, and not a word of people."""

import hashlib
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

FRAMES, LINKS = 25, 6
"""How many frames of one exception are kept, the innermost; and how many exceptions that led to each other."""

LONGEST_MESSAGE = 300
"""Characters of an exception's message."""

CONTEXT = (
    *("turn", "conversation", "step", "tool", "job", "kind", "part", "agent"),
    *("delivery", "channel", "update_id", "topic"),
)
"""What a log line may name that a report repeats."""

QUOTA = frozenset({"quota", "rate"})
_QUOTA_STATUS = frozenset({402, 429})
_QUOTA_NAMES = re.compile(r"Quota|RateLimit")

_QUOTED = re.compile(r"(?<!\w)(['\"`]).*?(?:\1(?!\w)|$)")
_WORD = re.compile(r"\w{3,}")
_INTERPRETER = (AttributeError, TypeError, NameError, ImportError)
"""Exceptions that Python itself words: what they quote are names in the code."""


@dataclass(frozen=True, slots=True)
class Link:
    """One exception of a chain. `said` is its message, first line only; `frames` are outermost first."""

    kind: str
    said: str
    frames: traceback.StackSummary


@dataclass(frozen=True, slots=True)
class Incident:
    """An exception that nobody expected, as it was logged: `event` is the line's constant text.

    `links` holds the exception itself first, then what caused it. `quota`: a provider's limit is behind it.
    """

    event: str
    links: tuple[Link, ...]
    context: Mapping[str, str]
    at: float
    quota: bool

    @property
    def title(self) -> str:
        """In a few words."""
        return f"{self.event}: {self.links[0].kind}"

    @property
    def fingerprint(self) -> str:
        """The same for the same exception at the same place, whatever it says; eight hexadecimal digits."""
        places = [[link.kind, *(f"{_place(frame)}:{frame.name}" for frame in link.frames)] for link in self.links]
        return hashlib.blake2b(repr((self.event, places)).encode(), digest_size=4).hexdigest()

    def trace(self, spoken: Iterable[str] | None) -> str:
        """The exceptions and where they passed. Words that occur in `spoken`, what people said, are left out.

        None: that is not known, and no exception's message is shown.
        """
        words = None if spoken is None else {word.lower() for text in spoken for word in _WORD.findall(text)}
        return "\n\nwhich came from\n\n".join("\n".join(_lines(link, words)) for link in self.links)


def incident(event: str, error: BaseException, given: Mapping[str, object], at: float) -> Incident:
    """What is kept of an exception; nothing that is kept refers to it. `given` is what its log line named."""
    chain = list(_chain(error))
    context = {name: str(given[name])[:100] for name in CONTEXT if given.get(name) not in {None, ""}}
    return Incident(event[:200], tuple(map(_link, chain)), context, at, any(map(_is_quota, chain)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, those of its group, and what caused it; each once, and not without end."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < LINKS:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        group = current.exceptions if isinstance(current, BaseExceptionGroup) else ()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # of whatever
        waiting += [*group, *([cause] if cause else [])]


def _link(error: BaseException) -> Link:
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), limit=-FRAMES, lookup_lines=False)
    said = "".join(traceback.format_exception_only(error)).partition(": ")[2].partition("\n")[0][:LONGEST_MESSAGE]
    if not isinstance(error, _INTERPRETER):
        said = _QUOTED.sub("…", said)
    return Link(type(error).__qualname__, said, frames)


def _is_quota(error: BaseException) -> bool:
    """Whether this is a provider's limit, in our words or in a vendor's."""
    return (
        getattr(error, "kind", None) in QUOTA
        or getattr(error, "status_code", None) in _QUOTA_STATUS
        or any(_QUOTA_NAMES.search(each.__name__) for each in type(error).__mro__)
    )


def _lines(link: Link, words: set[str] | None) -> Iterator[str]:
    known = words or set()
    said = "" if words is None else _WORD.sub(lambda word: "…" if word[0].lower() in known else word[0], link.said)
    yield f"{link.kind}: {said}" if said else link.kind
    for frame in link.frames:
        yield f"  {_place(frame)}:{frame.lineno} in {frame.name}"
        if frame.line:
            yield f"    {frame.line[:200]}"


def _place(frame: traceback.FrameSummary) -> str:
    """The file of a frame, without where it is installed."""
    parts = PurePath(frame.filename).parts
    for root in ("site-packages", "src"):
        if root in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(root) :])
    return "/".join(parts[-2:])
