"""Settings of the gate, and of what may be spent."""

from collections.abc import Mapping
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


class Cap(BaseModel):
    """The most that may be spent, in US dollars. None: there is no cap; `inf` lifts one that is on by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: float | None = Field(default=None, ge=0, description="The most a day, in US dollars; `inf`: no cap.")
    month: float | None = Field(default=None, ge=0, description="The most a month, in US dollars; `inf`: no cap.")


class PersonCap(Cap):
    """What a person may spend unless told otherwise."""

    day: float | None = Field(default=5.0, ge=0, description="The most a day, in US dollars; `inf`: no cap.")


class TotalCap(Cap):
    """What everything together may cost unless told otherwise."""

    day: float | None = Field(default=10.0, ge=0, description="The most a day, in US dollars; `inf`: no cap.")
    month: float | None = Field(default=100.0, ge=0, description="The most a month, in US dollars; `inf`: no cap.")


class HeartbeatCap(Cap):
    """What looking around by itself may cost unless told otherwise."""

    day: float | None = Field(default=0.5, ge=0, description="The most a day, in US dollars; `inf`: no cap.")


class Price(BaseModel):
    """What a model costs, in US dollars: per million tokens, and per minute of sound it writes down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(default=0.0, ge=0, description="Dollars per million tokens of the prompt.")
    output: float = Field(default=0.0, ge=0, description="Dollars per million tokens of the answer.")
    minute: float = Field(default=0.0, ge=0, description="Dollars per minute of a recording that is transcribed.")


class UnknownPrice(Price):
    """The price of a model nobody knows the price of: a dear one."""

    input: float = Field(default=15.0, ge=0, description="Dollars per million tokens of the prompt.")
    output: float = Field(default=75.0, ge=0, description="Dollars per million tokens of the answer.")
    minute: float = Field(default=0.02, ge=0, description="Dollars per minute of a recording that is transcribed.")


class BudgetSettings(BaseModel):
    """What model calls may cost. An unknown key here refuses the start."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    person: PersonCap = Field(default_factory=PersonCap, description="Caps of each person.")
    agent: Cap = Field(default_factory=Cap, description="Caps of each agent.")
    agents: Mapping[str, Cap] = Field(default={}, description="Caps of single agents, by name, instead of `agent`.")
    schedule: Cap = Field(default_factory=Cap, description="Caps of each schedule.")
    schedules: Mapping[str, Cap] = Field(
        default={}, description="Caps of single schedules, by name (`#3`), instead of `schedule`."
    )
    heartbeat: HeartbeatCap = Field(default_factory=HeartbeatCap, description="Caps of the heartbeat.")
    total: TotalCap = Field(default_factory=TotalCap, description="Caps of everything together.")
    warn_at: float = Field(default=0.8, gt=0, le=1, description="The part of a cap at which there is a warning.")
    max_output_tokens: int = Field(
        default=8192,
        ge=1,
        description="Longest answer of a model that costs money, where its agent sets none, in tokens.",
    )
    prices: Mapping[str, Price] = Field(
        default={}, description="Prices of models by `provider:model`, where they are not known or are others."
    )
    unknown: UnknownPrice = Field(
        default_factory=UnknownPrice, description="The price of a model nobody knows the price of."
    )
