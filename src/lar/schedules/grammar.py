"""What people write of times, in English, found piece by piece. Pure: words in, pieces out; nothing is guessed here.

A run of words is only understood whole: one that leaves a word over is none. That is why no library of dates is used:
those skip what they do not know, and a reminder at the wrong time is worse than a question.
"""

import re
from dataclasses import dataclass, field, replace

UNITS = {"s": 1, "m": 60, "h": 3600}
"""Seconds of the units whose length does not depend on the calendar."""

_NUMBERS = {
    name: number
    for number, names in {
        0: ("zero",),
        1: ("a", "an", "one"),
        2: ("two",),
        3: ("three",),
        4: ("four",),
        5: ("five",),
        6: ("six",),
        7: ("seven",),
        8: ("eight",),
        9: ("nine",),
        10: ("ten",),
        11: ("eleven",),
        12: ("twelve",),
        15: ("fifteen",),
        20: ("twenty",),
        30: ("thirty",),
        40: ("forty",),
        45: ("forty-five",),
        50: ("fifty",),
        60: ("sixty",),
        90: ("ninety",),
    }.items()
    for name in names
}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": -1}
_PARTS_OF_DAY = {
    "morning": (9, 0),
    "noon": (12, 0),
    "midday": (12, 0),
    "lunchtime": (12, 30),
    "afternoon": (15, 0),
    "evening": (19, 0),
    "night": (21, 0),
    "midnight": (0, 0),
}

_NUMBER = rf"(?:\d+(?:\.\d+)?|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_UNIT = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|fortnights?|months?|years?|[smhdw])"
_WORDS = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_AMOUNT = rf"\b(?:\d+(?:\.\d+)?\s*|(?:{_WORDS})\s+)"
_LENGTH = rf"(?:\d+h\d{{2}}\b|{_AMOUNT}{_UNIT}\b|half an hour|(?:a )?quarter of an hour|(?:a )?couple of {_UNIT})"
_LENGTHS = rf"{_LENGTH}(?:\s*(?:,|and|,\s*and)?\s*(?:{_LENGTH}|a half\b))*"
_WEEKDAY = rf"(?:{'|'.join(_WEEKDAYS)})"
_ANY_WEEKDAY = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
_SOME = rf"{_ANY_WEEKDAY}s?(?:\s*(?:,|and|&|,\s*and)\s*{_ANY_WEEKDAY}s?)*"
_MONTH = rf"(?:{'|'.join(f'{month[:3]}(?:{month[3:]})?' if month[3:] else month for month in _MONTHS)}|sept)"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_NTH = rf"(?:{'|'.join(_ORDINALS)})"
_HALF = r"\s*[ap]\.?m\b\.?"
_DATED = r"(?:,? the (?P<{0}>\d{{1,2}}(?:st|nd|rd|th)))?"
_CLOCK = (
    rf"(?:half past|quarter past|quarter to)\s+\d{{1,2}}(?:{_HALF})?|\d{{1,2}}[:.]\d{{2}}(?:{_HALF})?|\d{{1,2}}{_HALF}"
    r"|\d{1,2}h\d{2}|\d{1,2}\s*o'?clock"
)
_OF_MONTH = r"(?:of\s+)?(?P<{0}>every|each|the|this|next)\s+month"

_PIECES: tuple[tuple[str, str], ...] = (
    ("cron", r"cron:?\s+(?P<cron_line>(?:\S+\s+){4}[^\s,]+(?:,[^\s,]+)*)|(?P<alias>@[a-z]+)"),
    ("iso", r"(?:on |at )?(?P<iso>\d{4}-\d{2}-\d{2})(?:[t ]+(?P<iso_time>\d{2}:\d{2})(?::\d{2})?)?"),
    ("zone", r"(?:in |by )?(?P<zone>(?:utc|gmt)\b|[a-z]+/[a-z_]+(?:/[a-z_]+)?)(?: time)?"),
    ("within", rf"in (?P<within>{_LENGTHS})|(?P<within_now>{_LENGTHS}) from now"),
    (
        "nth",
        rf"(?:on |every )?(?:the )?(?P<nth>{_NTH}) (?P<nth_day>{_WEEKDAY}|weekday|day) {_OF_MONTH.format('nth_of')}",
    ),
    ("month_end", r"(?:at )?the end of (?P<month_end>the|this|every|each) month"),
    ("month_day", rf"(?:on )?the (?P<month_day>{_DAY})(?: day)? {_OF_MONTH.format('day_of')}"),
    ("month_on", rf"(?:every|each) month on (?:the )?(?P<month_on>{_DAY})|monthly on (?:the )?(?P<monthly_on>{_DAY})"),
    ("yearly", rf"(?:every|each) (?:year on )?(?P<y_month>{_MONTH}) (?:the )?(?P<y_day>{_DAY})"),
    (
        "every_days",
        rf"(?:every|each) (?P<every_days>{_SOME})|on (?P<plural>{_WEEKDAY}s(?:\s*(?:,|and)\s*{_WEEKDAY}s)*)",
    ),
    ("alternate", rf"every (?:other|second) (?P<alternate>{_WEEKDAY}|day|week)"),
    ("workdays", r"(?P<workdays>every (?:weekday|workday|working day)|on (?:weekdays|workdays)|weekdays)"),
    ("weekends", r"(?P<weekends>every weekend|on weekends)"),
    ("every_part", r"every (?P<every_part>morning|noon|afternoon|evening|night)"),
    (
        "every",
        rf"(?:every|each) (?P<every>{_LENGTHS}|{_UNIT}\b)|(?P<often>hourly|daily|weekly|monthly|yearly|annually)",
    ),
    ("times", rf"(?:only )?(?P<times>{_NUMBER}) times|(?P<twice>twice)"),
    ("lasting", rf"for (?:the next )?(?P<lasting>{_NUMBER} (?:days?|weeks?|months?|years?))"),
    ("until", r"(?:until|till)\b"),
    ("hours", r"(?:from|between) (?P<from_hour>\d{1,2})(?::00)? (?:to|and|until) (?P<to_hour>\d{1,2})(?::00)?"),
    ("relative_day", r"(?P<relative_day>the day after tomorrow|today|tomorrow|yesterday)"),
    ("tonight", r"(?P<tonight>tonight|this (?:morning|afternoon|evening))"),
    ("next_week", r"(?P<next_week>next (?:week|month|year)|this weekend|(?:on |at )?the weekend|next weekend)"),
    (
        "weekday",
        (
            rf"(?:(?P<which>next|this|coming)|on(?: the coming)?) (?P<weekday>{_ANY_WEEKDAY})\b{_DATED.format('of')}"
            rf"|(?P<bare>{_WEEKDAY})\b{_DATED.format('bare_of')}"
        ),
    ),
    (
        "date",
        (
            rf"(?:on )?(?:the )?(?:(?P<d1>{_DAY})(?: of)? (?P<m1>{_MONTH})|(?P<m2>{_MONTH}) (?:the )?(?P<d2>{_DAY}))\b"
            r"(?:,? (?P<year>\d{4}))?"
        ),
    ),
    ("dotted", r"(?:on )?(?P<dot_d>\d{1,2})\.(?P<dot_m>\d{1,2})\.(?P<dot_y>\d{4})?"),
    ("slashed", r"(?:on )?(?P<s1>\d{1,2})/(?P<s2>\d{1,2})(?:/(?P<sy>\d{4}))?"),
    ("only_day", r"on the (?P<only_day>\d{1,2}(?:st|nd|rd|th))\b"),
    (
        "part",
        (
            r"(?:in the |at )(?P<part>morning|afternoon|evening|night|noon|midday|midnight|lunchtime)"
            r"|(?P<bare_part>morning|afternoon|evening|noon|midday|midnight)"
        ),
    ),
    ("clock", rf"(?:at |starting at |from )?(?P<clock>{_CLOCK})"),
    ("hour", r"at (?P<hour>\d{1,2})\b(?![:.]\d|/)"),
)
_TIME = "|".join(f"(?P<is_{name}>{re.sub(r'[?]P<[a-z0-9_]+>', '?:', pattern)})" for name, pattern in _PIECES)
_ONE = "|".join(re.sub(r"[?]P<[a-z0-9_]+>", "?:", pattern) for _, pattern in _PIECES)
_JOIN = r"(?:\s*,\s*(?:and\s+)?|\s+(?:and\s+)?)"
_RUN = rf"(?:{_ONE})(?:{_JOIN}(?:{_ONE}))*"

_READ = {name: re.compile(pattern) for name, pattern in _PIECES}
_NEXT = re.compile(_TIME)
_WHOLE = re.compile(rf"{_RUN}\s*,?")
_FRONT = re.compile(rf"(?P<run>{_RUN})(?=[\s,:]|\Z)")
_TAIL = re.compile(rf"(?P<what>.*?)(?:\A|[\s,]+)(?P<run>{_RUN})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing said about time: its name in the grammar, and the words that fill it."""

    name: str
    words: dict[str, str] = field(default_factory=dict[str, str])


def pieces(run: str) -> list[Piece] | None:
    """What a run of words says about time; None: it says something else as well."""
    rest = run.strip().strip(",").strip()
    if not _WHOLE.fullmatch(rest):
        return None
    found: list[Piece] = []
    while rest:
        match = _NEXT.match(rest)
        if match is None:
            return None
        name = next(group.removeprefix("is_") for group, text in match.groupdict().items() if text is not None)
        read = _READ[name].match(rest)
        if read is None or read.end() == 0:
            return None
        found.append(Piece(name, {key: text for key, text in read.groupdict().items() if text is not None}))
        rest = re.sub(r"\A(?:\s*,\s*)?(?:\s*and\s+)?\s*", "", rest[read.end() :])
    return found


def front(text: str) -> tuple[str, str]:
    """The run of words about time that a text begins with, and the rest."""
    match = _FRONT.match(text)
    return (match["run"], text[match.end() :].lstrip(" ,")) if match else ("", text)


def tail(text: str) -> tuple[str, str]:
    """A text without the run of words about time that it ends with, and that run."""
    match = _TAIL.fullmatch(text)
    return (match["what"].rstrip(" ,"), match["run"]) if match else (text, "")


def number(word: str) -> float:
    """A number, in digits or as a word."""
    return float(_NUMBERS.get(word, 0) if word in _NUMBERS else word)


def weekday(word: str) -> int:
    """The number of a weekday, Monday 0."""
    return next(n for n, name in enumerate(_WEEKDAYS) if name[:3] == word[:3])


def weekdays(words: str) -> list[int]:
    """The numbers of some weekdays."""
    return sorted({weekday(word) for word in re.findall(_ANY_WEEKDAY, words)})


def month(word: str) -> int:
    """The number of a month."""
    return next(n for n, name in enumerate(_MONTHS, 1) if name[:3] == word[:3])


def ordinal(word: str) -> int:
    """Which one of a month; -1: the last."""
    return _ORDINALS[word]


def day(word: str) -> int:
    """The number in `3rd`."""
    return int(re.sub(r"\D", "", word))


def part_of_day(word: str) -> tuple[int, int]:
    """The time that is meant by a part of the day: hour and minute."""
    return _PARTS_OF_DAY[word]


@dataclass(frozen=True, slots=True)
class Length:
    """A length of time: seconds that pass anywhere, and days and months of a calendar."""

    seconds: float = 0.0
    days: int = 0
    months: int = 0

    @property
    def is_of_the_calendar(self) -> bool:
        """Whether it is made of days and more alone."""
        return not self.seconds and bool(self.days or self.months)


def length(words: str) -> Length | None:
    """How long these words mean; None: they are no whole number of days, weeks, months."""
    found, text = Length(), words
    text = re.sub(r"\bhalf an hour\b", "30 minutes", text)
    text = re.sub(r"\b(?:a )?quarter of an hour\b", "15 minutes", text)
    text = re.sub(r"\b(?:a )?couple of\b", "2", text)
    text = re.sub(r"\b(\d+)h(\d{2})\b", r"\1 hours \2 minutes", text)
    last = ""
    for amount, unit, half in re.findall(rf"({_AMOUNT})({_UNIT})\b|\b(a half)\b", text):
        if half:
            found = replace(found, seconds=found.seconds + UNITS.get(last, 0) / 2)
            continue
        last = unit[0] if not unit.startswith("mo") else "mo"
        known = _add(found, number(amount.strip()), last)
        if known is None:
            return None
        found = known
    bare = re.fullmatch(_UNIT, text)
    return found if bare is None else _add(found, 1, "mo" if text.startswith("mo") else text[0])


def _add(found: Length, amount: float, unit: str) -> Length | None:
    if unit in UNITS:
        return replace(found, seconds=found.seconds + amount * UNITS[unit])
    if amount % 1:
        return None
    whole = int(amount)
    days = {"d": 1, "w": 7, "f": 14}.get(unit)
    if days is not None:
        return replace(found, days=found.days + whole * days)
    return replace(found, months=found.months + whole * (12 if unit == "y" else 1))


def clock(words: str) -> tuple[int, int, bool] | None:
    """Hour, minute, and whether it is sure which half of the day is meant; None: there is no such time."""
    text = words.replace(".", ":" if re.search(r"\d\.\d", words) else "").replace("o'clock", "").replace("oclock", "")
    spoken = re.fullmatch(r"(half past|quarter past|quarter to)\s+(\d{1,2})\s*(?:([ap]).?m.?)?", text)
    if spoken:
        shift = {"half past": 30, "quarter past": 15, "quarter to": -15}[spoken[1]]
        minutes = int(spoken[2]) * 60 + shift
        hour, minute, half = minutes // 60 % 24, minutes % 60, spoken[3] or ""
    else:
        match = re.fullmatch(r"(\d{1,2})(?:[:h](\d{2}))?\s*(?:([ap]):?m)?:?\s*", text)
        if match is None:
            return None
        hour, minute, half = int(match[1]), int(match[2] or 0), match[3] or ""
    if half and not 1 <= hour <= 12:  # noqa: PLR2004  # a clock's face
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    sure = bool(half) or (":" in text or "h" in text) or hour == 0 or hour > 12  # noqa: PLR2004  # a clock's face
    return (hour, minute, sure) if hour < 24 and minute < 60 else None  # noqa: PLR2004  # hours and minutes
