"""The model of a conversation, and what model calls cost."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AMOUNT: sa.Double[float] = sa.Double()


def upgrade() -> None:
    """Forward only: the way back is the backup."""
    op.add_column("conversation", sa.Column("model", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "spend",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("usd", _AMOUNT, server_default="0", nullable=False),
        sa.Column("estimated_usd", _AMOUNT, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("day", "principal_id", "agent", "schedule", "model", name="pk_spend"),
    )
    op.create_table(
        "reservation",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("day", sa.Text(), server_default="", nullable=False),
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("schedule", sa.Text(), server_default="", nullable=False),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("input_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("usd", _AMOUNT, server_default="0", nullable=False),
        sa.Column("created_at", _AMOUNT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reservation"),
        sqlite_autoincrement=True,
    )
