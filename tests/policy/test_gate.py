"""May this tool run? Every combination has one answer."""

import itertools

import pytest

from lar.domain.conversation import Place
from lar.domain.principal import Role
from lar.domain.risk import Risk
from lar.policy.gate import Act, Gate, Verdict

POWERFUL = [Risk.REACH, Risk.EXEC, Risk.SPEND, Risk.ADMIN]


def decide(risk: Risk, role: Role, place: Place, *, private: bool = False) -> tuple[Verdict, str]:
    """The verdict on a tool, and the rule behind it."""
    decision = Gate().decide(Act("tool", risk, role, place, private=private))
    return decision.verdict, decision.rule


@pytest.mark.parametrize("risk", [Risk.READ, Risk.WRITE])
def test_everybody_may_use_what_stays_inside(risk: Risk) -> None:
    """Reading and changing one's own things needs no power."""
    for role, place in itertools.product(Role, Place):
        assert decide(risk, role, place) == (Verdict.ALLOW, f"default.{risk}")


@pytest.mark.parametrize("risk", POWERFUL)
def test_power_is_for_admins_in_private(risk: Risk) -> None:
    """What reaches out, runs, spends or changes Lar is for admins, and not where others can steer the model."""
    assert decide(risk, Role.ADMIN, Place.PRIVATE) == (Verdict.ALLOW, f"default.admin.{risk}")
    assert decide(risk, Role.ADMIN, Place.GROUP) == (Verdict.DENY, "default.not_in_groups")
    for place in Place:
        assert decide(risk, Role.USER, place) == (Verdict.DENY, "default.admins_only")


def test_what_is_private_stays_out_of_groups() -> None:
    """One person's memory is not shown in front of others, whoever asks."""
    for risk, role in itertools.product(Risk, Role):
        assert decide(risk, role, Place.GROUP, private=True) == (Verdict.DENY, "default.private_only")
    assert decide(Risk.READ, Role.USER, Place.PRIVATE, private=True)[0] is Verdict.ALLOW


def test_a_denied_tool_is_denied_to_all() -> None:
    """What the configuration switches off is off, for admins too."""
    gate = Gate(frozenset({"shell"}))
    for role, place in itertools.product(Role, Place):
        decision = gate.decide(Act("shell", Risk.READ, role, place))
        assert (decision.verdict, decision.rule) == (Verdict.DENY, "policy.denied_tools")
        assert "shell" in decision.reason


def test_every_refusal_has_a_reason() -> None:
    """Model and person are told why."""
    for risk, role, place, private in itertools.product(Risk, Role, Place, (True, False)):
        decision = Gate().decide(Act("tool", risk, role, place, private=private))
        assert (decision.verdict is Verdict.DENY) == bool(decision.reason)
