"""Answers to questions: by a button, a command or in words; and what becomes of the turn that asked.

Runs inside the transaction of whoever calls.
"""

from sqlalchemy import Connection

from lar.conversations import lane
from lar.conversations.questions import DENY, PRESS, Verdict, close, of_host, outcome
from lar.conversations.strings import say
from lar.domain.delivery import Part
from lar.domain.ids import ConversationId, PrincipalId, QuestionId
from lar.domain.principal import Principal
from lar.domain.question import Question, QuestionKind, QuestionState, Scope
from lar.store import conversations, deliveries, people
from lar.store import questions as stored


def may_answer(asked: Question, who: Principal) -> bool:
    """Whose turn it is, and admins; only admins where the question is theirs, or about the host."""
    return who.is_admin or (who.id == asked.principal_id and not asked.admins_only and not of_host(asked))


def decide(connection: Connection, asked: Question, by: Principal, verdict: Verdict, now: float) -> str | None:
    """Answer an open question: its turn goes on, or a new one carries out what was approved.

    The outcome in the words of whoever decided; None if it was not open any more, or its time is over.
    """
    if asked.expires_at <= now:
        expire(connection, asked, now)
        return None
    choice = asked.kind is QuestionKind.CHOICE
    allowed = verdict.answer != DENY
    state = QuestionState.APPROVED if allowed else QuestionState.DENIED
    if not close(connection, asked, QuestionState.ANSWERED if choice else state, verdict, now, by):
        return None
    if not choice and verdict.answer in {Scope.CONVERSATION, Scope.ALWAYS}:
        where = asked.conversation_id if verdict.answer == Scope.CONVERSATION else None
        about = asked.about
        stored.permit(connection, asked.principal_id, about["tool"], about["target"], where, by.id, now)
    if asked.admins_only:
        _carry_on(connection, asked, by, verdict, now, allowed=allowed)
    return outcome(asked, by.name, by.language, verdict, state)


def withdraw(connection: Connection, asked: Question, by: Principal, words: str, now: float) -> None:
    """Who was asked wrote something else: that is the answer."""
    if asked.kind is QuestionKind.CHOICE:
        close(connection, asked, QuestionState.ANSWERED, Verdict(words), now, by)
    else:
        close(connection, asked, QuestionState.WITHDRAWN, Verdict("", words), now, by)


def expire(connection: Connection, asked: Question, now: float) -> None:
    """Nobody answered in time."""
    if close(connection, asked, QuestionState.EXPIRED, Verdict(""), now) and asked.admins_only:
        _carry_on(connection, asked, None, Verdict(DENY), now, allowed=False)


def _carry_on(
    connection: Connection, asked: Question, by: Principal | None, verdict: Verdict, now: float, *, allowed: bool
) -> None:
    """The turn that asked is over: a new one does what was approved; a refusal is told."""
    conversation = conversations.get(connection, asked.conversation_id)
    language = people.get(connection, asked.principal_id).language
    name, summary = (by.name if by else ""), asked.about["summary"]
    if allowed:
        text = say(language, "carried_on", by=name, summary=summary)
        lane.start_approved(connection, conversation, asked, text, now)
        return
    key = "refused_by" if by else "refused_late"
    text = say(language, key, by=name, summary=summary, reason=verdict.reason).strip()
    deliveries.add(connection, conversation.id, [Part(text)], now)


def settled(connection: Connection, asked: Question, language: str) -> str:
    """What to tell somebody who answers a question that is not open any more."""
    now = stored.get(connection, asked.id) or asked
    by = people.get(connection, now.decided_by).name if now.decided_by is not None else ""
    return say(language, f"settled_{now.state}", by=by)


def sweep(connection: Connection, now: float) -> int:
    """Close what nobody answered in time and no turn waits for; how many."""
    late = [asked for asked in stored.overdue(connection, now) if asked.admins_only]
    for asked in late:
        expire(connection, asked, now)
    return len(late)


def read_press(data: str) -> tuple[QuestionId, str] | None:
    """The question and the answer a button carries; None if it is no button of a question."""
    number, colon, answer = data.removeprefix(PRESS).partition(":")
    if not (data.startswith(PRESS) and colon and number.isdecimal()):
        return None
    return QuestionId(int(number)), answer


def verdict_of(asked: Question, answer: str, reason: str = "") -> Verdict | None:
    """What an answer means: a scope or "deny" of an approval, the number of an option of a choice. None: nothing."""
    if asked.kind is QuestionKind.APPROVAL:
        scopes = {Scope.ONCE, Scope.CONVERSATION, Scope.ALWAYS} if asked.about["standing"] else {Scope.ONCE}
        return Verdict(answer, reason) if answer in {DENY, *scopes} else None
    options = asked.about["options"]
    if answer.isdecimal() and 0 < int(answer) <= len(options):
        return Verdict(options[int(answer) - 1])
    return None


def waits_for(connection: Connection, conversation_id: ConversationId, principal_id: PrincipalId) -> Question | None:
    """The newest question this person is asked here."""
    found = stored.open_of(connection, conversation_id, principal_id)
    return found[-1] if found else None
