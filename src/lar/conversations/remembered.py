"""What is remembered of a person or a group: shown with where it came from, corrected, forgotten, and made shorter."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from lar.conversations.strings import say
from lar.domain.conversation import Conversation, Place
from lar.domain.delivery import Part
from lar.domain.ids import ConversationId
from lar.domain.memory import Kind, Memory, Owner
from lar.domain.message import Author
from lar.domain.principal import Principal
from lar.store import deliveries, memories, messages

Compact = Callable[[Connection, ConversationId, str], bool]
"""Has a conversation's exchanges made sentences, and tells of it in this language. False: there is no model for it."""

Say = Callable[..., str]

_EXCERPT = 200
_SHOWN = 100
_LONGEST = 300


def no_compact(_connection: Connection, _conversation: ConversationId, _language: str) -> bool:
    """Where there is no memory at work."""
    return False


def compacted(connection: Connection, conversation_id: ConversationId, language: str, count: int, now: float) -> None:
    """Tell a conversation that so many exchanges became sentences."""
    text = say(language, "compacted" if count else "compacted_nothing", count=count)
    deliveries.add(connection, conversation_id, [Part(text)], now)


def remembered(
    connection: Connection, here: Conversation, who: Principal, argument: str, now: float, speak: Say
) -> str:
    """What `/memory` answers: all of it, `N` where one sentence came from, `delete N`, `replace N text`."""
    owner = Owner.of(here.place, who.id, here.id)
    verb, _, rest = argument.strip().partition(" ")
    if not verb:
        return _all(connection, owner, here, speak)
    if verb.lstrip("#").isdecimal():
        found = _find(connection, owner, verb)
        return _source(connection, found, speak) if found else speak("memory_unknown", number=verb)
    number, _, text = rest.strip().partition(" ")
    text = "" if verb == "delete" else " ".join(text.split())[:_LONGEST]
    if verb not in {"delete", "replace"} or (verb == "replace" and not text):
        return speak("memory_usage")
    if here.place is Place.GROUP and not who.is_admin:
        return speak("admins_only")
    found = _find(connection, owner, number)
    return _change(connection, found, text, now, speak) if found else speak("memory_unknown", number=number[:20])


def _change(connection: Connection, found: Memory, text: str, now: float, speak: Say) -> str:
    """Let this text take the place of a sentence; none: forget it."""
    if not text:
        memories.forget(connection, found.id)
        return speak("memory_forgotten", text=found.text)
    memories.correct(connection, found, text, now)
    return speak("memory_replaced", text=text)


def _find(connection: Connection, owner: Owner, number: str) -> Memory | None:
    digits = number.lstrip("#")
    if not digits.isdecimal() or len(digits) >= len(str(2**63)):
        return None
    return memories.find(connection, owner, int(digits))


def _all(connection: Connection, owner: Owner, here: Conversation, speak: Say) -> str:
    told = [
        *memories.summaries(connection, owner),
        *memories.sentences(connection, here.id, here.history_after, None, _SHOWN),
    ]
    parts: list[str] = []
    for kind in (Kind.MAJOR, Kind.DAY, Kind.EXCHANGE, Kind.TODAY):
        lines = [_line(memory, speak) for memory in told if memory.kind is kind and memory.text]
        if lines:
            parts.append("\n".join([speak(f"memory_{kind}"), *lines]))
    return "\n\n".join([*parts, speak("memory_usage")] if parts else [speak("memory_none")])


def _line(memory: Memory, speak: Say) -> str:
    day = f"{memory.day}: " if memory.kind is Kind.DAY else ""
    marks = "".join(
        [speak("memory_mark_corrected") if memory.corrected else "", speak("memory_mark_taint") if memory.taint else ""]
    )
    return f"#{memory.id} {day}{memory.text}{marks}"


def _source(connection: Connection, memory: Memory, speak: Say) -> str:
    """A sentence, and where it came from."""
    lines = [f"#{memory.id} {memory.text}", ""]
    if memory.corrected:
        lines.append(speak("memory_from_person"))
    elif memory.kind is Kind.EXCHANGE:
        lines.append(speak("memory_from_messages"))
        lines += _messages(connection, memory.made_from["messages"])
    elif memory.kind is Kind.MAJOR:
        days = memory.made_from["days"]
        lines.append(speak("memory_from_days", first=days[0], last=days[-1]))
    else:
        lines.append(speak("memory_from_day", day=memory.day, count=memory.made_from["turns"]))
    if memory.taint:
        lines.append(speak("memory_from_outside", sources=", ".join(memory.taint)))
    return "\n".join(lines)


def _messages(connection: Connection, ids: Sequence[int]) -> list[str]:
    lines: list[str] = []
    for message in messages.by_ids(connection, ids):
        text = " ".join(message.text.split())
        short = text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 1]}…"
        author = "Lar" if message.author is Author.ASSISTANT else "✍"
        lines.append(f"{datetime.fromtimestamp(message.created_at, tz=UTC):%Y-%m-%d %H:%M} UTC {author}: {short}")
    return lines
