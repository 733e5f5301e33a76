"""Schedules, their firings, and what a heartbeat looks at."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME: sa.Double[float] = sa.Double()


def upgrade() -> None:
    """Forward only: the way back is the backup."""
    op.add_column("principal", _text("zone"))
    _schedules()
    _firings()
    op.create_table(
        "event",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        _text("kind"),
        _text("text"),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("principal_id", _ID, nullable=True),
        _text("source"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("turn_id", _ID, nullable=True),
        sa.Column("taken_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["principal_id"], ["principal.id"], name="fk_event_principal_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("key", name="uq_event_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_taken_at", "event", ["taken_at"], unique=False)


def _schedules() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        _text("kind"),
        _text("text"),
        sa.Column("timing", sa.JSON(), nullable=False),
        sa.Column("principal_id", _ID, nullable=True),
        sa.Column("conversation_id", _ID, nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        _text("state"),
        sa.Column("next_due", _TIME, nullable=True),
        sa.Column("left", sa.Integer(), nullable=True),
        sa.Column("jitter", _TIME, server_default="0", nullable=False),
        _text("missed"),
        _number("missed_count"),
        sa.Column("missed_at", _TIME, nullable=True),
        _number("fired"),
        sa.Column("taint", sa.JSON(), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_schedule_principal_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_schedule_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_schedule"),
        sa.UniqueConstraint("key", name="uq_schedule_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_schedule_next_due", "schedule", ["next_due"], unique=False)
    op.create_index("ix_schedule_principal", "schedule", ["principal_id", "state"], unique=False)


def _firings() -> None:
    op.create_table(
        "firing",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("schedule_id", _ID, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        _text("state"),
        sa.Column("late", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _number("missed"),
        sa.Column("job_id", _ID, nullable=True),
        sa.Column("turn_id", _ID, nullable=True),
        _text("note"),
        _text("answered"),
        sa.Column("fired_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedule.id"], name="fk_firing_schedule_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_firing"),
        sa.UniqueConstraint("schedule_id", "due_at", name="uq_firing_schedule_id_due_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_firing_turn_id", "firing", ["turn_id"], unique=False)
    op.create_index("ix_firing_fired_at", "firing", ["fired_at"], unique=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)
