"""What waits for somebody's yes or no, and what was permitted for good: for the operator."""

from sqlalchemy import Connection

from lar.conversations import answers
from lar.conversations.questions import DENY, worded
from lar.domain.ids import QuestionId
from lar.domain.question import Scope
from lar.domain.values import JsonObject
from lar.errors import LarError
from lar.operations.people import OPERATOR
from lar.store import people, questions


def listing(connection: Connection) -> JsonObject:
    """`questions`: `id`, `kind`, `asked` (in words), `who`, `expires_at`. `permissions`: see `store.questions`."""
    return {
        "questions": [
            {
                "id": asked.id,
                "kind": asked.kind.value,
                "asked": worded(connection, asked, ""),
                "who": people.get(connection, asked.principal_id).name,
                "expires_at": asked.expires_at,
            }
            for asked in questions.all_open(connection)
        ],
        "permissions": questions.permissions(connection),
    }


def decide(connection: Connection, arguments: JsonObject, now: float) -> JsonObject:
    """Answer question `id` with `answer` (a scope, "deny", or the number of an option) and `reason`."""
    number, answer = arguments.get("id"), str(arguments.get("answer", Scope.ONCE))
    asked = questions.get(connection, QuestionId(number)) if isinstance(number, int) else None
    if asked is None:
        raise LarError(f"there is no question {number}: `lar approvals list` shows those that are open")
    verdict = answers.verdict_of(asked, answer, str(arguments.get("reason", "")))
    if verdict is None:
        raise LarError(f"{answer!r} is no answer to question {number}: it takes once, conversation, always or {DENY}")
    decided = answers.decide(connection, asked, OPERATOR, verdict, now)
    if decided is None:
        raise LarError(answers.settled(connection, asked, ""))
    return {"said": decided}


def withdraw(connection: Connection, arguments: JsonObject) -> JsonObject:
    """Take permission `id` back."""
    number = arguments.get("id")
    if not isinstance(number, int) or not questions.withdraw(connection, number):
        raise LarError(f"there is no permission {number}: `lar approvals list` shows those there are")
    return {"said": f"Permission {number} is withdrawn: it is asked again from now on."}
