"""From what people write to a timing: understood whole, or asked about.

English. What is understood is repeated to the person with the absolute time and the zone.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo

from lar.schedules import grammar
from lar.schedules.reading import Reading, Understood, Unsure

_HEAD = re.compile(
    r"(?:remind me|set (?:me )?(?:a |an )?(?:reminder|alarm)|(?:create|add|make|schedule) (?:a |an )?reminder|reminder"
    r"|don'?t let me forget|wake me(?: up)?|(?=ask me )|(?=tell me ))\b\s*:?",
)
_POLITE = re.compile(
    r"\A(?:(?:please|hey|ok|lar|can you|could you|would you|will you)\b[\s,]*)+|[\s,]*\bplease\b[.!?]*\Z"
)
_CONNECTOR = re.compile(r"\A(?:to|that|about|of|for)\b\s+|\A:\s*")
_DANGLING = re.compile(r"[\s,]+(?:on|at|in|every|each|next|by|until|from|to)\Z")
_MORE_TIME = re.compile(r"(?:[ap]\.?m\b|the \d|\d|and\b|or\b)")
_TWO_TIMES = re.compile(r"\bat \d|\d\s*[ap]\.?m\b|\d:\d\d")
_ANOTHER = re.compile(r"\band (?:then )?(?:at|on|in|tomorrow)\s+(?:\d|\w+day|to\b)")
_NEEDS_NO_TEXT = re.compile(r"wake me|set (?:me )?(?:a |an )?alarm")

_ANEW = re.compile(r"\b(?:remind me|set (?:me )?(?:a |an )?(?:reminder|alarm)|don'?t let me forget|wake me(?: up)?)\b")

ALARM = "\u23f0"
"""The text of a reminder that only wakes."""


def understand_when(words: str, now: float, zone: tzinfo) -> Understood:
    """What a run of words about time means.

    Raises:
        Unsure: that is not sure.
        ScheduleError: it is past, or there is no such time.

    """
    text = _tidy(words)
    found = grammar.pieces(_lower(text))
    if found is None:
        raise Unsure(f"I do not understand when {words.strip()!r} is.")
    return Reading(found, now, zone).understood()


def understand(sentence: str, now: float, zone: tzinfo) -> Understood:
    """What a request such as "remind me tomorrow at 7 to call Ana" means.

    Raises:
        Unsure: that is not sure; also where nothing says when, or what.
        ScheduleError: it is past, or there is no such time.

    """
    text = _POLITE.sub("", _tidy(sentence)).strip()
    runs, what = _split(text, now, zone)
    words = ", ".join(run for run in runs if run)
    what = what.strip(" ,.:")
    if _ANOTHER.search(_lower(what)):
        raise Unsure("You ask for two things: please ask for one after the other.")
    if not words:
        raise Unsure("When shall I remind you?", ("in 1 hour", "tomorrow at 09:00"), text=what)
    try:
        understood = understand_when(words, now, zone)
    except Unsure as unsure:
        raise Unsure(unsure.question, unsure.options, text=what) from None
    if not what and not _NEEDS_NO_TEXT.match(_lower(text)):
        raise Unsure("What shall I remind you of?", words=words)
    if _DANGLING.search(f" {_lower(what)}"):
        raise Unsure(f"I am not sure when you mean: {what!r} is left over.")
    return replace(understood, text=what or ALARM)


def request_in(said: str, now: float, zone: tzinfo) -> tuple[str, str] | None:
    """The words about time and the text of what is itself a request, either of them empty; None: it is none.

    "tomorrow at 9" and "the bins" are answers; "remind me every weekday at 9 to write" is a request of its own.
    """
    text = _POLITE.sub("", _tidy(said)).strip()
    head = _ANEW.search(_lower(text))
    if head is None or grammar.front(_lower(text[: head.start()]).strip(" ,"))[1].strip(" ,"):
        return None
    try:
        runs, what = _split(text, now, zone)
    except Unsure:
        return text, text
    what = what.strip(" ,.:") or (ALARM if _NEEDS_NO_TEXT.match(_lower(text)) else "")
    return ", ".join(run for run in runs if run), what


def _split(text: str, now: float, zone: tzinfo) -> tuple[list[str], str]:
    """The words about time, from before, behind and at the end of the rest; and the rest.

    Raises:
        Unsure: there are more words about time than go together.

    """
    head = _HEAD.search(_lower(text))
    before, after = (text[: head.start()], text[head.end() :].strip()) if head else ("", text)
    runs: list[str] = []
    if before.strip(" ,"):
        run, rest = grammar.front(_lower(before).strip(" ,"))
        if rest.strip(" ,") not in {"", "please", "and"}:
            raise Unsure(f"I do not understand {before.strip(' ,')!r}.")
        runs.append(run)
    after = re.sub(r"\A(?:for|:)\s+", "", after)
    run, rest = grammar.front(_lower(after))
    if run and _MORE_TIME.match(rest):
        raise Unsure(f"I am not sure when you mean: {rest!r} is left over.")
    runs.append(run)
    what = _CONNECTOR.sub("", after[len(after) - len(rest) :].strip(" ,"))
    kept, run = grammar.tail(_lower(what))
    if run and _may_join(runs, run, now, zone):
        if _TWO_TIMES.search(kept):
            raise Unsure("You name two times: when do you mean?")
        return [*runs, run], what[: len(kept)]
    return runs, what


def _lower(text: str) -> str:
    """In small letters, and as long as before."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _tidy(words: str) -> str:
    return re.sub(r"\s+", " ", words.replace("’", "'")).strip().rstrip(".!?").strip()  # noqa: RUF001  # typed so


def _may_join(runs: Sequence[str], run: str, now: float, zone: tzinfo) -> bool:
    """Whether words at the end of the sentence go with those at its beginning."""
    before = grammar.pieces(", ".join(run for run in runs if run)) if any(runs) else []
    after = grammar.pieces(run)
    if before is None or after is None:
        return False
    early, late = Reading(before, now, zone), Reading(after, now, zone)
    if early.says_the_time and (early.says_the_day or not late.says_the_day):
        return not (late.says_the_day or late.says_the_time)  # how long it goes on
    return not (early.says_the_day and late.says_the_day)
