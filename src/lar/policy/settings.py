"""Settings of the gate."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lar.domain.conversation import Mode, Place
from lar.domain.principal import Role
from lar.domain.risk import Deed


class Rule(BaseModel):
    """One rule: what it is about, and what it says. Everything it names must match; what it leaves out matches all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["allow", "ask", "deny"] = Field(description="What happens: allow, ask or deny.")
    tools: tuple[str, ...] = Field(default=("*",), description="Names of tools, with * and ?.")
    deeds: frozenset[Deed] = Field(
        default=frozenset(),
        description="look, keep, remember, open, submit, send, run, run_out, control, spend, admin; empty means all.",
    )
    targets: tuple[str, ...] = Field(default=("*",), description="Hosts, recipients or programs, with * and ?.")
    roles: frozenset[Role] = Field(default=frozenset(), description="admin, user; empty means both.")
    places: frozenset[Place] = Field(default=frozenset(), description="private, group; empty means both.")
    tainted: bool | None = Field(
        default=None, description="Only where content from outside is in the context (true), or is not (false)."
    )
    admins_only: bool = Field(default=False, description="With ask: only an admin may answer.")
    reason: str = Field(default="", description="A sentence for the person and the model.")


class PolicySettings(BaseModel):
    """What may happen beyond or below the built-in rules. An unknown key here refuses the start."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    denied_tools: frozenset[str] = Field(
        default=frozenset(), description="Names of tools that are switched off for everybody."
    )
    rules: tuple[Rule, ...] = Field(
        default=(), description="Rules looked at before the built-in ones; the first that matches decides."
    )
    mode: Mode = Field(
        default=Mode.RW,
        description="Mode of a conversation until /mode changes it: ro reads only, rw asks before it reaches outside, "
        "full does not ask an admin in a private chat unless content from outside is in the context.",
    )
    ask_minutes: float = Field(
        default=720.0, gt=0, description="Minutes until a question nobody answered counts as not approved."
    )
