"""What the store can be told."""

from pydantic import BaseModel, ConfigDict, Field


class StoreSettings(BaseModel):
    """Where the database is, and how patient we are with it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str = Field(..., description="`sqlite:///path/to/lar.db` or `postgresql://user:password@host/name`.")
    patience: float = Field(
        default=10.0, gt=0, description="Seconds to wait for a locked or unreachable database before a write fails."
    )
    readers: int = Field(
        default=4, ge=1, le=64, description="How many reads of a SQLite database may run side by side."
    )
    connections: int = Field(
        default=10,
        ge=2,
        le=200,
        description="How many connections one process opens to PostgreSQL for reads and writes.",
    )
