"""Approvals at the command line: the same questions, answered by the operator."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lar.domain.conversation import Address, Place
from lar.domain.ids import JobId, PrincipalId, QuestionId, TurnId
from lar.domain.principal import Principal, Role
from lar.domain.question import Question, QuestionKind, QuestionState
from lar.errors import LarError
from lar.operations.calls import Operations
from lar.store import conversations, deliveries, people, questions
from lar.store.database import Database
from lar.store.settings import StoreSettings
from lar.testing.clock import FakeClock

NOW = FakeClock()()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database in which Ann is asked something."""
    database = Database(StoreSettings(url=f"sqlite:///{tmp_path}/lar.db"))
    await database.open()
    ann = Principal(PrincipalId(0), "Ann", Role.USER)
    who = await database.write(people.add, "telegram", "main", "1", ann, NOW)
    here = await database.write(conversations.ensure, Address("telegram", "main", "1"), Place.PRIVATE, "", NOW)
    about: dict[str, object] = {
        "tool": "send",
        "arguments": {},
        "summary": "write to Bob",
        "target": "bob",
        "why": "",
        "standing": True,
    }
    asked = Question(
        id=QuestionId(0),
        kind=QuestionKind.APPROVAL,
        state=QuestionState.OPEN,
        turn_id=TurnId(1),
        job_id=JobId(1),
        call="1.1",
        conversation_id=here.id,
        principal_id=who.id,
        admins_only=False,
        about=about,
        created_at=NOW,
        expires_at=NOW + 60,
    )
    await database.write(questions.add, asked)
    yield database
    await database.close()


async def test_the_operator_answers(db: Database) -> None:
    """R-PO-2: `lar approvals` lists what is open, answers it once, and takes back what was permitted for good."""
    operations = Operations(db, FakeClock())
    [asked] = (await operations.call("approvals/list", {}))["questions"]
    assert (asked["who"], "write to Bob" in asked["asked"]) == ("Ann", True)
    said = await operations.call("approvals/decide", {"id": asked["id"], "answer": "always"})
    assert "the operator" in said["said"]
    with pytest.raises(LarError, match="approved this already"):
        await operations.call("approvals/decide", {"id": asked["id"], "answer": "deny"})
    [permitted] = (await operations.call("approvals/list", {}))["permissions"]
    await operations.call("approvals/withdraw", {"id": permitted["id"]})
    assert (await operations.call("approvals/list", {})) == {"questions": [], "permissions": []}
    assert (await db.read(deliveries.counts)).get("pending", 0) == 0


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("approvals/decide", {"id": 99}, "no question 99"),
        ("approvals/decide", {"id": 1, "answer": "forever"}, "no answer"),
        ("approvals/withdraw", {"id": 5}, "no permission 5"),
    ],
)
async def test_what_is_not_there_is_explained(db: Database, name: str, arguments: dict[str, object], said: str) -> None:
    """A wrong number or answer says what would be right."""
    with pytest.raises(LarError, match=said):
        await Operations(db, FakeClock()).call(name, arguments)
