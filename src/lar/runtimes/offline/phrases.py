"""What a sentence asks for, in English and Spanish. Pure: text in, wishes out."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lar.domain.values import JsonObject

Language = Literal["en", "es"]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that gives what is asked for. `tool` also names the sentence that introduces its result."""

    tool: str
    arguments: JsonObject
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class Help:
    """Says what it can do: asked for, or because it did not understand."""

    language: Language = "en"
    understood: bool = True


Wish = Call | Help


def understand(prompt: str) -> list[Wish]:
    """What a prompt asks for, in order. Paragraphs are separate wishes, for a turn may hold several messages.

    A note goes on through paragraphs that are no wish of their own.
    """
    wishes: list[Wish] = []
    for paragraph in re.split(r"\n\s*\n", _SCHEDULED.sub("", prompt).strip()):
        wish = read(paragraph.strip())
        last = wishes[-1] if wishes else None
        if isinstance(wish, Help) and not wish.understood and isinstance(last, Call) and last.tool == "save_note":
            wishes[-1] = Call(last.tool, {"text": f"{last.arguments['text']}\n\n{paragraph.strip()}"}, last.language)
        elif wish not in wishes[-1:]:
            wishes.append(wish)
    return wishes


def read(sentence: str) -> Wish:
    """What one message asks for."""
    for pattern, language, make in _PHRASES:
        match = pattern.fullmatch(sentence)
        if match is not None:
            wish = make(match, language)
            if wish is not None:
                return wish
    return Help("es" if _SPANISH.search(sentence) else "en", understood=False)


def expression_of(text: str, language: Language) -> str | None:
    """Arithmetic written as people write it, as the calculator reads it; None if it is none."""
    found = text.lower().strip(" ?=!¿¡.")
    if language == "es":
        found = re.sub(r"(?<=\d)\.(?=\d{3}(?!\d))", "", found)
        found = re.sub(r"(?<=\d),(?=\d)", ".", found)
    else:
        found = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", found)
    for pattern, replacement in _SPOKEN:
        found = re.sub(pattern, replacement, found)
    arithmetic = _ARITHMETIC.fullmatch(found) and re.search(r"\d", found) and re.search(r"[-+*/%^]|sqrt|of", found)
    return " ".join(found.split()) if arithmetic else None


_SCHEDULED = re.compile(r"\A\[(?:scheduled|programado)[^\]\n]*\]\n")
"""What stands before the text of a scheduled prompt."""
_SPANISH = re.compile(r"[¿¡ñáéíóú]|\b(?:qu[eé]|el|la|los|las|de|una?|para|por|hola|gracias|nota|hora)\b", re.IGNORECASE)
_ARITHMETIC = re.compile(r"(?:[\d\s.,()+*/%^×÷·−√-]|sqrt|abs|round|floor|ceil|min|max|of)+")  # noqa: RUF001  # typed so
_SPOKEN = (
    (r"\bplus\b|\bm[aá]s\b", "+"),
    (r"\bminus\b|\bmenos\b", "-"),
    (r"\btimes\b|\bmultiplied by\b|\bpor\b", "*"),
    (r"\bdivided by\b|\bentre\b|\bdividido (?:por|entre)\b", "/"),
    (r"\bto the power of\b|\belevado a\b", "^"),
    (r"\b(?:the )?square root of\b|\bra[ií]z cuadrada de\b", "sqrt "),
    (r"\bper ?cent\b|\bpor ciento\b", "%"),
    (r"(?<=%)\s*\b(?:de|del)\b", " of"),
    (r"(?<=\d)\s*x\s*(?=\d)", "*"),
)

_Make = Callable[[re.Match[str], Language], Wish | None]


def _calculation(match: re.Match[str], language: Language) -> Wish | None:
    expression = expression_of(match["what"], language)
    return Call("calculate_expression", {"expression": expression}, language) if expression else None


def _time(match: re.Match[str], language: Language) -> Wish:
    zone = match.groupdict().get("zone")
    return Call("current_datetime", {"time_zone": zone} if zone else {}, language)


def _on_what(tool: str, argument: str) -> _Make:
    return lambda match, language: Call(tool, {argument: match["what"].strip(" ?.\"'") or match["what"]}, language)


def _phrase(pattern: str, language: Language, make: _Make) -> tuple[re.Pattern[str], Language, _Make]:
    return re.compile(rf"\s*[¿¡]?(?:{pattern})\s*[?!.]*\s*", re.IGNORECASE | re.DOTALL), language, make


def _note(match: re.Match[str], language: Language) -> Wish:
    return Call("save_note", {"text": match["what"].strip()}, language)


def _reminder(match: re.Match[str], language: Language) -> Wish:
    return Call("schedule_prompt", {"request": match["what"].strip()}, language)


def _reminders(_match: re.Match[str], language: Language) -> Wish:
    return Call("list_scheduled_prompts", {}, language)


def _all_notes(match: re.Match[str], language: Language) -> Wish:
    page = match.groupdict().get("page")
    return Call("list_notes", {"page": int(page)} if page else {}, language)


def _help(_match: re.Match[str], language: Language) -> Wish:
    return Help(language)


_PHRASES = (
    _phrase(r"(?:note|remember|take a note|make a note|save)\s*(?::|that\b)\s*(?P<what>.+)", "en", _note),
    _phrase(r"(?:nota|apunta|anota|recuerda|toma nota)\s*(?::|que\b|de que\b)\s*(?P<what>.+)", "es", _note),
    _phrase(
        r"(?P<what>(?:(?:please|can you|could you|would you|will you),?\s+)*(?:remind me|set (?:me )?(?:a |an )?"
        r"(?:reminder|alarm)|wake me(?: up)?|don['’]?t let me forget)\b.*)",  # noqa: RUF001  # typed so
        "en",
        _reminder,
    ),
    _phrase(
        r"(?P<what>(?:at|every|each|in|on|tomorrow|tonight|next|daily|weekly|monthly|hourly)\b.{0,80}?"
        r"\b(?:remind|ask|tell|wake) me\b.*)",
        "en",
        _reminder,
    ),
    _phrase(
        r"(?:(?:which|what) (?:reminders|alarms) (?:do i have|are there|have i (?:got|set))|(?:(?:list|show)(?: me)? )?"
        r"(?:all )?(?:of )?(?:my |the )?(?:active |open )?(?:reminders|alarms|scheduled prompts))",
        "en",
        _reminders,
    ),
    _phrase(r"(?:qu[eé] recordatorios (?:tengo|hay)|(?:mis |los )?recordatorios)", "es", _reminders),
    _phrase(
        r"(?:cancel|stop|turn off) (?:the |my )?(?:reminder|alarm)s?\s+(?:to |about |for |of )?(?P<what>.+)",
        "en",
        _on_what("cancel_scheduled_prompt", "schedule"),
    ),
    _phrase(
        r"(?:cancel|stop|turn off) (?:the |my )?(?P<what>.+?) (?:reminder|alarm)",
        "en",
        _on_what("cancel_scheduled_prompt", "schedule"),
    ),
    _phrase(
        r"(?:delete|remove) (?:the |my )?(?:reminder|alarm)s?\s+(?:to |about |for |of )?(?P<what>.+)",
        "en",
        _on_what("delete_scheduled_prompt", "schedule"),
    ),
    _phrase(
        r"(?:delete|remove) (?:the |my )?(?P<what>.+?) (?:reminder|alarm)",
        "en",
        _on_what("delete_scheduled_prompt", "schedule"),
    ),
    _phrase(
        r"(?:(?:which|what) notes (?:do i have|are there|have i (?:got|saved))|(?:(?:list|show)(?: me)? )?"
        r"(?:all )?(?:my |the )?notes)(?:,? page (?P<page>\d{1,5}))?",
        "en",
        _all_notes,
    ),
    _phrase(
        r"(?:qu[eé] notas (?:tengo|hay)|(?:lista|listar?|muestra|mu[eé]strame|ver|ense[nñ]a)?\s*(?:de )?(?:todas )?"
        r"(?:mis |las )?notas)(?:,? p[aá]gina (?P<page>\d{1,5}))?",
        "es",
        _all_notes,
    ),
    _phrase(
        r"(?:find|search|look for)(?: in)? (?:my |the |a )?notes?(?: (?:for|about|with))?\s*:?\s+(?P<what>.+)",
        "en",
        _on_what("search_notes", "query"),
    ),
    _phrase(
        r"(?:busca|buscar|encuentra)(?: en)? (?:mis |las |la |una )?notas?(?: (?:sobre|con|de))?\s*:?\s+(?P<what>.+)",
        "es",
        _on_what("search_notes", "query"),
    ),
    _phrase(r"(?:delete|remove|forget) (?:the |my )?note\s+(?P<what>.+)", "en", _on_what("delete_note", "note")),
    _phrase(
        r"(?:borra|borrar|elimina|eliminar|olvida) (?:la |mi )?nota\s+(?P<what>.+)",
        "es",
        _on_what("delete_note", "note"),
    ),
    _phrase(r"(?:show|read|open|get)(?: me)? (?:the |my )?note\s+(?P<what>.+)", "en", _on_what("get_note", "note")),
    _phrase(
        r"(?:muestra|mu[eé]strame|lee|abre|ver) (?:la |mi )?nota\s+(?P<what>.+)", "es", _on_what("get_note", "note")
    ),
    _phrase(
        r"(?:what(?:'s|’s| is) the (?:current )?(?:time|date)|what time is it|what day is (?:it|today)|"  # noqa: RUF001  # typed so
        r"what(?:'s|’s| is) today(?:'s|’s)? date|(?:the )?(?:time|date)(?: please)?|which day is (?:it|today))"  # noqa: RUF001  # typed so
        r"(?: now| today)?(?: in (?P<zone>[A-Za-z_]+(?:/[A-Za-z_+-]+)*))?",
        "en",
        _time,
    ),
    _phrase(
        r"(?:qu[eé] hora es|qu[eé] d[ií]a es(?: hoy)?|qu[eé] fecha es(?: hoy)?|(?:la )?(?:hora|fecha))"
        r"(?: en (?P<zone>[A-Za-z_]+(?:/[A-Za-z_+-]+)*))?",
        "es",
        _time,
    ),
    _phrase(r"help(?: me)?|what can you do(?: for me)?|hi|hello|hey|good (?:morning|evening|afternoon)", "en", _help),
    _phrase(r"ayuda|qu[eé] (?:puedes|sabes) hacer|hola|buen(?:os d[ií]as|as tardes|as noches)", "es", _help),
    _phrase(
        r"(?:what(?:'s|’s| is)|how much (?:is|are|makes?)|calculate|compute|calc)?\s*:?\s*(?P<what>.+)",  # noqa: RUF001  # typed so
        "en",
        _calculation,
    ),
    _phrase(
        r"(?:cu[aá]nto (?:es|son|da|hacen?)|calcula|calcular|cu[aá]l es(?: el| la)?)\s*:?\s*(?P<what>.+)",
        "es",
        _calculation,
    ),
    _phrase(r"(?P<what>.+)", "es", _calculation),
)
