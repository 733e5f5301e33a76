"""Who may talk to Lar."""

import pytest

from lar.domain.principal import Role
from lar.policy.access import AccessRules, admit

RULES = AccessRules(users=frozenset({"1"}), chats=frozenset({"-5"}), admins=frozenset({"9"}))


@pytest.mark.parametrize(
    ("user", "chat", "granted", "role"),
    [
        ("9", "9", None, Role.ADMIN),
        ("9", "-7", None, Role.ADMIN),
        ("1", "1", None, Role.USER),
        ("1", "-7", None, Role.USER),
        ("3", "-5", None, Role.USER),
        ("3", "3", None, None),
        ("3", "-7", None, None),
        ("3", "3", Role.USER, Role.USER),
        ("3", "3", Role.ADMIN, Role.ADMIN),
        ("1", "1", Role.ADMIN, Role.ADMIN),
        ("9", "9", Role.USER, Role.ADMIN),
    ],
)
def test_who_is_admitted(user: str, chat: str, granted: Role | None, role: Role | None) -> None:
    """R-TG-3: users and chats are let in by lists or by a grant, admins are a subset, everybody else stays out."""
    assert admit(RULES, user, chat, granted) is role


@pytest.mark.parametrize("local", Role)
def test_whoever_reaches_a_local_channel_is_known(local: Role) -> None:
    """Holding the token is the proof; an admin's id and a grant still count for more."""
    rules = AccessRules(local=local, admins=frozenset({"9"}))
    assert admit(rules, "3", "3", None) is local
    assert admit(rules, "9", "9", None) is Role.ADMIN
    assert admit(rules, "3", "3", Role.ADMIN) is Role.ADMIN


def test_nobody_is_let_in_by_default() -> None:
    """R-TG-3: an account without lists admits nobody."""
    assert admit(AccessRules(), "1", "1", None) is None
