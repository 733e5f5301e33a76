"""May this tool run? One question, one answer, as data."""

from dataclasses import dataclass
from enum import StrEnum

from lar.domain.conversation import Place
from lar.domain.principal import Role
from lar.domain.risk import Risk


class Verdict(StrEnum):
    """What the gate says."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the rule that matched, and a sentence for the model and the person."""

    verdict: Verdict
    rule: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What is about to happen, who wants it, and where. `private`: it touches what belongs to one person."""

    tool: str
    risk: Risk
    role: Role
    place: Place
    private: bool = False


class Gate:
    """Decides by role and risk class. `denied_tools` are off for everybody."""

    def __init__(self, denied_tools: frozenset[str] = frozenset()) -> None:
        self._denied = denied_tools

    def decide(self, act: Act) -> Decision:
        """Look at the rules from the strictest to the mildest; the first that matches decides."""
        if act.tool in self._denied:
            return Decision(Verdict.DENY, "policy.denied_tools", f"{act.tool} is switched off in the configuration")
        if act.private and act.place is Place.GROUP:
            return Decision(Verdict.DENY, "default.private_only", f"{act.tool} is only available in a private chat")
        if act.risk in {Risk.READ, Risk.WRITE}:
            return Decision(Verdict.ALLOW, f"default.{act.risk}")
        if act.role is not Role.ADMIN:
            return Decision(Verdict.DENY, "default.admins_only", f"{act.tool} may only be used by an admin")
        if act.place is Place.GROUP:
            return Decision(Verdict.DENY, "default.not_in_groups", f"{act.tool} is not available in groups")
        return Decision(Verdict.ALLOW, f"default.admin.{act.risk}")
