"""May this call run? One question, one answer, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from lar.domain.conversation import Mode, Place
from lar.domain.principal import Role
from lar.domain.risk import Deed
from lar.policy.settings import PolicySettings, Rule


class Verdict(StrEnum):
    """What the gate says. `ask`: a person decides."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the rule that matched, and a sentence for the model and the person.

    `admins_only`: of those who may be asked, only an admin decides.
    """

    verdict: Verdict
    rule: str
    reason: str = ""
    admins_only: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """What is about to happen, who wants it, and where.

    `private`: it touches what belongs to one person. `target` is the host, recipient or program. `taint` names the
    content from outside that is in the context, empty where there is none. `permitted` is the standing permission that
    covers it. `unattended`: nobody is there to be asked.
    """

    tool: str
    deed: Deed
    role: Role
    place: Place
    private: bool = False
    target: str = ""
    mode: Mode = Mode.RW
    taint: Sequence[str] = ()
    permitted: str = ""
    unattended: bool = False


_READS = frozenset({Deed.LOOK, Deed.OPEN})
_OWN = frozenset({Deed.KEEP, Deed.RUN})
_OURS = frozenset({Deed.RUN_OUT, Deed.CONTROL, Deed.SPEND})
"""What uses the machine, its devices or its owner's money: somebody who is no admin needs an admin for it."""


class Gate:
    """Decides by rules, role, deed, mode and taint."""

    def __init__(self, settings: PolicySettings | None = None) -> None:
        self._settings = settings or PolicySettings()

    def offers(self, tool: str, place: Place, *, private: bool) -> bool:
        """Whether a tool is shown to the model at all: not what would be denied whatever the call."""
        return tool not in self._settings.denied_tools and not (private and place is Place.GROUP)

    def decide(self, act: Act) -> Decision:
        """Look at the rules from the strictest to the mildest; the first that matches decides."""
        decision = self._barred(act) or self._ruled(act) or _usual(act)
        if decision.verdict is Verdict.ASK and act.unattended:
            return Decision(Verdict.DENY, decision.rule, f"{decision.reason}, and nobody is there to be asked")
        return decision

    def _barred(self, act: Act) -> Decision | None:
        """What no rule and no permission opens."""
        if act.tool in self._settings.denied_tools:
            return Decision(Verdict.DENY, "policy.denied_tools", f"{act.tool} is switched off in the configuration")
        if act.private and act.place is Place.GROUP:
            return Decision(Verdict.DENY, "default.private_only", f"{act.tool} is only available in a private chat")
        if act.mode is Mode.RO and act.deed not in _READS:
            return Decision(Verdict.DENY, "mode.ro", "this conversation is read-only; the person can write /mode rw")
        return None

    def _ruled(self, act: Act) -> Decision | None:
        """What the configuration says. What changes Lar or its host is asked about each time, whatever it allows."""
        for number, rule in enumerate(self._settings.rules, 1):
            if _matches(rule, act) and not (act.deed is Deed.ADMIN and rule.verdict == Verdict.ALLOW):
                verdict, name = Verdict(rule.verdict), f"policy.rules.{number}"
                if verdict is Verdict.ASK and act.permitted:
                    return Decision(Verdict.ALLOW, act.permitted)
                reason = rule.reason or f"a rule of the configuration says {verdict}"
                return Decision(verdict, name, reason, admins_only=rule.admins_only or act.deed is Deed.ADMIN)
        return None


def _matches(rule: Rule, act: Act) -> bool:
    return (
        any(fnmatchcase(act.tool, pattern) for pattern in rule.tools)
        and (not rule.deeds or act.deed in rule.deeds)
        and any(fnmatchcase(act.target, pattern) for pattern in rule.targets)
        and (not rule.roles or act.role in rule.roles)
        and (not rule.places or act.place in rule.places)
        and (rule.tainted is None or rule.tainted == bool(act.taint))
    )


def _usual(act: Act) -> Decision:  # noqa: PLR0911  # a table, one row a line
    """Where no rule of the configuration says otherwise."""
    admin, private = act.role is Role.ADMIN, act.place is Place.PRIVATE
    seen = f"the conversation contains content from outside ({', '.join(act.taint)})" if act.taint else ""
    if act.deed is Deed.ADMIN:
        return Decision(Verdict.ASK, "default.admin", "it changes Lar or its host", admins_only=True)
    if act.deed in _READS or (act.deed in _OWN and private) or act.deed is Deed.KEEP:
        return Decision(Verdict.ALLOW, f"default.{act.deed}")
    if act.permitted:
        return Decision(Verdict.ALLOW, act.permitted)
    if act.deed is Deed.RUN:
        return Decision(Verdict.ASK, "default.run.group", "code is run for a group")
    if act.deed is Deed.REMEMBER:
        if not seen:
            return Decision(Verdict.ALLOW, "default.remember")
        return Decision(Verdict.ASK, "taint.remember", seen)
    if not seen and admin and private and (act.mode is Mode.FULL or act.deed is Deed.CONTROL):
        return Decision(Verdict.ALLOW, "mode.full" if act.mode is Mode.FULL else "default.control")
    rule = f"{'taint' if seen else 'default'}.{act.deed}"
    return Decision(Verdict.ASK, rule, seen, admins_only=act.deed in _OURS and not admin)
