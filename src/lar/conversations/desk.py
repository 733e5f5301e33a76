"""The desk of one turn: asks its person, or an admin, through the questions of its conversation."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lar.conversations import answers, questions
from lar.conversations.work import Work
from lar.domain.conversation import Mode
from lar.domain.ids import ConversationId, QuestionId
from lar.domain.question import Question, QuestionKind, QuestionState
from lar.domain.risk import Deed
from lar.domain.values import Clock
from lar.engine.contract import JobContext
from lar.errors import HandedOver, Suspended, ToolError
from lar.policy.gate import Decision
from lar.store import conversations
from lar.store import questions as stored
from lar.store.database import Database
from lar.tools.contract import Answer, Effect, ToolCall


@dataclass(frozen=True, slots=True)
class TurnDesk:
    """Asks for one turn. A `Desk`. `lifetime` is how long a question stays open, in seconds.

    `unattended`: a schedule began the turn, and nobody is there to answer.
    """

    db: Database
    work: Work
    job: JobContext
    language: str
    lifetime: float
    clock: Clock
    unattended: bool = False

    async def mode(self, _call: str, /) -> Mode | None:
        """The conversation's mode now; None: nobody set one."""
        return await self.db.read(_mode, self.work.conversation.id)

    async def permitted(self, tool: str, target: str) -> str:
        """The name of a standing permission that covers this; empty where there is none."""
        who, here = self.work.principal.id, self.work.conversation.id
        number = await self.db.read(stored.permitted, who, tool, target, here)
        return f"permission.{number}" if number is not None else ""

    async def ask(self, call: ToolCall, effect: Effect, why: Decision, taint: Sequence[str]) -> Answer:
        """What was decided about this call: see `tools.contract.Desk`."""
        approved = self.work.approved
        if approved is not None and call.key == APPROVED_CALL:
            return Answer(allowed=True, rule=f"question.{approved.id}")
        if len(effect.summary) > questions.LONGEST:
            reason = (
                f"it is too long to be shown to a person ({len(effect.summary)} characters); do it in smaller steps"
            )
            return Answer(allowed=False, rule=why.rule, reason=reason)
        others = why.admins_only and not self.work.principal.is_admin
        about: dict[str, object] = {
            "tool": call.name,
            "arguments": call.arguments,
            "summary": effect.summary,
            "target": effect.target,
            "before": effect.before,
            "deed": effect.deed,
            "rule": why.rule,
            "why": why.reason,
            "taint": list(taint),
            "standing": effect.deed is not Deed.ADMIN and bool(effect.target),
        }
        asked = await self.pose(QuestionKind.APPROVAL, call.key, about, admins_only=others)
        if asked.admins_only:  # also where it is decided already: the decision has started a turn that does it
            raise HandedOver(effect.summary)
        return _answer(asked)

    async def choose(self, call: str, text: str, options: Sequence[str]) -> str:
        """What the person answered: see `tools.contract.Desk`."""
        if self.unattended:
            raise ToolError(
                "Nobody is there to answer in a turn that a schedule began. Decide without an answer, or put the "
                f"question into what you say: {text}"
            )
        about: dict[str, object] = {"text": text, "options": list(options)}
        asked = await self.pose(QuestionKind.CHOICE, call, about, admins_only=False)
        if asked.state is not QuestionState.ANSWERED:
            raise ToolError("Nobody answered in time. Go on without an answer, or tell the person what is missing.")
        return asked.answer

    async def pose(self, kind: QuestionKind, call: str, about: dict[str, object], *, admins_only: bool) -> Question:
        """Ask, and come back with what was decided.

        Raises:
            Suspended: nothing was decided yet.

        """
        now = self.clock()
        new = Question(
            id=QuestionId(0),
            kind=kind,
            state=QuestionState.OPEN,
            turn_id=self.work.turn.id,
            job_id=self.work.turn.job_id,
            call=call,
            conversation_id=self.work.conversation.id,
            principal_id=self.work.principal.id,
            admins_only=admins_only,
            about=about,
            created_at=now,
            expires_at=now + self.lifetime,
        )
        asked = await self.job.write(_posed, new, self.language, now)
        if asked.state is QuestionState.OPEN and not asked.admins_only:
            raise Suspended(asked.expires_at)
        return asked


APPROVED_CALL = "approved"
"""The key of the call that a turn carries out because an admin approved it."""


def _mode(connection: Connection, conversation_id: ConversationId) -> Mode | None:
    return conversations.get(connection, conversation_id).mode


def _posed(connection: Connection, new: Question, language: str, now: float) -> Question:
    asked = questions.ask(connection, new, language, now)
    if asked.state is QuestionState.OPEN and asked.expires_at <= now:
        answers.expire(connection, asked, now)
        return stored.of_call(connection, asked.turn_id, asked.call) or asked
    return asked


def _answer(asked: Question) -> Answer:
    rule = f"question.{asked.id}"
    match asked.state:
        case QuestionState.APPROVED:
            return Answer(allowed=True, rule=rule)
        case QuestionState.WITHDRAWN:
            return Answer(allowed=False, rule=rule, reason=f"the person did not approve; they wrote: {asked.reason!r}")
        case QuestionState.EXPIRED:
            return Answer(allowed=False, rule=rule, reason="nobody answered the question in time")
        case _:
            said = f"; they said: {asked.reason!r}" if asked.reason else ""
            return Answer(allowed=False, rule=rule, reason=f"the person said no{said}")
