"""Settings of the gate."""

from pydantic import BaseModel, ConfigDict, Field


class PolicySettings(BaseModel):
    """What is forbidden beyond the built-in rules. An unknown key here refuses the start."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    denied_tools: frozenset[str] = Field(
        default=frozenset(), description="Names of tools that are switched off for everybody."
    )
