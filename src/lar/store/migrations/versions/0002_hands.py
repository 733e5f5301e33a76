"""Questions to people and what they permitted, what turns made, and where their content came from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME: sa.Double[float] = sa.Double()


def upgrade() -> None:
    """Forward only: the way back is the backup."""
    op.add_column("conversation", sa.Column("mode", sa.Text(), server_default="", nullable=False))
    op.add_column("turn", sa.Column("taint", sa.JSON(), nullable=True))
    _questions()
    _permissions()
    _artifacts()
    op.create_table(
        "setting",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_setting"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _questions() -> None:
    op.create_table(
        "question",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        _text("kind"),
        _text("state"),
        sa.Column("turn_id", _ID, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        _text("call"),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("admins_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        _text("answer"),
        _text("reason"),
        sa.Column("decided_by", _ID, nullable=True),
        sa.Column("message_id", _ID, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_question_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_question_principal_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_question"),
        sa.UniqueConstraint("turn_id", "call", name="uq_question_turn_id_call"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_question_turn_id", "question", ["turn_id"], unique=False)
    op.create_index("ix_question_conversation_id", "question", ["conversation_id"], unique=False)
    op.create_index("ix_question_state", "question", ["state", "expires_at"], unique=False)
    op.create_table(
        "question_delivery",
        sa.Column("question_id", _ID, nullable=False),
        sa.Column("delivery_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"], ["question.id"], name="fk_question_delivery_question_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("question_id", "delivery_id", name="pk_question_delivery"),
    )


def _permissions() -> None:
    op.create_table(
        "permission",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("conversation_id", _ID, nullable=True),
        _text("tool"),
        _text("target"),
        sa.Column("granted_by", _ID, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_permission_principal_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_permission_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_permission"),
    )
    op.create_index("ix_permission_principal", "permission", ["principal_id", "tool"], unique=False)


def _artifacts() -> None:
    op.create_table(
        "artifact",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("principal_id", _ID, nullable=False),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("turn_id", _ID, nullable=False),
        _text("path"),
        _text("name"),
        _text("mime"),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_artifact_principal_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_artifact"),
        sa.UniqueConstraint("path", name="uq_artifact_path"),
    )
    op.create_index("ix_artifact_principal", "artifact", ["principal_id", "id"], unique=False)
