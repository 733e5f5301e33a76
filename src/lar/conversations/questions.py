"""Questions: asked where a turn is or of its admins, closed once, and their messages edited to the outcome.

Runs inside the transaction of whoever calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lar.conversations.strings import say
from lar.domain.delivery import Button, Part
from lar.domain.ids import ConversationId, TurnId
from lar.domain.principal import Principal
from lar.domain.question import Question, QuestionKind, QuestionState, Scope
from lar.domain.risk import Deed
from lar.store import conversations, deliveries, people, questions, signals

PRESS = "q:"
"""What the data of a button begins with; behind it the question's number, a colon and the answer's number or scope."""

PART_CHARS = 1800
"""A question is shown whole, whatever it says: a longer one in several messages, the buttons below the last. In
characters, with room for those that count twice."""

LONGEST = 20_000
"""Characters of a call beyond which nobody is asked: no person reads that."""

ANSWERED = "answered"
"""The signal a waiting turn is sent."""

DENY = "deny"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How somebody answers. `answer` is a `Scope`, "deny", or what was chosen; `reason` what they said about it."""

    answer: str
    reason: str = ""


def of_host(asked: Question) -> bool:
    """Whether it is about Lar itself or its host: a plain yes or no, of an admin."""
    return asked.about.get("deed") == Deed.ADMIN


def ask(connection: Connection, new: Question, language: str, now: float) -> Question:
    """Ask, or find what this call has asked already. Shown where its turn is, or to the admins who may answer it."""
    known = questions.of_call(connection, new.turn_id, new.call)
    if known is not None:
        return known
    asked = questions.add(connection, new)
    if asked.admins_only:
        for conversation, admin in conversations.of_admins(connection):
            _show(connection, asked, conversation.id, people.get(connection, admin).language or language, now)
    else:
        _show(connection, asked, asked.conversation_id, language, now)
    return asked


def _show(connection: Connection, asked: Question, where: ConversationId, language: str, now: float) -> None:
    turn = None if asked.admins_only else asked.turn_id
    *first, last = [*_cut(asked.about.get("before", "")), *_cut(worded(connection, asked, language))]
    deliveries.add(connection, where, [Part(piece) for piece in first], now, turn)
    part = Part(last, buttons=_buttons(asked, language))
    questions.shown_by(connection, asked.id, deliveries.add_one(connection, where, part, now, turn))


def _cut(text: str) -> list[str]:
    return [text[cut : cut + PART_CHARS] for cut in range(0, len(text), PART_CHARS)]


def worded(connection: Connection, asked: Question, language: str) -> str:
    """A question in words: what would be done, why it is asked, and how it can be answered without a button."""
    about = asked.about
    if asked.kind is QuestionKind.CHOICE:
        options = "\n".join(f"{number}. {option}" for number, option in enumerate(about["options"], 1))
        return say(language, "question_choice", text=about["text"], options=options, id=asked.id).strip()
    if of_host(asked) and not asked.admins_only:
        return say(language, "question_host", summary=about["summary"], id=asked.id)
    who = people.get(connection, asked.principal_id).name if asked.admins_only else ""
    because = f" ({about['why']})" if about["why"] else ""
    key = "question_admin" if asked.admins_only else "question_approval"
    return say(language, key, summary=about["summary"], why=because, who=who, id=asked.id)


def _buttons(asked: Question, language: str) -> tuple[tuple[Button, ...], ...]:
    data = f"{PRESS}{asked.id}:"
    if asked.kind is QuestionKind.CHOICE:
        return tuple((Button(option, f"{data}{number}"),) for number, option in enumerate(asked.about["options"], 1))
    if of_host(asked):
        yes = Button(say(language, "button_yes"), data + Scope.ONCE)
        return ((yes, Button(say(language, "button_no"), data + DENY)),)
    scopes = [Scope.ONCE, Scope.CONVERSATION, Scope.ALWAYS] if asked.about["standing"] else [Scope.ONCE]
    allow = tuple(Button(say(language, f"button_{scope}"), data + scope) for scope in scopes)
    return allow, (Button(say(language, "button_deny"), data + DENY),)


def cancel_turns(connection: Connection, turn_ids: Sequence[TurnId], now: float) -> None:
    """These turns are over: nobody waits for what they asked. What an admin decides goes on without its turn."""
    for asked in questions.open_of_turns(connection, turn_ids):
        if not asked.admins_only:
            close(connection, asked, QuestionState.CANCELLED, Verdict(""), now)


def close(
    connection: Connection,
    asked: Question,
    state: QuestionState,
    verdict: Verdict,
    now: float,
    by: Principal | None = None,
) -> bool:
    """Record the decision, wake the turn, and edit every message that shows the question."""
    decided_by = (by.id or None) if by else None  # the operator at the command line is nobody Lar knows
    answer, reason = verdict.answer, verdict.reason
    if not questions.close(connection, asked.id, state, now, answer=answer, reason=reason, by=decided_by):
        return False
    signals.send(connection, asked.job_id, ANSWERED, {"question": asked.id}, now)
    for shown, where in questions.shown(connection, asked.id):
        language = people.get(connection, asked.principal_id).language
        text = outcome(asked, by.name if by else "", language, verdict, state)
        deliveries.add(connection, where, [Part(text, edits=shown)], now)
    return True


def outcome(asked: Question, by: str, language: str, verdict: Verdict, state: QuestionState) -> str:
    """What came of a question, in words."""
    about = asked.about
    if asked.kind is QuestionKind.CHOICE and state is not QuestionState.CANCELLED:
        return say(language, "outcome_choice", text=about["text"], answer=verdict.answer or "—")
    scope = say(language, f"scope_{verdict.answer}") if state is QuestionState.APPROVED else ""
    summary = about.get("summary") or about.get("text", "")
    if len(summary) > PART_CHARS // 2:
        summary = f"{summary[: PART_CHARS // 2]} […]"
    return say(language, f"outcome_{state}", summary=summary, by=by, scope=scope, reason=verdict.reason).strip()
