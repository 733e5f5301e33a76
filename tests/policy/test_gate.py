"""May this call run? Every combination has one answer."""

import itertools

import pytest

from lar.domain.conversation import Mode, Place
from lar.domain.principal import Role
from lar.domain.risk import Deed
from lar.policy.gate import Act, Decision, Gate, Verdict
from lar.policy.settings import PolicySettings, Rule

ADMIN, USER = Role.ADMIN, Role.USER
PRIVATE, GROUP = Place.PRIVATE, Place.GROUP
TAINT = ("web: example.org",)
READS = {Deed.LOOK, Deed.OPEN}
OUTWARD = [Deed.SUBMIT, Deed.SEND, Deed.RUN_OUT, Deed.SPEND, Deed.CONTROL]
EVERY = list(
    itertools.product(Deed, Role, Place, Mode, (True, False), ((), TAINT), ("", "permission.1"), (True, False))
)


def act(deed: Deed, role: Role = ADMIN, place: Place = PRIVATE, **more: object) -> Act:
    """A call."""
    return Act("tool", deed, role, place, **more)  # pyright: ignore[reportArgumentType]  # fields of Act


def decide(deed: Deed, role: Role = ADMIN, place: Place = PRIVATE, **more: object) -> tuple[Verdict, str]:
    """The verdict on a call, and the rule behind it, without rules in the configuration."""
    decision = Gate().decide(act(deed, role, place, **more))
    return decision.verdict, decision.rule


@pytest.mark.parametrize("deed", [Deed.LOOK, Deed.OPEN, Deed.KEEP])
def test_everybody_may_look_and_keep(deed: Deed) -> None:
    """R-PO-3: reading, plain GETs and one's own work folder are never asked about, tainted or not."""
    for role, place, taint in itertools.product(Role, Place, ((), TAINT)):
        assert decide(deed, role, place, taint=taint) == (Verdict.ALLOW, f"default.{deed}")


def test_a_sandbox_without_network_is_not_asked_about() -> None:
    """R-PO-3: code that cannot reach out runs, tainted or not; for a group somebody says yes first."""
    for role, taint in itertools.product(Role, ((), TAINT)):
        assert decide(Deed.RUN, role, taint=taint) == (Verdict.ALLOW, "default.run")
        assert decide(Deed.RUN, role, GROUP, taint=taint) == (Verdict.ASK, "default.run.group")


def test_memory_is_asked_about_where_outsiders_could_plant_something() -> None:
    """R-PO-3: what is remembered is written freely, except while content from outside is in the context."""
    assert decide(Deed.REMEMBER, USER) == (Verdict.ALLOW, "default.remember")
    assert decide(Deed.REMEMBER, USER, taint=TAINT) == (Verdict.ASK, "taint.remember")
    assert decide(Deed.REMEMBER, ADMIN, mode=Mode.FULL, taint=TAINT) == (Verdict.ASK, "taint.remember")


@pytest.mark.parametrize("deed", OUTWARD)
def test_reaching_out_is_asked_about(deed: Deed) -> None:
    """R-PO-1, R-PO-3: what leaves, runs outside or costs asks; tainted, also in mode full and for a camera."""
    calm = (Verdict.ALLOW, "default.control") if deed is Deed.CONTROL else (Verdict.ASK, f"default.{deed}")
    assert decide(deed) == calm
    assert decide(deed, taint=TAINT) == (Verdict.ASK, f"taint.{deed}")
    assert decide(deed, USER) == (Verdict.ASK, f"default.{deed}")
    assert decide(deed, ADMIN, GROUP) == (Verdict.ASK, f"default.{deed}")


@pytest.mark.parametrize("deed", OUTWARD)
def test_full_trusts_an_admin_who_saw_nothing_from_outside(deed: Deed) -> None:
    """R-PO-1: mode full does not ask an admin in private; anybody else, anywhere else, and after the web it does."""
    assert decide(deed, mode=Mode.FULL) == (Verdict.ALLOW, "mode.full")
    assert decide(deed, USER, mode=Mode.FULL)[0] is Verdict.ASK
    assert decide(deed, place=GROUP, mode=Mode.FULL)[0] is Verdict.ASK
    assert decide(deed, mode=Mode.FULL, taint=TAINT)[0] is Verdict.ASK


@pytest.mark.parametrize("deed", [*OUTWARD, Deed.REMEMBER])
def test_a_standing_permission_is_not_asked_again(deed: Deed) -> None:
    """R-PO-2: what was permitted for good runs, tainted too: that is what "always" means."""
    assert decide(deed, USER, taint=TAINT, permitted="permission.7") == (Verdict.ALLOW, "permission.7")


def test_admin_acts_ask_an_admin_each_time() -> None:
    """R-PO-1: what changes Lar or its host has no mode and no permission that skips the question."""
    for role, mode, permitted in itertools.product(Role, (Mode.RW, Mode.FULL), ("", "permission.1")):
        decision = Gate().decide(act(Deed.ADMIN, role, mode=mode, permitted=permitted))
        assert (decision.verdict, decision.admins_only) == (Verdict.ASK, True)


def test_no_rule_lets_an_admin_act_pass_unasked() -> None:
    """R-SU-2: a rule can forbid what changes Lar or its host, or reword the question; it cannot leave it out."""
    for verdict in ("allow", "ask", "deny"):
        decision = Gate(PolicySettings(rules=(Rule(verdict=verdict),))).decide(act(Deed.ADMIN))
        assert decision.verdict is (Verdict.DENY if verdict == "deny" else Verdict.ASK)
        assert decision.admins_only or verdict == "deny"


def test_what_is_the_owners_an_admin_decides() -> None:
    """R-PO-1: network, money and devices are the owner's; what somebody sends or submits is their own to decide."""
    for deed in (Deed.RUN_OUT, Deed.SPEND, Deed.CONTROL):
        assert Gate().decide(act(deed, USER)).admins_only
        assert not Gate().decide(act(deed, ADMIN, taint=TAINT)).admins_only
    for deed in (Deed.SUBMIT, Deed.SEND, Deed.REMEMBER, Deed.RUN):
        assert not Gate().decide(act(deed, USER, GROUP, taint=TAINT)).admins_only


def test_read_only_only_reads() -> None:
    """R-PO-1: in mode ro nothing is changed, whatever was permitted and whatever a rule says."""
    gate = Gate(PolicySettings(rules=(Rule(verdict="allow"),)))
    for deed in Deed:
        decision = gate.decide(act(deed, mode=Mode.RO, permitted="permission.1"))
        assert (decision.verdict is Verdict.ALLOW) == (deed in READS)


def test_nobody_is_asked_where_nobody_is() -> None:
    """R-PO-3: what would be asked at night is refused, and says so."""
    decision = Gate().decide(act(Deed.SEND, unattended=True))
    assert (decision.verdict, "nobody" in decision.reason) == (Verdict.DENY, True)
    assert decide(Deed.SEND, unattended=True, permitted="permission.1")[0] is Verdict.ALLOW


def test_what_is_private_stays_out_of_groups() -> None:
    """R-ME-9: one person's memory is not shown in front of others, whoever asks."""
    for deed, role in itertools.product(Deed, Role):
        assert decide(deed, role, GROUP, private=True) == (Verdict.DENY, "default.private_only")
    assert not Gate().offers("tool", GROUP, private=True)
    assert Gate().offers("tool", PRIVATE, private=True)


def test_a_denied_tool_is_denied_to_all() -> None:
    """What the configuration switches off is off, for admins too, and is not even offered."""
    gate = Gate(PolicySettings(denied_tools=frozenset({"tool"}), rules=(Rule(verdict="allow"),)))
    for role, place in itertools.product(Role, Place):
        decision = gate.decide(act(Deed.LOOK, role, place))
        assert (decision.verdict, decision.rule) == (Verdict.DENY, "policy.denied_tools")
        assert "tool" in decision.reason
    assert not gate.offers("tool", PRIVATE, private=False)


def test_the_first_rule_that_matches_decides() -> None:
    """R-PO-1: rules of the configuration come before the built-in ones, in their order."""
    rules = (
        Rule(verdict="allow", tools=("http_*",), targets=("*.example.org",), tainted=False),
        Rule(verdict="deny", tools=("http_*",), deeds=frozenset({Deed.SUBMIT}), roles=frozenset({USER}), reason="no"),
        Rule(verdict="ask", places=frozenset({GROUP}), admins_only=True),
    )
    gate = Gate(PolicySettings(rules=rules))

    def told(
        tool: str, deed: Deed, role: Role, place: Place, target: str = "", taint: tuple[str, ...] = ()
    ) -> Decision:
        return gate.decide(Act(tool, deed, role, place, target=target, taint=taint))

    assert told("http_request", Deed.SUBMIT, USER, PRIVATE, "api.example.org").rule == "policy.rules.1"
    assert told("http_request", Deed.SUBMIT, USER, PRIVATE, "api.example.org", TAINT).reason == "no"
    assert told("http_request", Deed.SUBMIT, ADMIN, PRIVATE, "example.com").rule == "default.submit"
    asked = told("shell", Deed.KEEP, ADMIN, GROUP)
    assert (asked.verdict, asked.rule, asked.admins_only) == (Verdict.ASK, "policy.rules.3", True)


def test_a_rule_that_asks_is_answered_by_a_permission() -> None:
    """R-PO-2: "always" also covers what a rule of the configuration asks about."""
    gate = Gate(PolicySettings(rules=(Rule(verdict="ask"),)))
    assert gate.decide(act(Deed.LOOK)).verdict is Verdict.ASK
    assert gate.decide(act(Deed.LOOK, permitted="permission.3")).rule == "permission.3"


def test_every_refusal_has_a_reason() -> None:
    """Model and person are told why."""
    for deed, role, place, mode, private, taint, permitted, unattended in EVERY:
        decision = Gate().decide(
            act(
                deed,
                role,
                place,
                mode=mode,
                private=private,
                taint=taint,
                permitted=permitted,
                unattended=unattended,
            )
        )
        assert decision.rule
        assert decision.verdict is not Verdict.DENY or decision.reason


def test_taint_never_makes_anything_easier() -> None:
    """R-PO-3: what is asked or refused without content from outside is so with it."""
    order = [Verdict.ALLOW, Verdict.ASK, Verdict.DENY]
    for deed, role, place, mode in itertools.product(Deed, Role, Place, Mode):
        clean, tainted = (decide(deed, role, place, mode=mode, taint=taint)[0] for taint in ((), TAINT))
        assert order.index(tainted) >= order.index(clean)
