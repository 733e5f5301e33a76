"""Sentences that stand for what was said, and full-text search over messages and notes."""

import sqlalchemy as sa
from alembic import op

from lar.store import fulltext

revision = "0005"
down_revision = "0004"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME: sa.Double[float] = sa.Double()


def upgrade() -> None:
    """Forward only: the way back is the backup."""
    op.create_table(
        "memory",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        _text("owner"),
        _text("kind"),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("principal_id", _ID, nullable=True),
        sa.Column("conversation_id", _ID, nullable=True),
        sa.Column("turn_id", _ID, nullable=True),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        _text("day"),
        _text("text"),
        sa.Column("made_from", sa.JSON(), nullable=False),
        sa.Column("taint", sa.JSON(), nullable=True),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("corrected", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"], name="fk_memory_principal_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_memory_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_memory"),
        sa.UniqueConstraint("key", name="uq_memory_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_memory_owner", "memory", ["owner", "kind", "ended_at"], unique=False)
    op.create_index("ix_memory_conversation", "memory", ["conversation_id", "kind", "turn_id"], unique=False)
    for statement in fulltext.statements(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)
