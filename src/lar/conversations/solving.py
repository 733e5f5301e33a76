"""Solving: an admin's problem becomes a turn of an agent of Lar's own, which plans commands and asks about each.

Runs inside the transaction of whoever calls.
"""

from sqlalchemy import Connection

from lar.conversations import lane
from lar.domain.conversation import Conversation
from lar.domain.delivery import Button
from lar.domain.ids import JobId, MessageId, PrincipalId, TurnId
from lar.domain.job import Step, StepState
from lar.domain.message import Author, Message
from lar.domain.values import JsonObject
from lar.store import jobs, messages, steps, turns

SOLVE = "/solve"
"""The agent that serves these turns."""

PRESS = "s:"
"""What the data of a proposal's button begins with; behind it the number of the job that made the plan."""

PLAN = "plan"
"""The step of a job whose output is a plan that it proposed."""

_TAKEN = "taken"
"""The step that says who took a proposal up."""

PROPOSAL_SECONDS = 3 * 86400.0
"""How long a proposal can be taken up: later the machine is another one."""


def begin(
    connection: Connection,
    conversation: Conversation,
    admin: PrincipalId,
    problem: str,
    now: float,
    payload: JsonObject | None = None,
) -> TurnId | None:
    """Queue the turn that solves this; None: one is open here already."""
    if any(turn.agent == SOLVE for turn in turns.open_in(connection, conversation.id)):
        return None
    turn_id = lane.start(connection, conversation, admin, now, now, payload, SOLVE)
    said = Message(
        MessageId(0), conversation.id, Author.USER, f"{SOLVE} {problem}", now, principal_id=admin, turn_id=turn_id
    )
    messages.add(connection, said)
    return turn_id


def button(label: str, job_id: JobId) -> Button:
    """Takes up what this job proposed."""
    return Button(label, f"{PRESS}{job_id}")


def read_press(data: str) -> JobId | None:
    """The job whose proposal a button takes up; None if it is no such button."""
    number = data.removeprefix(PRESS)
    return JobId(int(number)) if data.startswith(PRESS) and number.isdecimal() and len(number) < 19 else None  # noqa: PLR2004  # digits of what a database can number


def take_up(connection: Connection, conversation: Conversation, admin: PrincipalId, proposal: JobId, now: float) -> str:
    """Begin to go through a proposed plan. Empty, or the key of the sentence that says why not."""
    job = jobs.locked(connection, proposal)
    done = {step.key: step for step in steps.of_job(connection, proposal)}
    plan = done.get(PLAN)
    made = plan.output if plan is not None and now < plan.started_at + PROPOSAL_SECONDS else None
    if job is None or made is None or not made["plan"]:
        return "proposal_gone"
    if _TAKEN in done:
        return "proposal_taken"
    turn_id = begin(connection, conversation, admin, job.payload["title"], now, {"proposal": proposal})
    if turn_id is None:
        return "solve_busy"
    taken = Step(proposal, _TAKEN, "press", StepState.STARTED, {"by": admin, "turn": turn_id}, None, 1, now)
    steps.start(connection, taken, seq=len(done) + 1)
    steps.finish(connection, proposal, _TAKEN, output={}, now=now)
    return ""


def proposed(connection: Connection, turn_id: TurnId) -> JsonObject | None:
    """The output of the step that made the plan which this turn was begun to go through; None: there is none."""
    turn = turns.get(connection, turn_id)
    job = jobs.get(connection, turn.job_id) if turn else None
    number = job.payload.get("proposal") if job else None
    made = steps.of_job(connection, JobId(number)) if isinstance(number, int) else []
    return next((step.output for step in made if step.key == PLAN), None)


def is_of_solving(connection: Connection, job_id: JobId) -> bool:
    """Whether this job does such a turn."""
    job = jobs.get(connection, job_id)
    return job is not None and job.kind == lane.TURN and turns.by_job(connection, job_id)[0].agent == SOLVE
