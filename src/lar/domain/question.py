"""What a turn asks a person, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum

from lar.domain.ids import ConversationId, JobId, PrincipalId, QuestionId, TurnId
from lar.domain.values import JsonObject


class QuestionKind(StrEnum):
    """`approval`: may this call run? `choice`: which of these answers, or one in the person's own words?"""

    APPROVAL = "approval"
    CHOICE = "choice"


class QuestionState(StrEnum):
    """`open` → one of the others, which are final.

    `approved` and `denied` are answers to an approval, `answered` that to a choice. `withdrawn`: who was asked wrote
    something else instead. `expired`: nobody answered in time. `cancelled`: the turn was stopped.
    """

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Scope(StrEnum):
    """How far an approval reaches: this call, this tool and target in this conversation, or everywhere."""

    ONCE = "once"
    CONVERSATION = "conversation"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is stored. Times are seconds since the epoch.

    `turn_id`, `job_id` and `call` say which call of which turn waits for the answer; `principal_id` whose turn that is.
    `admins_only`: an admin answers, and the turn does not wait: a new one carries out what was approved. `about` of an
    approval: `tool`, `arguments`, `summary`, `target`, `deed`, `rule`, `taint`; of a choice: `text`, `options`.
    `answer` is the scope of an approval, or what was chosen; `reason` what the person said about it.
    """

    id: QuestionId
    kind: QuestionKind
    state: QuestionState
    turn_id: TurnId
    job_id: JobId
    call: str
    conversation_id: ConversationId
    principal_id: PrincipalId
    admins_only: bool
    about: JsonObject
    created_at: float
    expires_at: float
    answer: str = ""
    reason: str = ""
    decided_by: PrincipalId | None = None
